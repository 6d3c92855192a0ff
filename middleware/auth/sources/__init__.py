"""Where users are kept: files, databases and directories that others write, each one an ``account.Source``."""
