"""The documentation: its samples load, its Python runs, its links lead somewhere, its generated pages are fresh."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.outline import outline
from wheatpaste.scripts.main import main
from wheatpaste.testing import Client

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, *, whole: bool = False) -> list[Any]:
    """The code blocks of a language. ``whole``: programs only, not the single lines of the reference or bare shapes."""
    found = []
    for page in PAGES:
        if whole and page.parent.name == "reference":
            continue
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match[1] == language and not (whole and "@component" in match[2]):
                line = text.count("\n", 0, match.start()) + 2
                found.append(pytest.param(match[2], id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the samples speak of: a Flask-like shop and a folder of files."""
    (tmp_path / "shop.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'shop']\n"
        "def create_app():\n"
        "    return app\n"
    )
    (tmp_path / "site.ini").write_text("[app:main]\nuse = egg:wheatpaste#wsgi\napp = shop:app\n")
    for name in ("public", "uploads"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text("<p>front</p>")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def _root(sample: str) -> tuple[Any, str]:
    """What to load of a sample: its main app, otherwise its first section."""
    headers = re.findall(r"^\[(app|composite|pipeline|filter|server)(?::(\w+))?\]", sample, re.MULTILINE)
    apps = [name for prefix, name in headers if prefix not in ("filter", "server")]
    if "main" in apps or "extends" in sample:
        return "app", "main"
    prefix, name = headers[0]
    return (prefix if prefix in ("filter", "server") else "app"), name


@pytest.mark.parametrize("sample", blocks("ini"))
def test_an_ini_sample_loads(sample: str, shop: Path) -> None:
    if "[Service]" in sample:
        return  # a unit of systemd
    # Samples show what they are about: the apps that they only name are put beside them.
    defined = set(re.findall(r"^\[(?:app|composite|pipeline|filter):(\w+)\]", sample, re.MULTILINE))
    named = set(re.findall(r"^(?:/\S*|https?://\S+|domain .+?|app\d+) = (\w+)$", sample, re.MULTILINE))
    named |= set(re.findall(r"^next = (\w+)$", sample, re.MULTILINE))
    stubs = "".join(f"\n[app:{name}]\nuse = egg:wheatpaste#echo\n" for name in sorted(named - defined))
    (shop / "base.ini").write_text("[app:main]\nuse = egg:wheatpaste#echo\n")
    path = shop / "sample.ini"
    if re.match(r"\[auth:", sample):
        stubs = "\n[app:main]\nuse = egg:wheatpaste#echo\n"  # it belongs to a filter that is shown elsewhere
    path.write_text(sample + stubs)
    kind, name = _root(sample + stubs)
    composition = Composition.load(f"config:{path}", kind=kind, name=name, collect=True)
    if kind == "app":
        for _ in outline(composition).walk():
            pass
    assert [str(each) for each in composition.problems if each.severity == "error"] == []


@pytest.mark.parametrize("sample", blocks("python"))
def test_what_a_python_sample_imports_of_ours_exists(sample: str) -> None:
    for node in ast.walk(ast.parse(sample)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wheatpaste"):
            for alias in node.names:
                assert hasattr(importlib.import_module(node.module or ""), alias.name)


@pytest.mark.parametrize("sample", blocks("python", whole=True))
def test_a_python_sample_runs(sample: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wheatpaste
    from wheatpaste.apps.echo import Echo

    served: list[Any] = []
    monkeypatch.setattr(wheatpaste, "serve", lambda app, **options: served.append(app), raising=False)
    names: dict[str, Any] = dict.fromkeys(("app", "shop", "admin", "archive", "pages", "api", "wiki"), Echo())
    exec(compile(sample, "sample", "exec"), names)
    for site in (*served, *(names[name] for name in ("site",) if name in names)):
        assert Client(site).get("/").status == 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_the_reference_pages_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["describe", "--markdown", "--into", str(ROOT / "docs/reference"), "--check"])
    assert code == 0, capsys.readouterr().out
