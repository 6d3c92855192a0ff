"""The authentication filters of Paste under their old names, with their options and without their holes."""
