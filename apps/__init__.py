"""Answers by itself: small applications to mount."""
