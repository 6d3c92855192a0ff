"""A live exception becomes a record: plain data, bounded and without secrets."""
