"""A store in Redis or Valkey: for several machines, quick, and as lasting as the server is told to be.

Each call is one command or one script (section "Scripting with Lua" of Redis's manual): nothing comes between, and one
round trip does it; only listings take several. The server needs version 6.2, must not evict keys
(``maxmemory-policy noeviction``), and is one server: a cluster is none.
"""

from __future__ import annotations

import functools
import math
import re
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...config.values import parse_bool
from .store import StoreDamaged, StoreError, Tally

# What is kept is the time at which it ends, as eight bytes of a double, and the value after them. The server forgets
# by its own clock; by whose clock something has ended is decided here, as in every other store.
_END = struct.Struct(">d")
_NEVER = math.inf
_MOST_MILLISECONDS = 2**52

_LIVES = """
local now = struct.unpack('>d', ARGV[1])
local function lives(held) return held and #held >= 8 and struct.unpack('>d', string.sub(held, 1, 8)) > now end
local function keep(held, milliseconds)
  if milliseconds == '' then redis.call('SET', KEYS[1], held)
  else redis.call('SET', KEYS[1], held, 'PX', milliseconds) end
end
"""
_ADD = """
if lives(redis.call('GETRANGE', KEYS[1], 0, 7)) then return 0 end
keep(ARGV[2], ARGV[3])
return 1
"""
_SWAP = """
local held = redis.call('GET', KEYS[1])
if not lives(held) or string.sub(held, 9) ~= ARGV[2] then return 0 end
keep(ARGV[3], ARGV[4])
return 1
"""
_REPLACE = """
local held = redis.call('GET', KEYS[1])
if not lives(held) or string.sub(held, 9) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], string.sub(held, 1, 8) .. ARGV[3], 'KEEPTTL')
return 1
"""
_REMOVE = """
local held = redis.call('GET', KEYS[1])
if not lives(held) or string.sub(held, 9) ~= ARGV[2] then return 0 end
redis.call('UNLINK', KEYS[1])
return 1
"""
_EXPIRE = """
local held = redis.call('GET', KEYS[1])
if not lives(held) then return 0 end
keep(ARGV[2] .. string.sub(held, 9), ARGV[3])
return 1
"""
_DELETE = """
local gone = 0
for _, key in ipairs(KEYS) do
  if lives(redis.call('GETRANGE', key, 0, 7)) then gone = gone + 1 end
  redis.call('UNLINK', key)
end
return gone
"""
_COUNT = """
local held = redis.call('GET', KEYS[1])
if lives(held) then
  held = string.sub(held, 1, 8) .. string.format('%.0f', tonumber(string.sub(held, 9)) + tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], held, 'KEEPTTL')
else
  held = ARGV[3] .. ARGV[2]
  keep(held, ARGV[4])
end
return held
"""
_SWEEP = """
local gone = 0
for _, key in ipairs(KEYS) do
  local held = redis.call('GETRANGE', key, 0, 7)
  if #held == 8 and not lives(held) then gone = gone + redis.call('UNLINK', key) end
end
return gone
"""

