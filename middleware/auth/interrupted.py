"""A form that was sent when the session had ended, or by who has to show more before it may go on: it is kept for a
few minutes, and goes on after the new login, or after what had to be shown.

It is sealed with a key of which one part is ours and the other in the browser's cookie alone, so that it is readable
only while that browser asks for it. It goes on once, for the user whose session it was, and only when they say so on a
page of ours. A form that another site's page has sent is not kept: a login would turn it into a forgery that works.

Reads ``CONTENT_TYPE``, ``CONTENT_LENGTH``, ``HTTP_REFERER`` and ``wsgi.input``, which is replaced where the form was
received. The request that goes on has ``wheatpaste.resumed``.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ...protocol.bodies import BodyRefused, SpooledBody, content_length
from ...protocol.csrf import provenance
from ...protocol.paths import uri_path, uri_query
from ...protocol.peers import read_address
from ...protocol.wsgi import Environ
from ..storage.store import Store
from .asker import navigates
from .key_file import key_of
from .vault import Vault, can_seal

if TYPE_CHECKING:
    from .visit import Visit

COOKIE = "wheatpaste.post"
RESUMED = "wheatpaste.resumed"
SECONDS = 600.0
"""How long a form is kept."""

MOST_OF_A_NETWORK = 10
MOST = 500
"""How many forms are kept within that time, from one network and from all."""

_SPACE = "auth.posts"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_LONGEST_HEAD = 8192
_CACHES = ("webob.", "werkzeug.", "paste.parsed_")


class KeptForm(NamedTuple):
    """What is known of a form that waits: where it goes, and how many bytes it has."""

    path: str
    size: int


class Interrupted:
    """The forms that wait for a login. ``most`` is how many bytes of a form are kept; 0 keeps none, and so
    does a site where the package for sealing is not installed.

    All methods raise ``StoreError``.
    """

    def __init__(self, store: Store, vault: Vault, clock: Callable[[], float], most: int = 65536) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._most = most if can_seal() else 0

    def receive(self, visit: Visit) -> bool:
        """Read a form before the app does, if it is one that could be kept; whether it is.

        The app can read it all the same. Called where a session has ended, for then nobody is signed in, and the app
        may well refuse the request after it has read it.
        """
        if visit.form is not None:
            return True
        if not self._could_be_kept(visit):
            return False
        try:
            body = SpooledBody.receive(visit.environ, limit=self._most, memory=self._most)
        except BodyRefused:
            return False  # it ended too early: no app can do anything with it, and none may
        with body.open() as file:
            visit.form = file.read()
        body.close()
        visit.environ["wsgi.input"] = io.BytesIO(visit.form)
        return True

    def keep(self, visit: Visit, account_id: str) -> bool:
        """Keep the form of a request until the user of ``account_id`` has signed in; whether it is kept.

        Needs :meth:`receive` to have been called before the app was.
        """
        if visit.form is None or not self._has_room(visit):
            return False
        environ = visit.environ
        head = {
            "account": account_id,
            "script_name": visit.script_name,
            "path": visit.path,
            "query": environ.get("QUERY_STRING", ""),
            "type": environ.get("CONTENT_TYPE", ""),
            "referer": environ.get("HTTP_REFERER", ""),
        }
        written = json.dumps(head).encode("ascii")
        if len(written) > _LONGEST_HEAD:
            return False
        secret = secrets.token_urlsafe(32)
        sealed = self._vaults(secret)[0].seal("form", written + b"\n" + visit.form)
        self._store.put(_SPACE, _name(secret), sealed, SECONDS)
        visit.set_cookie(COOKIE, secret, seconds=SECONDS)
        return True

    def peek(self, visit: Visit, account_id: str) -> KeptForm | None:
        """The form that waits for this user in this browser; it stays."""
        for secret in _secrets(visit):
            read = self._read(visit, secret, self._store.get(_SPACE, _name(secret)))
            if read is not None and read[0]["account"] == account_id:
                head, body = read
                return KeptForm(uri_path(head["script_name"] + head["path"]), len(body))
        return None

    def take(self, visit: Visit, account_id: str) -> Environ | None:
        """The request with the form that waits for this user in this browser, as the app is to get it; None for none.

        Whatever the browser had waiting is gone then: of several who ask at once, one gets it, and somebody else who
        signs in finds nothing of it. Called only when the user has said, on a page of ours, that it is to go on.
        """
        found: Environ | None = None
        for secret in _secrets(visit):
            read = self._read(visit, secret, self._store.take(_SPACE, _name(secret)))
            visit.drop_cookie(COOKIE)
            if found is None and read is not None and read[0]["account"] == account_id:
                found = _resumed(visit, *read)
        return found

    def _could_be_kept(self, visit: Visit) -> bool:
        environ = visit.environ
        if visit.method != "POST" or environ.get("HTTP_TRANSFER_ENCODING") or not navigates(environ):
            return False
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() not in _FORMS:
            return False
        if provenance(environ, visit.authority.site.trusted_origins) != "own":
            return False
        try:
            length = content_length(environ)
        except BodyRefused:
            return False
        return length is not None and 0 < length <= self._most

    def _has_room(self, visit: Visit) -> bool:
        address = read_address(visit.address)
        network = "" if address is None else address.packed[: 4 if address.version == 4 else 8].hex()
        for key, most in ((f"from {network}", MOST_OF_A_NETWORK), ("all", MOST)):
            if self._store.count(_SPACE, key, 1, SECONDS).number > most:
                return False
        return True

    def _vaults(self, secret: str) -> list[Vault]:
        """What seals and opens a form: of our keys, the newest first, and of the browser's part."""
        parts = self._vault.every_key("interrupted forms")
        return [Vault([key_of(hmac.digest(part, secret.encode("ascii"), "sha256"))]) for part in parts]

    def _read(self, visit: Visit, secret: str, sealed: bytes | None) -> tuple[dict[str, Any], bytes] | None:
        if sealed is None:
            return None
        opened = next(
            (data for vault in self._vaults(secret) if (data := vault.open("form", sealed)) is not None), None
        )
        if opened is None:
            return None
        written, _, body = opened.partition(b"\n")
        head: dict[str, Any] = json.loads(written)
        return (head, body) if head["script_name"] == visit.script_name else None


def _resumed(visit: Visit, head: dict[str, Any], body: bytes) -> Environ:
    environ = {key: value for key, value in visit.environ.items() if not key.startswith(_CACHES)}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("HTTP_REFERER", None)
    environ |= {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": head["script_name"],
        "PATH_INFO": head["path"],
        "QUERY_STRING": head["query"],
        "CONTENT_TYPE": head["type"],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        RESUMED: True,
    }
    if head["referer"]:
        environ["HTTP_REFERER"] = head["referer"]
    target = uri_path(head["script_name"] + head["path"]) + (f"?{uri_query(head['query'])}" if head["query"] else "")
    for key in ("REQUEST_URI", "RAW_URI"):
        if key in environ:
            environ[key] = target
    return environ


def _secrets(visit: Visit) -> list[str]:
    return [each for each in visit.cookies(COOKIE)[:3] if len(each) == 43 and each.isascii()]


def _name(secret: str) -> str:
    # Who can read the store learns neither what the cookie holds nor what the form does.
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
