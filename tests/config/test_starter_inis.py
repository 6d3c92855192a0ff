"""The INI files that are shipped to start from: each is loaded, checked, and served as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer

from wheatpaste.config import ini
from wheatpaste.config.composition import Composition
from wheatpaste.scripts.main import main
from wheatpaste.testing import Client

ROOT = Path(__file__).resolve().parents[2]
STARTERS = [ROOT / "config" / f"{name}.ini" for name in ("development", "production")]
each_starter = pytest.mark.parametrize("starter", STARTERS, ids=lambda path: path.stem)


@each_starter
def test_a_starter_is_checked_without_a_word(starter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(starter)]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in out + err


@each_starter
def test_a_starter_answers_at_each_of_its_mounts(starter: Path) -> None:
    client = Client(Composition.load(f"config:{starter}").build(), lint=True)
    page = client.get("/")
    assert (page.status, "[app:site]" in page.text) == (200, True)
    assert client.get("/static/welcome.css").headers["Content-Type"].startswith("text/css")
    assert client.get("/health/livez").status == 200
    assert client.get("/nothing").status == 404


@each_starter
def test_a_starter_shows_where_the_application_goes(starter: Path) -> None:
    text = starter.read_text(encoding="utf-8")
    place = text.index("[app:site]")
    assert "YOUR APPLICATION GOES HERE" in text[:place].rsplit("\n\n", 1)[1]


@each_starter
def test_a_starter_takes_the_application_that_it_proposes(starter: Path, tmp_path: Path) -> None:
    text = starter.read_text(encoding="utf-8")
    proposed = re.findall(r"^#   (\w+ = .*)$", text, re.MULTILINE)
    assert proposed == ["use = egg:wheatpaste#wsgi", "app = mysite.wsgi:application"]
    mine = "\n".join(proposed).replace("mysite.wsgi:application", "wsgiref.simple_server:demo_app")
    (tmp_path / "static").mkdir()
    (tmp_path / "site.ini").write_text(re.sub(r"(?<=\[app:site\]\n).*\n.*", mine, text, count=1), encoding="utf-8")
    client = Client(Composition.load(f"config:{tmp_path / 'site.ini'}").build())
    assert client.get("/").text.startswith("Hello world!")


@each_starter
def test_a_starter_is_short_and_commented(starter: Path) -> None:
    lines = starter.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 110
    assert sum(line.startswith("#") for line in lines) >= 10
    assert not ini.read_path(str(starter)).problems


@each_starter
def test_a_starter_listens_on_this_machine_alone(starter: Path) -> None:
    (server,) = ini.read_path(str(starter)).find("server", "main")
    assert server.options["host"].text == "127.0.0.1"


def test_production_shows_nobody_what_a_request_holds() -> None:
    client = Client(Composition.load(f"config:{STARTERS[1]}").build())
    assert client.get("/echo").status == 404


def test_production_believes_the_proxy_on_the_same_machine_alone(tmp_path: Path) -> None:
    text = STARTERS[1].read_text(encoding="utf-8").replace("/ = site", "/ = egg:wheatpaste#echo")
    (tmp_path / "static").mkdir()
    (tmp_path / "site.ini").write_text(text, encoding="utf-8")
    app = Composition.load(f"config:{tmp_path / 'site.ini'}").build()
    told = {"X-Forwarded-Host": "www.example.com", "X-Forwarded-Proto": "https"}
    seen = {peer: Client(app, peer=peer).get("/", headers=told).environ for peer in ("127.0.0.1", "192.0.2.7")}
    assert {peer: (environ["HTTP_HOST"], environ["wsgi.url_scheme"]) for peer, environ in seen.items()} == {
        "127.0.0.1": ("www.example.com", "https"),
        "192.0.2.7": ("localhost", "http"),
    }


def beside(starter: Path) -> list[Path]:
    """What lies in the folder of the starters, code apart."""
    return sorted(path for path in starter.parent.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


@pytest.mark.slow
@each_starter
def test_a_starter_is_served_and_leaves_nothing_behind(
    starter: Path, running_server: Callable[..., RunningServer]
) -> None:
    before = beside(starter)
    server = running_server(starter)
    assert server.request("GET", "/").status == 200
    assert server.request("GET", "/health/readyz").status == 200
    assert server.stop() == 0
    assert beside(starter) == before


@each_starter
def test_a_starter_answers_what_raises(starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frail.py").write_text("def app(environ, start_response):\n    raise LookupError('no such page')\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = starter.read_text(encoding="utf-8")
    served = "[app:site]\nuse = egg:wheatpaste#static\nroot = %(here)s/static"
    mine = text.replace(served, "[app:site]\nuse = egg:wheatpaste#wsgi\napp = frail:app")
    (tmp_path / "static").mkdir()
    (tmp_path / "site.ini").write_text(mine, encoding="utf-8")
    answer = Client(Composition.load(f"config:{tmp_path / 'site.ini'}").build()).get("/")
    assert answer.status == 500
    assert answer.headers["X-Error-ID"] in answer.text
    assert ("raise LookupError('no such page')" in answer.text) == (starter.stem == "development")