_PAGE = 1000
_GLOB = re.compile(rb"([\\*?\[\]])")
_PARAMETERS = frozenset({"db", "namespace", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"})


class RedisStore:
    """A :class:`Store` under keys that begin with ``namespace`` (``?namespace=…`` in the URL).

    ``url`` is ``redis://USER:PASSWORD@HOST:PORT/NUMBER``, ``rediss://…`` over TLS, ``valkey(s)://…`` for the same, or
    ``unix:///PATH?db=NUMBER``. Whoever waits for the server longer than ``patience`` seconds gets a ``StoreError``. A
    command is sent once: whether a broken connection has cost the command or only its answer, nobody knows.

    Raises ``ValueError`` for an URL that cannot be meant.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time, *, patience: float = 5.0) -> None:
        settings = _settings(url)
        self._namespace = settings.pop("namespace").encode()
        self._place: str = settings.pop("place")
        self._clock = clock
        self._client = redis.Redis(
            connection_pool=redis.ConnectionPool(
                socket_timeout=patience,
                socket_connect_timeout=patience,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                **settings,
            )
        )
        self._head = functools.lru_cache(maxsize=256)(self._make_head)
        script = self._client.register_script
        self._add, self._swap, self._replace, self._remove, self._expire, self._delete, self._count, self._sweep = (
            script(_LIVES + text) for text in (_ADD, _SWAP, _REPLACE, _REMOVE, _EXPIRE, _DELETE, _COUNT, _SWEEP)
        )

    def get(self, space: str, key: str) -> bytes | None:
        """The value, or None."""
        return self._living(self._ask(self._client.get, self._value(space, key)))

    def put(self, space: str, key: str, value: bytes, seconds: float | None = None) -> None:
        """Set a value, whatever was there."""
        end, milliseconds = self._end(seconds)
        self._ask(self._client.set, self._value(space, key), end + value, px=milliseconds or None)

    def add(self, space: str, key: str, value: bytes, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so."""
        end, milliseconds = self._end(seconds)
        return bool(self._run(self._add, [self._value(space, key)], end + value, milliseconds))

    def swap(
        self, space: str, key: str, before: bytes | None, after: bytes | None, seconds: float | None = None
    ) -> bool:
        """Replace the value ``before`` by ``after`` if it still is that; whether it was."""
        if before is None:
            return self.get(space, key) is None if after is None else self.add(space, key, after, seconds)
        names = [self._value(space, key)]
        if after is None:
            return bool(self._run(self._remove, names, before))
        if seconds is None:
            return bool(self._run(self._replace, names, before, after))
        end, milliseconds = self._end(seconds)
        return bool(self._run(self._swap, names, before, end + after, milliseconds))

    def take(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it: of several who ask, one gets it."""
        return self._living(self._ask(self._client.getdel, self._value(space, key)))

    def expire(self, space: str, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now; whether there is one."""
        return bool(self._run(self._expire, [self._value(space, key)], *self._end(seconds)))

    def delete(self, space: str, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""
        return bool(self._run(self._delete, [self._value(space, key), self._tally(space, key)]))

    def count(self, space: str, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add ``step`` to a count and return what it is then."""
        name = self._tally(space, key)
        if step:
            held = self._run(self._count, [name], step, *self._end(seconds))
        else:
            held = self._ask(self._client.get, name)
            if self._living(held) is None:
                return Tally(0, None)
        (until,) = _END.unpack_from(held)
        return Tally(int(held[_END.size :]), None if until == _NEVER else until)

    def keys(self, space: str, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys of the values in a space, in order. The server looks at all of its keys for that."""
        head = self._head(b"v", space)
        now = self._clock()
        found: set[bytes] = set()
        for page in self._pages(head + _raw(prefix)):
            pipeline = self._client.pipeline(transaction=False)
            for name in page:
                pipeline.getrange(name, 0, _END.size - 1)
            ends = self._ask(pipeline.execute)
            found.update(
                name[len(head) :] for name, end in zip(page, ends, strict=True) if end and _END.unpack(end)[0] > now
            )
        return [key.decode("utf-8", "surrogatepass") for key in sorted(found)[:limit]]

    def clear(self, space: str) -> int:
        """Remove all values and counts of a space; how many there were."""
        return sum(
            self._ask(self._client.unlink, *page)
            for kind in (b"v", b"c")
            for page in self._pages(self._head(kind, space))
        )

    def sweep(self) -> int:
        """Remove what has expired and what the server has not forgotten by itself; how many there were."""
        return sum(
            self._run(self._sweep, page)
            for kind in (b"v", b"c")
            for page in self._pages(self._namespace + b":" + kind + b":")
        )

    def close(self) -> None:
        """Close the connections. The next call opens them again."""
        self._client.connection_pool.disconnect()

    def _pages(self, head: bytes) -> Iterator[list[bytes]]:
        pattern, cursor = _GLOB.sub(rb"\\\1", head) + b"*", 0
        while True:
            cursor, page = self._ask(self._client.scan, cursor, match=pattern, count=_PAGE)
            if page:
                yield page
            if not cursor:
                return

    def _run(self, script: Any, names: list[bytes], *arguments: Any) -> Any:
        return self._ask(script, keys=names, args=[_END.pack(self._clock()), *arguments])

    def _ask(self, command: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except redis.AuthenticationError as error:
            raise StoreError(f"{self._place} refuses the user or the password that its URL names") from error
        except redis.TimeoutError as error:
            raise StoreError(f"{self._place} has not answered in time") from error
        except redis.RedisError as error:
            raise StoreError(f"{self._place} cannot be used ({error})") from error

    def _living(self, held: bytes | None) -> bytes | None:
        if held is None:
            return None
        if len(held) < _END.size:
            raise StoreDamaged(f"{self._place} has a value that no store wrote; is {self._namespace!r} used by others?")
        if _END.unpack_from(held)[0] <= self._clock():
            return None
        return held[_END.size :]

    def _end(self, seconds: float | None) -> tuple[bytes, int | str]:
        """When something ends that lives for so long, and in how many milliseconds the server may forget it."""
        if seconds is None:
            return _END.pack(_NEVER), ""
        return _END.pack(self._clock() + seconds), min(max(math.ceil(seconds * 1000), 1), _MOST_MILLISECONDS)

    def _value(self, space: str, key: str) -> bytes:
        return self._head(b"v", space) + _raw(key)

    def _tally(self, space: str, key: str) -> bytes:
        return self._head(b"c", space) + _raw(key)

    def _make_head(self, kind: bytes, space: str) -> bytes:
        # A colon in the space's own name must not make it another space.
        return b":".join((self._namespace, kind, _raw(space.replace("%", "%25").replace(":", "%3A")), b""))


def _raw(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _settings(url: str) -> dict[str, Any]:
    """What an URL says, as the driver wants it told."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - _PARAMETERS)
    if unknown:
        raise ValueError(f"has no parameter {unknown[0]!r}; there are: {', '.join(sorted(_PARAMETERS))}")
    is_socket = parts.scheme == "unix"
    number = given.pop("db", "") or ("" if is_socket else parts.path.strip("/")) or "0"
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"its db must be a number, and is {number!r}")
    settings: dict[str, Any] = {
        "namespace": given.pop("namespace", "wheatpaste"),
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "db": int(number),
    }
    if is_socket:
        path = unquote(parts.path)
        place = f"unix://{path}?db={number}"
        return settings | {"place": place, "connection_class": redis.UnixDomainSocketConnection, "path": path}
    host, port = parts.hostname or "localhost", parts.port or 6379
    shown = f"[{host}]" if ":" in host else host
    settings |= {"place": f"{parts.scheme}://{shown}:{port}/{number}", "host": host, "port": port}
    if parts.scheme in ("rediss", "valkeys"):
        is_checked = parse_bool(given.pop("ssl_check_hostname", "true"))
        settings |= {"connection_class": redis.SSLConnection, "ssl_check_hostname": is_checked, **given}
    elif given:
        raise ValueError(f"has the parameter {min(given)!r}, which is for rediss:// alone")
    return settings
