"""A login in front of any WSGI app: who asks, whether they may, and how they show who they are."""
