"""Several processes that serve one site: a parent that watches and replaces, workers that answer, an operator."""
