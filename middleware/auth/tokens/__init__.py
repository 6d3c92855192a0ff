"""Tokens for programs: made by a user, limited in scope, time and network."""
