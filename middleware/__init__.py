"""Wraps a WSGI application: changes what goes in or what comes out."""
