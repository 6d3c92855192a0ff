"""A guestbook with a parcel scale and an almanac: a form, a file upload and a streamed table, written with Flask.

Nothing here knows where the app is mounted: every link comes from ``url_for``.
"""

import os
import secrets
from pathlib import Path

from flask import Flask

from .entries import Entries
from .views import pages


def make_app(global_conf: dict[str, str], title: str = "Guestbook", upload_limit: str = "16") -> Flask:
    """A paste.deploy app factory.

    ``state`` in the global configuration names a folder that the app may write to; ``upload_limit`` is in megabytes.
    """
    state = Path(global_conf["state"]) / "guestbook"
    state.mkdir(parents=True, exist_ok=True)
    app = Flask(__name__)
    app.config.update(
        TITLE=title,
        SECRET_KEY=kept_secret(state / "secret"),
        MAX_CONTENT_LENGTH=int(upload_limit) * 1024 * 1024,
        # Several apps share this host, so each needs a cookie name of its own.
        SESSION_COOKIE_NAME="guestbook",
        SESSION_COOKIE_SAMESITE="Lax",
        # Whoever serves this app catches what it raises, and shows and reports it.
        PROPAGATE_EXCEPTIONS=True,
    )
    app.extensions["entries"] = Entries(state / "guestbook.sqlite3")
    app.register_blueprint(pages)
    return app


def kept_secret(path: Path) -> str:
    """The signing key in the file ``path``: made at the first start, readable by its owner alone."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        with open(unfinished, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(32))
        unfinished.replace(path)
    return path.read_text()
