"""Passwords: how they are kept, checked and guessed at, and what a new one must be like."""
