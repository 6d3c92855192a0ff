"""Errors are kept, grouped by what they have in common, and looked at."""
