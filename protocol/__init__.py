"""What every room knows about HTTP and WSGI; imports no other room."""
