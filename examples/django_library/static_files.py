"""Static files of a project that does not know its mount.

``STATIC_URL`` is a setting, so it is the same for every request. The mount is known only once a request came in (as
Django's script prefix); these two add it where Django makes a static URL, and take it off where Django serves one.
"""

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix


class StorageBelowMount(StaticFilesStorage):
    @property
    def base_url(self) -> str:
        return get_script_prefix().rstrip("/") + settings.STATIC_URL


class StaticFilesBelowMount(StaticFilesHandler):
    def file_path(self, url: str) -> str:
        return super().file_path(url.removeprefix(get_script_prefix().rstrip("/")))
