"""The verbs of the conductor's house, one file a noun."""
