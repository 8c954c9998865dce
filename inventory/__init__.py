"""What exists, how much of it, and who holds it: the house of nouns."""
