"""Takes the pictures in docs/images: serves the demo on a free port and photographs it in Chromium.

    python docs/screenshots.py            all of them
    python docs/screenshots.py demo-dark  those named

Needs Chromium with its driver, and the ``test`` extra.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
QUALITY = 82

BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


@dataclass(frozen=True)
class Picture:
    """``address`` is joined to the demo's own; ``scale`` is of device pixels; ``prepare`` acts on the site first,
    ``act`` on the page before the picture is taken.

    ``shown`` is a file whose page of ``wheatpaste show`` is taken instead of an address. Without ``scripts`` the
    browser runs none.
    """

    name: str
    address: str = "/"
    width: int = 1200
    height: int = 800
    scale: int = 1
    dark: bool = False
    scripts: bool = True
    prepare: Callable[[Chrome, str], None] | None = None
    act: Callable[[Chrome], None] | None = None
    shown: Path | None = None


def log_in(browser: Chrome, site: str) -> None:
    """As the librarian, whose password the start page tells."""
    browser.get(urljoin(site, "/library/admin/"))
    browser.find_element(By.NAME, "username").send_keys("librarian")
    browser.find_element(By.NAME, "password").send_keys("demo")
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()


def vote(browser: Chrome, site: str) -> None:
    """Five times, as five visitors."""
    for answer in ("One INI file", "Flour and water", "One INI file", "Good neighbours", "One INI file"):
        browser.get(urljoin(site, "/poll/"))
        browser.delete_all_cookies()  # those that this page sees
        browser.get(urljoin(site, "/poll/"))
        browser.find_element(By.CSS_SELECTOR, f"[value='{answer}']").click()


DEMO = ROOT / "config" / "demo.ini"

PICTURES = (
    Picture("demo", "/", height=860),
    Picture("demo-dark", "/", height=860, dark=True),
    Picture("demo-phone", "/", width=390, height=844, scale=2),
    Picture("demo-guestbook", "/guestbook/", width=900, height=640),
    Picture("demo-library", "/library/", width=900, height=640),
    Picture("demo-library-desk", "/library/admin/catalogue/book/", height=700, prepare=log_in),
    Picture("demo-wiki", "/wiki/pages/paste/recipe", width=900, height=640),
    Picture("demo-wiki-phone", "/wiki/pages/paste/recipe", width=390, height=844, scale=2, dark=True),
    Picture("demo-poll", "/poll/result", width=900, height=640, prepare=vote),
    Picture("demo-clock", "/clock/", width=900, height=560, dark=True),
    Picture("demo-error", "/library/oldest/", width=1280, height=760),
    Picture("show", width=1200, height=860, shown=DEMO),
    Picture("show-dark", width=1200, height=860, dark=True, shown=DEMO),
    Picture("show-phone", width=390, height=844, scale=2, shown=DEMO),
)


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all of them."""
    IMAGES.mkdir(exist_ok=True)
    unknown = set(names) - {picture.name for picture in PICTURES}
    if unknown:
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}")
    with demo() as site, chromium() as browser:
        for picture in PICTURES:
            if not names or picture.name in names:
                file = take(browser, site, picture)
                sys.stdout.write(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB\n")


def take(browser: Chrome, site: str, picture: Picture) -> Path:
    """Photograph one page; returns the file."""
    if picture.prepare:
        picture.prepare(browser, site)
    screen = {"width": picture.width, "height": picture.height, "deviceScaleFactor": picture.scale}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**screen, "mobile": picture.width < 600})
    scheme = {"name": "prefers-color-scheme", "value": "dark" if picture.dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not picture.scripts})
    if picture.shown:
        open_shown(browser, picture.shown)
    else:
        browser.get(urljoin(site, picture.address))
    if picture.act:
        picture.act(browser)
    # WebP: the paper of the start page takes three to five times as much as PNG.
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file = IMAGES / f"{picture.name}.webp"
    file.write_bytes(base64.b64decode(shot["data"]))
    return file


def open_shown(browser: Chrome, ini: Path) -> None:
    """Open the page that ``wheatpaste show`` writes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "show.html"
        subprocess.run(
            [sys.executable, "-m", "wheatpaste", "show", str(ini), "--html", str(page)], check=True, capture_output=True
        )
        browser.get(page.as_uri())


@contextmanager
def demo() -> Iterator[str]:
    """The demo on a free port, with nothing in its guestbook yet; yields its address."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-u", "-m", "wheatpaste", "serve", str(DEMO)]
        command += ["--listen", "127.0.0.1:0", f"state={state}"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield address_of(server)
        finally:
            server.terminate()
            server.wait(timeout=20)


def address_of(server: subprocess.Popen[str]) -> str:
    """Wait for the line that names it. Exits with what was printed when there is none."""
    output = server.stdout
    lines = []
    for line in output or ():
        lines.append(line)
        if found := re.search(r"http://[\w.]+:\d+", line):
            # Somebody has to read on, or the server stops when the pipe is full.
            threading.Thread(target=output.read, daemon=True).start()
            return found[0]
    sys.exit("the demo did not start:\n" + "".join(lines))


@contextmanager
def chromium() -> Iterator[Chrome]:
    """A browser with a new, empty profile."""
    driver = shutil.which("chromedriver")
    if driver is None:
        sys.exit("chromedriver is not on the path; on Debian: apt install chromium chromium-driver")
    options = ChromeOptions()
    for flag in BROWSER_FLAGS:
        options.add_argument(flag)
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = Chrome(options=options, service=ChromeService(driver))
        try:
            yield browser
        finally:
            browser.quit()


if __name__ == "__main__":
    main(sys.argv[1:])
