"""Exceptions: captured once, shown to whoever asks in the form that suits them, and never lost.

``collect`` turns a live exception into a record, ``render`` a record into text, ``report`` carries it to people,
``inbox`` keeps it, and ``catch`` stands between the app and the server.
"""
