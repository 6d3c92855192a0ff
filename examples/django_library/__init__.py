"""A lending library, written with Django: its admin, its ORM on an SQLite file, forms, sessions and static files."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.handlers.wsgi import WSGIHandler


def make_app(global_conf: dict[str, str], librarian: str = "librarian", password: str = "demo") -> WSGIHandler:
    """A paste.deploy app factory: like Django's ``get_wsgi_application``, and the tables are there afterwards.

    ``state`` in the global configuration names a folder that the project may write to. ``librarian`` and ``password``
    are the login for the admin that the first start creates: good for a demonstration, and for nothing else.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__name__}.settings")
    # A Django process has one project, configured by its settings module: this is how the folder gets there.
    os.environ["LIBRARY_STATE"] = str(Path(global_conf["state"]) / "library")

    # Only now: these modules read the settings.
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    with own_time_zone_kept():
        app = get_wsgi_application()

    from .catalogue.first_books import stock
    from .static_files import StaticFilesBelowMount

    call_command("migrate", interactive=False, verbosity=0)
    stock(librarian, password)
    return StaticFilesBelowMount(app)


@contextmanager
def own_time_zone_kept() -> Iterator[None]:
    """Django's settings change the time zone of the process they are read in; other apps in it did not ask for that."""
    before = os.environ.get("TZ")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()
