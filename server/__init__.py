"""Sockets, processes and signals: everything that listens."""
