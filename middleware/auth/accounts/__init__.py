"""The users, groups and roles that a site keeps itself."""
