"""AuthKit under its own keys: what a configuration of AuthKit says, in services of ours."""
