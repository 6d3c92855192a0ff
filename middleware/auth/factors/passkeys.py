"""Passkeys (W3C Web Authentication, level 3): keys that a device or a password manager holds for a user.

Signatures are verified by ``fido2``; what it leaves to us is looked at here: origins, the user's handle, whether the
page stood in a frame of another site, and the counter. Which site this is follows from ``public_url``, never from a
request.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ....config.problems import ConfigError, Problem
from ...storage.store import Conflict
from ...storage.tables import Tables
from ..account import Account
from .challenge import SECONDS, Challenges
from .options import PasskeyOptions

if TYPE_CHECKING:
    from fido2.server import Fido2Server

MOST_BYTES = 16 * 1024
"""How long an answer of a browser may be."""

_COLUMNS = "id, credential, account, attested, counter, transports, is_synced, is_backed_up, label, created, used"
_TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
_LONGEST_LABEL = 60


class NoPasskey(Exception):
    """What came does not show a passkey. The text is for the audit log."""


class PasskeyInfo(NamedTuple):
    """A passkey as it is kept. ``is_synced``: it may be on several devices. Times are seconds since 1970."""

    id: str
    credential: str
    account: str
    attested: str
    counter: int
    transports: tuple[str, ...]
    is_synced: bool
    is_backed_up: bool
    label: str
    created: float
    used: float | None


class Shown(NamedTuple):
    """A passkey was shown. ``is_verified``: its device has made sure who used it, by a PIN or a finger."""

    passkey: PasskeyInfo
    is_verified: bool
    counter_is_wrong: bool = False

    @property
    def amr(self) -> tuple[str, ...]:
        """What was shown (RFC 8176): a key in software if it is synchronized, else in hardware."""
        return ("swk" if self.passkey.is_synced else "hwk", *(("user", "mfa") if self.is_verified else ()))


class Passkeys:
    """The passkeys of a site's users. ``public_url`` says which site that is; ``title`` is what it is called.

    Raises ``ConfigError`` where ``fido2`` is not installed, and ``OptionError`` for a domain that is not this site's.
    """

    def __init__(
        self,
        tables: Tables,
        challenges: Challenges,
        public_url: str,
        options: PasskeyOptions | None = None,
        clock: Callable[[], float] = time.time,
        *,
        title: str = "",
    ) -> None:
        self.options = options if options is not None else PasskeyOptions()
        self.domain = self.options.relying_party(public_url)
        self.name = self.options.name or title or self.domain
        parts = urlsplit(public_url)
        self._origins = frozenset({f"{parts.scheme}://{parts.netloc}".lower(), *self.options.origins})
        self._tables = tables
        self._challenges = challenges
        self._clock = clock
        self._server = _server(self.domain, self.name, self._origins)

    def of(self, account_id: str) -> list[PasskeyInfo]:
        """The passkeys of an account, the oldest first."""
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM auth_passkeys WHERE account = ? ORDER BY created, id", (account_id,)
        )
        return [_info(row) for row in rows]

    def creation_options(self, account: Account, *, verified: bool) -> dict[str, Any]:
        """What the browser is asked to make (``PublicKeyCredentialCreationOptionsJSON``).

        ``verified``: the passkey is to do without a password, so it has to know its user.
        """
        wish = "required" if verified else "preferred"
        return {
            "rp": {"id": self.domain, "name": self.name},
            "user": {
                "id": self._handle(account.id),
                "name": account.name,
                "displayName": account.display or account.name,
            },
            "challenge": _text(self._challenges.make("create", account.id)),
            "pubKeyCredParams": [
                {"type": each.type.value, "alg": each.alg} for each in self._server.allowed_algorithms
            ],
            "timeout": int(SECONDS * 1000),
            "excludeCredentials": [_descriptor(each) for each in self.of(account.id)],
            "authenticatorSelection": {
                "residentKey": wish,
                "requireResidentKey": verified,
                "userVerification": wish,
            },
            "attestation": "none",
        }

    def add(self, account: Account, answer: str, label: str, *, verified: bool) -> PasskeyInfo:
        """Keep the passkey that the browser has made.

        Raises ``NoPasskey``, and ``ValueError`` with a sentence for the user where there are too many.
        """
        sent = _read(answer)
        server, state = self._server, self._begun(sent, "create", [account.id], "required" if verified else "preferred")
        try:
            data = server.register_complete(state, sent)
            made = data.credential_data
        except Exception as error:  # whatever is wrong with what a client sends, it is no passkey
            raise NoPasskey(f"{type(error).__name__}: {error}") from error
        if made is None:
            raise NoPasskey("there is no key in it")
        if len(self.of(account.id)) >= self.options.most:
            raise ValueError("There are too many passkeys already; remove those that are not needed.")
        info = PasskeyInfo(
            id=secrets.token_hex(8),
            credential=_text(made.credential_id),
            account=account.id,
            attested=_text(bytes(made)),
            counter=data.counter,
            transports=_transports(sent),
            is_synced=bool(data.flags & 0x08),
            is_backed_up=bool(data.flags & 0x10),
            label=_labelled(label),
            created=self._clock(),
            used=None,
        )
        row = (*info[:5], " ".join(info.transports), int(info.is_synced), int(info.is_backed_up), *info[8:])
        try:
            self._tables.query(
                f"INSERT INTO auth_passkeys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        except Conflict as error:
            raise NoPasskey("this passkey is kept already") from error
        return info

    def request_options(
        self, purpose: str, binding: str, *, account_id: str | None = None, verified: bool
    ) -> dict[str, Any]:
        """What the browser is asked to sign (``PublicKeyCredentialRequestOptionsJSON``).

        Without ``account_id`` the user chooses among the passkeys that they have for this site, and nobody learns from
        the question who has any.
        """
        allowed = [] if account_id is None else [_descriptor(each) for each in self.of(account_id)]
        return {
            "challenge": _text(self._challenges.make(purpose, binding)),
            "timeout": int(SECONDS * 1000),
            "rpId": self.domain,
            "allowCredentials": allowed,
            "userVerification": "required" if verified else "preferred",
        }

    def shown(
        self, answer: str, purpose: str, bindings: Sequence[str], *, account_id: str | None = None, verified: bool
    ) -> Shown:
        """The passkey that the browser has signed with, which has to be that of ``account_id`` if it is given.

        Raises ``NoPasskey`` for everything else: another site's, an answer that came before or too late, a copy.
        """
        sent = _read(answer)
        state = self._begun(sent, purpose, bindings, "required" if verified else "preferred")
        credential = sent.get("rawId")
        rows = self._tables.query(f"SELECT {_COLUMNS} FROM auth_passkeys WHERE credential = ?", (str(credential),))
        if not rows:
            raise NoPasskey("nobody here has this passkey")
        info = _info(rows[0])
        handle = sent["response"].get("userHandle") or None
        if handle is not None and handle != self._known_handle(info.account):
            raise NoPasskey("the passkey names another user")
        if account_id is None and handle is None:
            raise NoPasskey("the passkey names no user")
        if account_id is not None and account_id != info.account:
            raise NoPasskey("the passkey is another user's")
        try:
            from fido2.webauthn import AttestedCredentialData, AuthenticationResponse

            response = AuthenticationResponse.from_dict(sent)
            self._server.authenticate_complete(state, [AttestedCredentialData(_bytes(info.attested))], response)
            data = response.response.authenticator_data
        except Exception as error:  # whatever is wrong with what a client sends, it is no passkey
            raise NoPasskey(f"{type(error).__name__}: {error}") from error
        grew = self._tables.query(
            "UPDATE auth_passkeys SET counter = ?, used = ?, is_backed_up = ?"
            " WHERE id = ? AND (counter < ? OR (counter = 0 AND ? = 0)) RETURNING 1",
            (data.counter, self._clock(), int(bool(data.flags & 0x10)), info.id, data.counter, data.counter),
        )
        if not grew and self.options.counter == "refuse":
            raise NoPasskey("the passkey's counter did not grow: it may be a copy")
        return Shown(info, bool(data.flags & 0x04), not grew)

    def rename(self, account_id: str, passkey_id: str, label: str) -> bool:
        """Give a passkey another name; whether there is one."""
        return bool(
            self._tables.query(
                "UPDATE auth_passkeys SET label = ? WHERE account = ? AND id = ? RETURNING 1",
                (_labelled(label), account_id, passkey_id),
            )
        )

    def remove(self, account_id: str, passkey_id: str, *, keep_one: bool = False) -> bool:
        """Forget a passkey; whether that was done. ``keep_one``: not if it is the account's last."""
        with self._tables.writing() as connection:
            if keep_one:
                found = connection.execute(
                    "SELECT count(*) FROM auth_passkeys WHERE account = ?", (account_id,)
                ).fetchone()
                if found[0] <= 1:
                    return False
            return (
                connection.execute(
                    "DELETE FROM auth_passkeys WHERE account = ? AND id = ?", (account_id, passkey_id)
                ).rowcount
                == 1
            )

    def _begun(self, sent: dict[str, Any], purpose: str, bindings: Iterable[str], wish: str) -> dict[str, Any]:
        """What ``fido2`` has to know of how it began. Raises ``NoPasskey`` where nothing of ours did."""
        try:
            client = json.loads(_bytes(sent["response"]["clientDataJSON"]))
            challenge = client["challenge"]
            raw = _bytes(challenge)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise NoPasskey("it does not say what it answers") from error
        if client.get("crossOrigin") not in (None, False) or client.get("topOrigin") is not None:
            raise NoPasskey("the page stood in a frame of another site")
        if not self._challenges.take(raw, purpose, list(bindings)):
            raise NoPasskey("it answers nothing that was asked here and now")
        return {"challenge": challenge, "user_verification": wish}

    def _handle(self, account_id: str) -> str:
        """The user's handle: 64 random bytes, by which authenticators know a user and others do not."""
        self._tables.query(
            "INSERT INTO auth_handles (account, handle) VALUES (?, ?) ON CONFLICT (account) DO NOTHING",
            (account_id, _text(secrets.token_bytes(64))),
        )
        return str(self._known_handle(account_id))

    def _known_handle(self, account_id: str) -> str | None:
        rows = self._tables.query("SELECT handle FROM auth_handles WHERE account = ?", (account_id,))
        return rows[0][0] if rows else None


