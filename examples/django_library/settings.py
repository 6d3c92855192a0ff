"""Settings of the library. What is written here and not in Django's template has its reason beside it."""

import os
import secrets
from pathlib import Path

STATE = Path(os.environ["LIBRARY_STATE"])
STATE.mkdir(parents=True, exist_ok=True)


def kept_secret(path: Path) -> str:
    """The signing key in the file ``path``: made at the first start, readable by its owner alone."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        with open(unfinished, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(50))
        unfinished.replace(path)
    return path.read_text()


DEBUG = False
# Whoever serves this project catches what it raises, and shows and reports it.
DEBUG_PROPAGATE_EXCEPTIONS = True
SECRET_KEY = kept_secret(STATE / "secret")
ALLOWED_HOSTS = [".localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "django_library.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_library.catalogue",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": STATE / "library.sqlite3",
        # Several threads read and write: writers queue at BEGIN instead of failing half-way.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
    },
}

# Several apps share this host: cookies get names of their own.
SESSION_COOKIE_NAME = "library_session"
CSRF_COOKIE_NAME = "library_csrf"
SESSION_COOKIE_HTTPONLY = True

# Django would make this the zone of the whole process; the factory in __init__.py puts the process back.
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django_library.static_files.StorageBelowMount"},
}
