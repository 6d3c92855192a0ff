"""The command line: the only room with print, argv and exit codes."""