def _server(domain: str, name: str, origins: frozenset[str]) -> Fido2Server:
    try:
        from fido2.server import Fido2Server
        from fido2.webauthn import PublicKeyCredentialRpEntity
    except ImportError as error:
        raise ConfigError(
            Problem(
                what="passkeys are verified by fido2, which is not installed",
                fix="run: pip install 'wheatpaste[passkeys]'",
                code="missing-extra",
            )
        ) from error
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=domain, name=name), verify_origin=lambda origin: origin in origins
    )


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > MOST_BYTES:
        raise NoPasskey("it is too long")
    try:
        sent = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise NoPasskey("it is no JSON") from error
    if not isinstance(sent, dict) or not isinstance(sent.get("response"), dict):
        raise NoPasskey("it is no answer of a browser")
    return sent


def _info(row: Sequence[Any]) -> PasskeyInfo:
    made = PasskeyInfo._make(row)
    return made._replace(
        transports=tuple(str(row[5]).split()), is_synced=made.is_synced == 1, is_backed_up=made.is_backed_up == 1
    )


def _descriptor(info: PasskeyInfo) -> dict[str, Any]:
    return {"type": "public-key", "id": info.credential, "transports": list(info.transports)}


def _transports(sent: dict[str, Any]) -> tuple[str, ...]:
    told = sent["response"].get("transports")
    return (
        tuple(sorted(_TRANSPORTS & {each for each in told if isinstance(each, str)})) if isinstance(told, list) else ()
    )


def _labelled(label: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in label).split())[:_LONGEST_LABEL]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
