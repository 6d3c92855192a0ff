"""Servers of others, run from the same file and command as our own: their options in our words."""
