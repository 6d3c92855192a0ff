"""Takes the pictures of error pages in docs/images, as ``screenshots.py`` takes those of the demo.

    python docs/screenshots_errors.py               all of them
    python docs/screenshots_errors.py errors-dark   those named

The records are those of ``tests/_kit/error_samples.py``, so that a picture changes when the page does.
"""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from wsgiref.simple_server import WSGIRequestHandler, make_server

from screenshots import ROOT, Picture, chromium, take
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.inbox.pages import InboxPages
from wheatpaste.middleware.errors.own_page import answer_json
from wheatpaste.middleware.errors.render.editor import editor_of
from wheatpaste.middleware.errors.render.links import Links
from wheatpaste.middleware.errors.render.page import debug_page, new_nonce, page_headers
from wheatpaste.middleware.errors.render.plain_page import plain_headers, plain_page

sys.path.insert(0, str(ROOT / "tests" / "_kit"))
from console_shop import shop
from error_samples import SAMPLES, simple
from inbox_samples import NOW, filled_inbox

RUNS: list[str] = []


def run_again(browser: Chrome) -> None:
    """Press the button, confirm, and wait for what comes of it."""
    wait = WebDriverWait(browser, 20)
    wait.until(lambda found: found.find_element(By.CSS_SELECTOR, ".replay button")).click()
    browser.find_element(By.CSS_SELECTOR, ".confirm button").click()
    wait.until(lambda found: "Passed" in found.find_element(By.CSS_SELECTOR, ".replay").text)


CONSOLE = CatchErrors(shop, debug=True, console=True, console_anywhere=True, path="/console-errors")


def open_console(browser: Chrome, site: str) -> None:
    """Let it fail, and open the link that is printed then."""
    with mock.patch.object(sys, "__stderr__", io.StringIO()) as terminal:
        browser.get(f"{site}/console-shop/basket")
    link = re.search(r"http\S+#\S+", terminal.getvalue())
    browser.get(link[0] if link else site)
    WebDriverWait(browser, 20).until(lambda found: "may now use" in found.find_element(By.TAG_NAME, "main").text)


def use_console(browser: Chrome) -> None:
    """Look at what is there, and try what would have helped."""
    for code, answer in (("line, prices.get(line)", "('pears', None)"), ("prices | {'pears': 2}", "'pears': 2")):
        field = WebDriverWait(browser, 20).until(
            lambda found: found.find_element(By.CSS_SELECTOR, "details.focus textarea")
        )
        field.send_keys(code, Keys.ENTER)
        WebDriverWait(browser, 20).until(
            lambda found, answer=answer: answer in found.find_element(By.CSS_SELECTOR, "details.focus .output").text
        )
    field.send_keys("prices.it")
    browser.execute_script("arguments[0].scrollIntoView({block: 'end'}); scrollBy(0, 60)", field)


PHONE = {"width": 390, "height": 844, "scale": 2}
DESK = {"width": 1280, "height": 800}


INBOX = filled_inbox()
LAST_GROUP = INBOX.groups()[0].id

PICTURES = (
    Picture("errors", "/chain", **DESK),
    Picture("errors-dark", "/simple", dark=True, **DESK),
    Picture("errors-phone", "/simple", **PHONE),
    Picture("errors-phone-dark", "/template", dark=True, **PHONE),
    Picture("errors-group", "/group", **DESK),
    Picture("errors-template", "/template", **DESK),
    Picture("errors-recursion", "/recursion", **DESK),
    Picture("errors-syntax", "/syntax", dark=True, **DESK),
    Picture("errors-without-script", "/chain", scripts=False, **DESK),
    Picture("errors-public", "/public", width=900, height=560),
    Picture("errors-public-phone", "/public", dark=True, **PHONE),
    Picture("errors-replay", "/simple?replay", act=run_again, width=1280, height=560),
    Picture("errors-console", "/console-shop/basket", prepare=open_console, act=use_console, width=1280, height=640),
    Picture("errors-inbox", "/.errors/", width=1200, height=760),
    Picture("errors-inbox-dark", "/.errors/?state=all&window=week", dark=True, width=1200, height=860),
    Picture("errors-inbox-phone", "/.errors/?state=all", **PHONE),
    Picture("errors-inbox-group", f"/.errors/{LAST_GROUP}", width=1200, height=820),
    Picture("errors-inbox-group-phone", f"/.errors/{LAST_GROUP}", dark=True, **PHONE),
)


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all of them."""
    unknown = set(names) - {picture.name for picture in PICTURES}
    if unknown:
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}")
    with pages() as site, chromium() as browser:
        for picture in PICTURES:
            if not names or picture.name in names:
                file = take(browser, site, picture)
                sys.stdout.write(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB\n")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The page of each sample at its name, the one for everybody at ``/public``, kept errors at ``/.errors``."""
    if environ["PATH_INFO"].startswith("/console-"):
        return CONSOLE(environ, start_response)
    below = environ["PATH_INFO"].removeprefix("/.errors")
    if below == "/replay":
        return replayed(environ, start_response)
    if below != environ["PATH_INFO"]:
        pages_of_inbox = InboxPages(INBOX, lambda environ: None, clock=lambda: NOW)
        return pages_of_inbox({**environ, "SCRIPT_NAME": "/.errors", "PATH_INFO": below}, start_response)
    name = environ["PATH_INFO"].strip("/")
    replay = "/.errors/replay" if environ["QUERY_STRING"] == "replay" else None
    if name == "public":
        page = plain_page(simple(), environ)
        headers = plain_headers(page)
    elif name in SAMPLES:
        nonce = new_nonce()
        links = Links(errors="/.errors", editor=editor_of("vscode"), replay=replay)
        page = debug_page(SAMPLES[name](), nonce=nonce, links=links)
        headers = page_headers(nonce)
    else:
        page, headers = "", []
    start_response("500 Internal Server Error" if page else "404 Not Found", headers)
    return [page.encode("utf-8", "replace")]


def replayed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Say that a file has changed, until the request was run again, which went well."""
    if environ["REQUEST_METHOD"] == "POST":
        RUNS.append("one")
        return answer_json(
            start_response, "200 OK", {"passed": True, "status": "200 OK", "seconds": 0.012, "cut": False}
        )
    told = {"kept": True, "method": "POST", "safe": False, "restarted": False, "stale": False, "reloads": True}
    return answer_json(start_response, "200 OK", {**told, "changed": [] if RUNS else ["shop/checkout.py"]})


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of a request."""


@contextmanager
def pages() -> Iterator[str]:
    """Serve them on a free port; yields the address."""
    with make_server("127.0.0.1", 0, app, handler_class=Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
