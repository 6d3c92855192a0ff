"""How often passwords may be guessed: slower and slower for each account and each address, and never not at all.

After a few wrong passwords an account waits before the next is looked at: one second, then two, four, up to fifteen
minutes. So that no stranger can keep a user out by this, a browser that the user has logged in with, and an address
that the user has used, have counts of their own. Names are counted whether there is such a user or not.

All counts are in the shared store. An attempt is counted when it begins and given back when it succeeds, so that a
hundred at the same time are a hundred.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple

from ....protocol.peers import is_direct, read_address
from ...storage.space import Space
from ...storage.store import Store
from ..names import folded

if TYPE_CHECKING:
    from ..vault import Vault
    from ..visit import Visit

COOKIE = "wheatpaste.device"
_DEVICE_SECONDS = 90 * 86400.0
_PLACE_SECONDS = 30 * 86400.0
_LONGEST_DELAY = 900.0
_NAMES = ("name ", "place ", "device ")
_MOST = 100_000
"""How many counts are looked through for whoever administers the site."""


class Rate(NamedTuple):
    """So many in so many seconds; written ``5/15m``."""

    number: int
    seconds: float

    @classmethod
    def read(cls, text: str) -> Rate:
        """Raises ``ValueError`` with a phrase that completes "throttle: …"."""
        found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})?([smhd])", text.replace(" ", ""))
        if found is None:
            raise ValueError("must be a number of attempts and a time, such as 5/15m or 30/m")
        return cls(int(found[1]), int(found[2] or 1) * {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}[found[3]])


class Slowed(NamedTuple):
    """What has to wait at the moment, until ``until`` (seconds since 1970), after ``number`` attempts.

    ``kind`` is ``name``, ``address`` or ``everybody``. ``name`` is the one that was tried, None where nobody has given
    it; ``device`` is whether only a browser that its user has signed in with, or an address that they have used, waits.
    ``place`` is the address or network of the last attempt. ``id`` is what :meth:`Throttle.release` takes.
    """

    id: str
    kind: str
    name: str | None
    device: bool
    place: str
    number: int
    until: float


ACCOUNT_RATE = Rate(5, 900.0)
ADDRESS_RATE = Rate(30, 60.0)


class Throttle:
    """Counts attempts by account, by address, and, with ``ceiling``, of all together.

    ``rate`` is how many an account has before it waits, ``address_rate`` how many wrong ones an address has: an IPv4
    address, or an IPv6 network of 64 bits. The account waits twice as long after each further one, for fifteen minutes
    at most.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Callable[[], float] = time.time,
        *,
        rate: Rate = ACCOUNT_RATE,
        address_rate: Rate = ADDRESS_RATE,
        ceiling: Rate | None = None,
    ) -> None:
        self._accounts = Space(store, "auth.throttle")
        self._places = Space(store, "auth.places")
        self._vault = vault
        self._clock = clock
        self._rate = rate
        self._address_rate = address_rate
        self._ceiling = ceiling

    def admit(self, visit: Visit) -> float | None:
        """Begin an attempt from this address: None where it may go on, or how many seconds it would have to wait.

        To be asked before any work is done. What it says depends on the address alone, never on a name.
        """
        counts = [(key, self._address_rate) for key in self._address_keys(visit)]
        if self._ceiling is not None:
            counts.append(("all", self._ceiling))
        for key, rate in counts:
            tally = self._accounts.count(key, 1, rate.seconds)
            if tally.number == rate.number and tally.until is not None:
                # Counts cannot be listed, values can.
                self._accounts.put(key, rate.number, max(1.0, tally.until - self._clock()))
            if tally.number > rate.number:
                return max(1.0, (tally.until or 0.0) - self._clock())
        return None

    def wait(self, visit: Visit, name: str) -> float | None:
        """Begin an attempt on this name: None where it may go on, or how many seconds it would have to wait.

        It counts as a wrong one until :meth:`succeeded` is called. One that has to wait counts nothing.
        """
        refused: list[float] = []
        key = self._key(visit, name)
        last = {"of": self._digest(folded(name)), "from": _shown(network_of(visit.address))}

        def begun(state: dict[str, Any] | None) -> dict[str, Any]:
            now = self._clock()
            refused.clear()
            state = state or {"n": 0, "free": 0.0, "end": now + self._rate.seconds}
            if state["free"] > now:
                refused.append(state["free"] - now)
                return state
            number = state["n"] + 1
            if number < self._rate.number:
                return {**state, **last, "n": number}
            free = now + self._delay(number)
            return {**last, "n": number, "free": free, "end": free + self._rate.seconds}

        self._change(key, begun)
        return refused[0] if refused else None

    def peek(self, visit: Visit, name: str) -> float | None:
        """How many seconds an attempt on this name would have to wait here and now, or None. Counts nothing."""
        state = self._accounts.get(self._key(visit, name))
        seconds = 0.0 if state is None else state["free"] - self._clock()
        for key in self._address_keys(visit):
            tally = self._accounts.count(key, 0)
            if tally.number >= self._address_rate.number:
                seconds = max(seconds, (tally.until or 0.0) - self._clock())
        return seconds if seconds > 0 else None

    def abandoned(self, visit: Visit, name: str) -> None:
        """Give an attempt back that came to no end: what was to decide about it could not be asked."""

        def returned(state: dict[str, Any] | None) -> dict[str, Any] | None:
            return None if state is None or state["n"] <= 1 else {**state, "n": state["n"] - 1, "free": 0.0}

        self._change(self._key(visit, name), returned)
        self._release(visit)

    def succeeded(self, visit: Visit, name: str, *, browser: bool = True) -> None:
        """Forget the attempts on this name from this device, or from wherever no device is known, and know it now.

        ``browser``: give it a cookie by which it is known again; without, its address is known.
        """
        key = self._key(visit, name)
        self._accounts.delete(key)
        self._release(visit)
        if browser:
            if not key.startswith("device "):
                self._give_cookie(visit, name)
        else:
            self.recognize(visit, name)

    def recognize(self, visit: Visit, name: str) -> None:
        """Know from now on that this user comes from this address, for programs that keep no cookies."""
        self._places.put(self._place(visit, name), 1, _PLACE_SECONDS)

    def slowed(self, names: Iterable[str] = ()) -> list[Slowed]:
        """What has to wait, the longest first, for whoever administers the site.

        The store knows no names, since people type passwords where names belong: those of ``names`` are recognized.
        """
        known = {self._digest(folded(each)): each for each in names}
        found = [self._slowed_name(key, known) for prefix in _NAMES for key in self._accounts.keys(prefix, _MOST)]
        found += [
            self._slowed_count(key, "address", _shown(key.partition(" ")[2]), self._address_rate)
            for key in self._accounts.keys("address ", _MOST)
        ]
        if self._ceiling is not None:
            found.append(self._slowed_count("all", "everybody", "", self._ceiling))
        return sorted((each for each in found if each is not None), key=lambda each: (-each.until, each.id))

    def forget(self, name: str) -> int:
        """Let a name begin anew, wherever it was tried from; how many counts there were."""
        wanted = self._digest(folded(name))
        gone = int(self._accounts.delete(f"name {wanted}"))
        for prefix in _NAMES[1:]:
            for key in self._accounts.keys(prefix, _MOST):
                if (self._accounts.get(key) or {}).get("of") == wanted:
                    gone += self._accounts.delete(key)
        return gone

    def forget_address(self, address: str) -> bool:
        """Let an address, or the network of 64 bits that it is in, begin anew; whether it was counted."""
        return self._accounts.delete(f"address {network_of(address)}")

    def release(self, slowed: Slowed) -> bool:
        """Let something that :meth:`slowed` has told begin anew; whether it still waited."""
        keys = [key for prefix in (*_NAMES, "address ") for key in self._accounts.keys(prefix, _MOST)]
        return any(self._accounts.delete(key) for key in (*keys, "all") if _id_of(key) == slowed.id)

    def forget_all(self) -> int:
        """Let everything begin anew; how many counts there were."""
        return self._accounts.clear()

    def _slowed_name(self, key: str, known: Mapping[str, str]) -> Slowed | None:
        state = self._accounts.get(key)
        if state is None or state["free"] <= self._clock():
            return None
        kind, _, digest = key.partition(" ")
        name = known.get(state.get("of", digest))
        return Slowed(_id_of(key), "name", name, kind != "name", state.get("from", ""), state["n"], state["free"])

    def _slowed_count(self, key: str, kind: str, place: str, rate: Rate) -> Slowed | None:
        tally = self._accounts.count(key, 0)
        if tally.number < rate.number or tally.until is None or tally.until <= self._clock():
            return None
        return Slowed(_id_of(key), kind, None, False, place, tally.number, tally.until)

    def _change(self, key: str, change: Callable[[Any], Any]) -> None:
        # The lifetime is that of the state, which only the change knows.
        while True:
            before = self._accounts.get(key)
            after = change(before)
            if after == before:
                return
            seconds = None if after is None else max(1.0, after["end"] - self._clock())
            if self._accounts.swap(key, before, after, seconds):
                return

    def _delay(self, number: int) -> float:
        """Seconds to wait after this many attempts: none after the first of them that are free, then 1, 2, 4, …"""
        beyond = number - self._rate.number
        return min(_LONGEST_DELAY, 2.0 ** min(beyond, 30))

    def _release(self, visit: Visit) -> None:
        for key in self._address_keys(visit):
            self._accounts.count(key, -1, self._address_rate.seconds)
        if self._ceiling is not None:
            self._accounts.count("all", -1, self._ceiling.seconds)

    def _address_keys(self, visit: Visit) -> list[str]:
        """What counts the address; nothing where it is that of a proxy of which the server was not told."""
        address = read_address(visit.address)
        if address is None or (address.is_loopback and not is_direct(visit.environ)):
            return []
        return [f"address {network_of(visit.address)}"]

    def _key(self, visit: Visit, name: str) -> str:
        device = self._device(visit, name)
        if device is not None:
            return f"device {device}"
        place = self._place(visit, name)
        return f"place {place}" if self._places.get(place) else f"name {self._digest(folded(name))}"

    def _place(self, visit: Visit, name: str) -> str:
        return self._digest(f"{folded(name)}\0{network_of(visit.address)}")

    def _device(self, visit: Visit, name: str) -> str | None:
        for value in visit.cookies(COOKIE)[:3]:
            opened = self._vault.open_text("device", value, folded(name))
            if opened is not None:
                until, _, device = opened.partition(" ")
                if float(until) > self._clock():
                    return device
        return None

    def _give_cookie(self, visit: Visit, name: str) -> None:
        known = f"{int(self._clock() + _DEVICE_SECONDS)} {secrets.token_hex(16)}"
        sealed = self._vault.seal_text("device", known, folded(name))
        visit.set_cookie(COOKIE, sealed, seconds=_DEVICE_SECONDS)

    def _digest(self, text: str) -> str:
        # People type passwords where names belong: the store is not to hold them.
        return hmac.digest(self._vault.key("throttle"), text.encode("utf-8", "surrogatepass"), "sha256").hex()


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the network that an IPv6 client has for itself (RFC 6177)."""
    read = read_address(address)
    if read is None or read.version == 4:
        return str(read) if read is not None else address
    return str(int(read) >> 64)


def _shown(network: str) -> str:
    """What :func:`network_of` returns, as people write it."""
    is_number = network.isdecimal() and int(network) < 1 << 64
    return f"{IPv6Address(int(network) << 64)}/64" if is_number else network


def _id_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:10]
