"""What it costs and what is owed: the house of money."""
