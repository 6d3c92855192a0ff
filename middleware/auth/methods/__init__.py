"""The ways by which a request may show who makes it, each one a ``method.Method``."""
