"""The reads of the conductor's house, one file a noun."""
