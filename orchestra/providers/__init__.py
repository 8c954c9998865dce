"""Providers: the only rooms with a window to the outside world."""
