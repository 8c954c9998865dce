"""The conductor's pages, one file a noun."""
