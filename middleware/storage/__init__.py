"""What is kept beyond a request: small values under names, and tables in a file that processes share."""
