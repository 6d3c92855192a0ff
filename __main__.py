"""``python -m wheatpaste`` is the command line."""

from .scripts.main import main

if __name__ == "__main__":
    raise SystemExit(main())
