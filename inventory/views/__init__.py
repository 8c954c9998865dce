"""The pages of what exists, by noun."""
