"""The certified provider of npm (``oidc-provider``), installed once below ``build/`` and started for a test."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from prerequisites import lacking
from running_server import RunningServer

VERSION = "9.13.3"
SECRET = "the-secret-of-the-wiki-at-the-provider"
_HERE = Path(__file__).resolve().parent
_HOME = _HERE.parents[1] / "build" / f"oidc-provider-{VERSION}"
_INPUT = re.compile(r"<input\b[^>]*>")
_ATTRIBUTE = re.compile(r'\b(name|value)="([^"]*)"')
_ACTION = re.compile(r'<form[^>]*\baction="([^"]+)"')


def installed() -> Path:
    """The folder that the provider runs in."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        lacking("node and npm (Debian: nodejs npm)")
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes beside this one
        if not (_HOME / "node_modules" / "oidc-provider" / "package.json").exists():
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"oidc-provider@{VERSION}"],
                cwd=_HOME,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            if done.returncode:
                lacking(f"npm's oidc-provider {VERSION}: {done.stderr[-300:]}")
    shutil.copy(_HERE / "oidc_provider.mjs", _HOME / "provider.mjs")
    return _HOME


def start(port: int, site: str, users: Mapping[str, list[str]], **more: Any) -> RunningServer:
    """Start it for one client, the site at this address, whose provider is called ``corp``."""
    below = f"{site}/-/auth/oidc/corp"
    client = {
        "client_id": "wiki",
        "client_secret": SECRET,
        "redirect_uris": [f"{below}/callback"],
        "post_logout_redirect_uris": [f"{below}/logout"],
        "backchannel_logout_uri": f"{below}/backchannel",
        "backchannel_logout_session_required": True,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    settings = {"port": port, "client": client, "users": dict(users), **more}
    server = RunningServer(["node", "provider.mjs", json.dumps(settings)], port=port, cwd=installed())
    return server.wait_until_ready(60)


def fields_of(page: str) -> dict[str, str]:
    """The fields of a page's forms, with the values that they have."""
    tags = [dict(_ATTRIBUTE.findall(tag)) for tag in _INPUT.findall(page)]
    return {tag["name"]: unescape(tag.get("value", "")) for tag in tags if "name" in tag}


class Person:
    """Somebody at a browser who fills in the provider's forms."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.http = requests.Session()

    def get(self, url: str) -> requests.Response:
        return self.through(self.http.get(url, timeout=20))

    def through(self, page: requests.Response) -> requests.Response:
        """Fill in whatever login and consent forms come, until another page does."""
        for _ in range(5):
            fields = fields_of(page.text)
            if "prompt" not in fields:
                return page
            if "login" in fields:
                fields |= {"login": self.name, "password": "any"}
            page = self.send(page, fields)
        raise AssertionError("the provider asks without end")

    def send(self, page: requests.Response, fields: Mapping[str, str]) -> requests.Response:
        """Send the page's form with these fields."""
        action = _ACTION.search(page.text)
        assert action is not None, page.text
        return self.http.post(urljoin(page.url, action[1]), data=dict(fields), timeout=20)

    def confirm_logout(self, page: requests.Response) -> requests.Response:
        """Say yes to the provider's question whether to log out."""
        fields = fields_of(page.text)
        assert "xsrf" in fields, page.text
        return self.send(page, {**fields, "logout": "yes"})
