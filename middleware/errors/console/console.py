"""The console as the filter sees it: keeps frames, prints links at the terminal, answers its address.

Where in the stack: it is asked by the catcher, never by an app. Writes no environ key of its own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from types import FrameType
from typing import TextIO

from ....protocol.paths import script_name, uri_path
from ....protocol.wsgi import Body, Environ, StartResponse
from ..audience import Audience
from .conditions import refusal, switched_off
from .contexts import contexts_of
from .endpoint import ConsoleEndpoint, refuse
from .gate import Gate
from .live import LiveError, LiveErrors


class Console:
    """One console of one process.

    ``path`` is its address below the mount of the filter, ``anywhere`` as in :func:`conditions.refusal`. Links are
    printed to ``stream``, the terminal by default, and never logged: who reads logs is not who sits there.
    """

    def __init__(
        self,
        audience: Audience,
        *,
        path: str,
        anywhere: bool = False,
        gate: Gate | None = None,
        errors: LiveErrors | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self.path = path
        self._audience = audience
        self._anywhere = anywhere
        self._gate = gate or Gate()
        self._errors = errors or LiveErrors()
        self._endpoint = ConsoleEndpoint(self._gate, self._errors)
        self._stream = stream

    def refusal(self, environ: Environ) -> str | None:
        """Why this request may not come near the console, or None."""
        return switched_off() or refusal(environ, self._audience, anywhere=self._anywhere)

    def keep(self, id: str, frames: Mapping[str, FrameType], environ: Environ) -> None:
        """Keep the frames of an error, if the request is one that could use them."""
        if frames and self.refusal(environ) is None:
            self._errors.keep(id, LiveError(frames, environ, contexts_of(environ, frames.values())))

    def address(self, environ: Environ) -> str:
        """The path of the console, as the client writes it."""
        return uri_path(script_name(environ) + self.path)

    def announce(self, environ: Environ) -> None:
        """Print a link at the terminal, unless the last one still waits to be used. Only for admissible requests."""
        secret = self._gate.new_link()
        stream = self._stream or sys.__stderr__
        if secret is None or stream is None:
            return
        # The host was held against those that may be asked for, and is the one that the browser knows.
        url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{self.address(environ)}"
        # The secret stands behind #, so that it is in no request line, no log and no Referer.
        # A terminal that was closed must not cost the page.
        with contextlib.suppress(OSError, ValueError):
            stream.write(f"\n  For a prompt in the frames of this error, open\n\n    {url}#{secret}\n\n")
            stream.flush()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer a request for the console's address."""
        why = self.refusal(environ)
        if why is not None:
            return refuse(environ, start_response, why)
        if environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            return self._link_page(environ, start_response)
        return self._endpoint(environ, start_response)

    def close(self) -> None:
        """Let all frames go."""
        self._errors.clear()

    def _link_page(self, environ: Environ, start_response: StartResponse) -> Body:
        from ..render.page import new_nonce, page_headers
        from ..render.templates import static, template

        nonce = new_nonce()
        page = template("console.html").render(
            nonce=nonce,
            address=self.address(environ),
            errors=uri_path(script_name(environ) + self.path.rpartition("/")[0]) + "/",
            style="".join(map(static, ("colours.css", "page.css", "console.css"))),
            script=static("console_link.js"),
        )
        body = page.encode("utf-8")
        headers = [*page_headers(nonce), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
        start_response("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
