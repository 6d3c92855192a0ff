"""Reads what a deployer wrote: INI files, typed options, checks and descriptions."""
