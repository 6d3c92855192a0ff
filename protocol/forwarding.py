"""What proxies report of the original request: X-Forwarded-* lists, and the Forwarded header of RFC 7239.

Each proxy appends whom it saw, so a list is believed from its end, as far as the proxies are ours; what stands before
is the client's own and may be anything. Reading decides nothing: whether the peer is believed is asked in ``peers``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from .peers import Networks, read_address

MOST_HOPS = 100
"""No request comes through so many proxies; a client may write thousands."""

T = TypeVar("T")

_NODE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)|(?P<word>[Uu][Nn][Kk][Nn][Oo][Ww][Nn]|_[A-Za-z0-9._-]+))"
    r"(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?"
)
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*)"')
_ESCAPED = re.compile(r"\\(.)")

# RFC 7239 section 4. A token has no colons and brackets, but proxies write addresses and hosts without quotes.
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PAIR = re.compile(rf"({_TOKEN})=(?:([A-Za-z0-9!#$%&'*+.^_`|~:\[\]-]+)|{_QUOTED.pattern})")
_NEXT = re.compile(r"(;+)|[ \t]*(,)[ \t]*")


class Node(NamedTuple):
    """Somebody in a chain of proxies: an IP address, or a word for one that is hidden; and a port, or ''."""

    name: str
    port: str = ""
    is_address: bool = True


def read_node(text: str) -> Node | None:
    """Read a node of RFC 7239 section 6: ``192.0.2.1:80``, ``[::1]:80``, ``unknown`` or ``_hidden``; else None."""
    found = _NODE.fullmatch(text)
    if found is None:
        return None
    port = found["port"] or ""
    if port and not 0 < int(port) < 65536:
        return None
    if found["word"]:
        return Node(found["word"], port, is_address=False)
    name: str = found["v6"] or found["v4"]
    return None if read_address(name) is None or (":" in name) != bool(found["v6"]) else Node(name, port)


def read_loose_node(text: str) -> Node | None:
    """Read an item of X-Forwarded-For, which nobody specified: also blanks around, quotes, IPv6 without brackets."""
    text = text.strip()
    if text[:1] == '"':
        unquoted = unquote(text)
        if unquoted is None:
            return None
        text = unquoted
    if text.count(":") > 1 and text[0] != "[":
        # A zone has no meaning outside the machine that wrote it, and may hold any character.
        return Node(text) if "%" not in text and read_address(text) is not None else None
    return read_node(text)


def unquote(text: str) -> str | None:
    """The text in a quoted-string of RFC 9110 section 5.6.4, or None when it is none."""
    found = _QUOTED.fullmatch(text)
    return None if found is None else _ESCAPED.sub(r"\1", found[1])


def split_list(value: str) -> list[str]:
    """The last items of a list, without blanks around. An item in front may be cut."""
    return [item.strip() for item in value.rsplit(",", MOST_HOPS)[-MOST_HOPS:]]


def ours(items: Sequence[T], node_of: Callable[[T], Node | None], trusted: Networks, count: int = 1) -> Sequence[T]:
    """The items at the end of a list that proxies of ours wrote, the outermost first.

    These are the last ``count``, and one more for each that names a proxy by an address in ``trusted``: the proxy at
    that address wrote the item before.
    """
    hops = min(count, len(items))
    while 0 < hops < len(items):
        node = node_of(items[-hops])
        if node is None or not node.is_address or not trusted.names(node.name):
            break
        hops += 1
    return items[len(items) - hops :]


def outermost(items: Sequence[T], hops: int) -> T:
    """What the outermost of so many proxies wrote: the item that many places from the end, or else the first."""
    return items[-min(hops, len(items))]


def read_forwarded(value: str) -> list[dict[str, str]]:
    """Read a Forwarded header: one dict for each element, its parameters by their names in lower case.

    Raises ``ValueError`` with a phrase: the grammar is that of RFC 7239 section 4, unquoted colons and brackets apart.
    """
    elements: list[dict[str, str]] = [{}]
    at, end = 0, len(value)
    while at < end:
        pair = _PAIR.match(value, at)
        if pair is not None:
            name = pair[1].lower()
            if name in elements[-1]:
                raise ValueError(f"{name} stands twice in an element")
            elements[-1][name] = pair[2] if pair[2] is not None else _ESCAPED.sub(r"\1", pair[3])
            at = pair.end()
            if at == end:
                break
        following = _NEXT.match(value, at)
        if following is None:
            raise ValueError("it is no list of name=value pairs")
        if following[2]:
            elements.append({})
        at = following.end()
    return elements
