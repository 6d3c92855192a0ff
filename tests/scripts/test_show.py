"""What is mounted where, for people and for programs."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.scripts.main import main

WriteIni = Callable[..., Path]
Show = Callable[..., str]

SITE = """
    [DEFAULT]
    greeting = hello

    [server:main]
    use = egg:wheatpaste#main
    host = 127.0.0.1
    port = %(http_port)s

    [composite:main]
    use = egg:wheatpaste#urlmap
    filter-with = log
    / = front
    /wiki = behind
    /api/v2 = config:annex.ini#api
    domain tenant.localhost / = api
    not_found_app = api

    [filter:log]
    use = egg:wheatpaste#translogger

    [composite:front]
    use = egg:wheatpaste#cascade
    app1 = files
    app2 = api

    [app:files]
    use = egg:wheatpaste#static
    root = %(here)s

    [pipeline:behind]
    pipeline = cut log api

    [filter:cut]
    use = egg:wheatpaste#prefix
    prefix = /deep

    [app:api]
    use = call:nowhere_to_be_found:make
    password = hunter2-hunter2
    token = %(ENV_SHOW_TOKEN)s
    database = postgresql://me:opensesame-please@db/site
"""

ANNEX = """
    [app:api]
    use = call:nowhere_to_be_found:make
"""

TREE = """
    http://127.0.0.1:6543  egg:wheatpaste  site.ini:4
    log → main                 egg:wheatpaste#urlmap          site.ini:9
    ├─ /  front                egg:wheatpaste#cascade         site.ini:12 → 21
    │  ├─ app1  files          egg:wheatpaste#static          site.ini:23 → 26
    │  └─ app2  api            call:nowhere_to_be_found:make  site.ini:24 → 37
    ├─ /api/v2  api            call:nowhere_to_be_found:make  site.ini:14 → annex.ini:1
    ├─ /wiki  cut → log → api  call:nowhere_to_be_found:make  site.ini:13 → 37
    ├─ tenant.localhost  api   call:nowhere_to_be_found:make  site.ini:15 → 37
    └─ not_found_app  api      call:nowhere_to_be_found:make  site.ini:16 → 37 (if nothing fits)
"""

VERBOSE_TREE = """
    http://127.0.0.1:6543  egg:wheatpaste  site.ini:4
    main                      egg:wheatpaste#urlmap          site.ini:9
    │  through log            egg:wheatpaste#translogger     site.ini:18
    ├─ /  front               egg:wheatpaste#cascade         site.ini:12 → 21
    │  ├─ app1  files         egg:wheatpaste#static          site.ini:23 → 26
    │  └─ app2  api           call:nowhere_to_be_found:make  site.ini:24 → 37
    ├─ /api/v2  api           call:nowhere_to_be_found:make  site.ini:14 → annex.ini:1
    ├─ /wiki  api             call:nowhere_to_be_found:make  site.ini:13 → 37
    │     through cut         egg:wheatpaste#prefix          site.ini:33
    │     through log         egg:wheatpaste#translogger     site.ini:18
    ├─ tenant.localhost  api  call:nowhere_to_be_found:make  site.ini:15 → 37
    └─ not_found_app  api     call:nowhere_to_be_found:make  site.ini:16 → 37 (if nothing fits)
"""

THIRD_PARTY = """
    [composite:main]
    use = call:third_party_mapping:composite_factory
    / = versions
    /v2.1 = cors limit api
    /healthcheck: api
    title = api

    [app:versions]
    paste.app_factory = third_party_mapping:app_factory

    [app:api]
    paste.app_factory = third_party_mapping:app_factory

    [filter:cors]
    paste.filter_factory = third_party_mapping:filter_factory

    [filter:limit]
    paste.filter_factory = third_party_mapping:filter_factory
"""

THIRD_PARTY_CODE = '''
    """A composite of somebody else's, which mounts what begins with a slash and reads filters before the app."""


    def composite_factory(loader, global_conf, **local_conf):
        apps = {}
        for path, words in local_conf.items():
            if path.startswith("/"):
                *filters, app = words.split()
                made = loader.get_app(app, global_conf=global_conf)
                for name in reversed(filters):
                    made = loader.get_filter(name, global_conf=global_conf)(made)
                apps[path] = made
        return lambda environ, start_response: apps[environ["PATH_INFO"]](environ, start_response)


    def app_factory(global_conf, **local_conf):
        return lambda environ, start_response: []


    def filter_factory(global_conf, **local_conf):
        return lambda app: app


    def failing_factory(loader, global_conf, **local_conf):
        raise RuntimeError("the database is away")
'''


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, so that what is printed does not depend on where it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOW_TOKEN", "s3cr3t-value")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def site(write_ini: WriteIni) -> Path:
    write_ini(ANNEX, "annex.ini")
    return write_ini(SITE)


@pytest.fixture
def third_party(write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "third_party_mapping.py").write_text(textwrap.dedent(THIRD_PARTY_CODE).lstrip(), encoding="utf-8")
    monkeypatch.syspath_prepend(modules)
    monkeypatch.delitem(sys.modules, "third_party_mapping", raising=False)
    return write_ini(THIRD_PARTY)


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Runs ``wheatpaste show``; returns what it printed, or what it complained of."""

    def run(*words: str, code: int = 0) -> str:
        assert main(["show", *words]) == code
        printed, complaints = capsys.readouterr()
        return complaints if code == 2 else printed

    return run


def lines(text: str) -> list[str]:
    """The lines of a text that is indented as the code around it."""
    return textwrap.dedent(text).strip().splitlines()


class TestTree:
    def test_it_shows_the_site(self, site: Path, show: Show) -> None:
        assert show("site.ini", "http_port=6543").splitlines() == lines(TREE)

    def test_verbose_gives_each_filter_a_line(self, site: Path, show: Show) -> None:
        assert show("site.ini", "-v", "http_port=6543").splitlines() == lines(VERBOSE_TREE)

    @pytest.mark.parametrize("words", [("site.ini#behind",), ("site.ini", "-n", "behind")], ids=["fragment", "option"])
    def test_it_starts_from_another_app(self, site: Path, show: Show, words: tuple[str, ...]) -> None:
        assert "cut → log → api  call:nowhere_to_be_found:make  site.ini:37" in show(*words, "http_port=1")

    def test_a_long_chain_of_filters_is_counted(self, write_ini: WriteIni, show: Show) -> None:
        names = [f"a_filter_{number}" for number in range(9)]
        filters = "\n".join(f"[filter:{name}]\nuse = egg:wheatpaste#prefix\n" for name in names)
        write_ini(f"[pipeline:main]\npipeline = {' '.join(names)} end\n[app:end]\nuse = egg:wheatpaste#echo\n{filters}")
        assert "a_filter_0 → a_filter_1 → a_filter_2 → 6 more → end  egg:" in show("site.ini")
        assert all(f"through {name}  egg:" in show("site.ini", "-v") for name in names)

    def test_a_long_path_does_not_push_the_columns_away(self, write_ini: WriteIni, show: Show) -> None:
        path = "/very" * 30
        write_ini(f"[composite:main]\nuse = egg:wheatpaste#urlmap\n{path} = egg:wheatpaste#echo")
        printed = show("site.ini")
        assert path not in printed
        assert "/very/very/very/very/very/ve…" in printed
        assert max(map(len, printed.splitlines())) < 110

    def test_columns_stand_below_each_other_whatever_the_letters(self, write_ini: WriteIni, show: Show) -> None:
        write_ini(
            "[composite:main]\nuse = egg:wheatpaste#urlmap\n/日本 = egg:wheatpaste#echo\n/abcd = egg:wheatpaste#echo"
        )
        wide, narrow = sorted(show("site.ini").splitlines()[2:], key=lambda line: "日" not in line)
        assert wide.index("egg:") + 2 == narrow.index("egg:")  # two letters of two columns each

    def test_a_terminal_is_sent_no_control_characters(self, write_ini: WriteIni, show: Show) -> None:
        write_ini(
            "[composite:main]\nuse = egg:wheatpaste#urlmap\n/ = a\x1b[2J\u202eb\n[app:a\x1b[2J\u202eb]\nuse = call:x:y"
        )
        printed = show("site.ini")
        assert r"a\x1b[2J\u202eb" in printed
        assert not {"\x1b", "\u202e"} & set(printed)

    def test_without_a_server_it_names_the_default(self, write_ini: WriteIni, show: Show) -> None:
        write_ini("[app:main]\nuse = egg:wheatpaste#echo")
        assert show("site.ini").splitlines() == [
            "http://127.0.0.1:8080  no [server:…]: the default",
            "main  egg:wheatpaste#echo  site.ini:1",
        ]

    def test_a_pipe_gets_no_colour(self, site: Path, show: Show) -> None:
        assert "\x1b" not in show("site.ini", "http_port=1")

    def test_colour_can_be_insisted_on(self, site: Path, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[36;1m/wiki\x1b[0m" in show("site.ini", "http_port=1")


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ("", "http://127.0.0.1:8080"),
        ("host = 0.0.0.0\nport = 80", "http://0.0.0.0:80"),
        ("host = ::1", "http://[::1]:8080"),
        ("host = [::1]\nport = 81", "http://[::1]:81"),
        ("host = localhost:82", "http://localhost:82"),
        ("listen = 127.0.0.1:1 [::1]:2", "http://127.0.0.1:1 http://[::1]:2"),
        ("unix_socket = /run/site.sock", "unix:/run/site.sock"),
    ],
)
def test_it_says_where_the_site_listens(write_ini: WriteIni, show: Show, options: str, address: str) -> None:
    write_ini(f"[server:main]\nuse = egg:wheatpaste#main\n{options}\n[app:main]\nuse = egg:wheatpaste#echo")
    assert show("site.ini").splitlines()[0] == f"{address}  egg:wheatpaste  site.ini:1"


class TestJson:
    @pytest.fixture
    def data(self, site: Path, show: Show) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(show("site.ini", "--json", "http_port=6543"))
        return data

    def test_it_names_the_files_and_the_address(self, data: dict[str, Any], folder: Path) -> None:
        assert set(data) == {"version", "files", "address", "server", "app", "problems"}
        assert data["version"] == 1
        assert data["address"] == "http://127.0.0.1:6543"
        assert data["files"] == [str(folder / "site.ini"), str(folder / "annex.ini")]
        assert data["problems"] == []

    def test_an_app_has_its_filters_and_mounts(self, data: dict[str, Any], folder: Path) -> None:
        app = data["app"]
        assert set(app) == {"name", "filters", "app", "mounts"}
        assert [each["name"] for each in app["filters"]] == ["log"]
        wiki = next(each for each in app["mounts"] if each["key"] == "/wiki")
        assert {key: value for key, value in wiki.items() if key != "stack"} == {
            "place": "/wiki",
            "key": "/wiki",
            "host": "",
            "path": "/wiki",
            "reference": "behind",
            "guess": False,
            "fallback": False,
            "file": str(folder / "site.ini"),
            "line": 13,
        }
        assert [each["name"] for each in wiki["stack"]["filters"]] == ["cut", "log"]
        cut = wiki["stack"]["filters"][0]
        assert cut == {
            "name": "cut",
            "section": "filter:cut",
            "maker": "egg:wheatpaste#prefix",
            "missing": False,
            "options": {"prefix": "/deep"},
            "parts": [],
            "file": str(folder / "site.ini"),
            "line": 33,
        }

    def test_a_host_stands_by_itself(self, data: dict[str, Any]) -> None:
        tenant = next(each for each in data["app"]["mounts"] if each["host"])
        assert (tenant["host"], tenant["path"], tenant["place"]) == ("tenant.localhost", "", "tenant.localhost")


@pytest.mark.parametrize("form", [(), ("-v",), ("--json",), ("--html", "-"), ("--svg", "-")], ids=" ".join)
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("hunter2", id="by its name"),
        pytest.param("s3cr3t-value", id="from the environment"),
        pytest.param("opensesame", id="in a URL"),
    ],
)
def test_no_secret_is_shown(site: Path, show: Show, form: tuple[str, ...], secret: str) -> None:
    printed = show("site.ini", *form, "http_port=1")
    assert "nowhere_to_be_found" in printed
    assert secret not in printed


class TestBuild:
    def test_it_guesses_before(self, third_party: Path, show: Show) -> None:
        assert show("site.ini").splitlines()[2:] == [
            "├─ /  versions                third_party_mapping:app_factory             site.ini:3 → 8 (guessed)",
            "├─ /v2.1  cors → limit → api  third_party_mapping:app_factory             site.ini:4 → 11 (guessed)",
            "├─ /healthcheck  api          third_party_mapping:app_factory             site.ini:5 → 11 (guessed)",
            "└─ title  api                 third_party_mapping:app_factory             site.ini:6 → 11 (guessed)",
        ]
        assert "third_party_mapping" not in sys.modules

    def test_it_knows_after(self, third_party: Path, show: Show) -> None:
        printed = show("site.ini", "--build")
        assert "guessed" not in printed
        assert "title" not in printed
        assert "/v2.1  cors → limit → api" in printed

    def test_a_factory_that_raises_is_told(self, third_party: Path, capsys: pytest.CaptureFixture[str]) -> None:
        third_party.write_text(third_party.read_text().replace(":composite_factory", ":failing_factory"))
        assert main(["show", "site.ini", "--build"]) != 0
        told = capsys.readouterr().err
        assert "the database is away" in told
        assert "third_party_mapping.py" in told
        assert "wheatpaste/scripts" not in told


class TestMissing:
    @pytest.fixture(autouse=True)
    def broken(self, write_ini: WriteIni) -> None:
        write_ini("[composite:main]\nuse = egg:wheatpaste#urlmap\n/ = frnt\n[app:front]\nuse = egg:wheatpaste#echo")

    def test_it_shows_the_rest_and_exits_with_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["show", "site.ini"]) == 1
        printed, complaints = capsys.readouterr()
        assert "└─ /  frnt ?" in printed
        assert "site.ini:3: [composite:main] /: there is no app named 'frnt'; did you mean 'front'?" in complaints

    def test_json_says_it_too(self, show: Show) -> None:
        data = json.loads(show("site.ini", "--json", code=1))
        assert data["app"]["mounts"][0]["stack"]["app"]["missing"] is True
        assert "did you mean 'front'?" in data["problems"][0]


class TestFiles:
    @pytest.mark.parametrize(("option", "begin"), [("--svg", "<?xml "), ("--html", "<!DOCTYPE html>")])
    def test_it_writes_a_picture(self, site: Path, show: Show, option: str, begin: str) -> None:
        assert show("site.ini", option, "out", "http_port=1") == ""
        written = Path("out").read_text(encoding="utf-8")
        assert written.startswith(begin)
        assert "→ annex.ini:1" in written

    @pytest.mark.parametrize("option", ["--svg", "--html"])
    def test_standard_output_gets_the_same(self, site: Path, show: Show, option: str) -> None:
        show("site.ini", option, "out", "http_port=1")
        assert show("site.ini", option, "-", "http_port=1") == Path("out").read_text(encoding="utf-8")

    def test_what_cannot_be_written_is_said(self, site: Path, show: Show) -> None:
        assert show("site.ini", "--svg", "no/such/out", "http_port=1", code=2) == (
            "error: no/such/out cannot be written (No such file or directory)\n"
        )


BAD = {
    "missing file": (["nope.ini"], "the file nope.ini does not exist"),
    "directory": (["."], ". is a directory"),
    "binary garbage": (["garbage.ini"], "garbage.ini: this is not a text file"),
    "python": (["json:loads"], "json:loads is no INI file; name one"),
    "script": (["app.py"], "app.py is no INI file; name one"),
    "no variable": (["good.ini", "port"], "'port' is no variable; write key=value"),
    "no such app": (["good.ini", "-n", "mian"], "there is no app named 'mian'"),
    "no such server": (["good.ini", "--server-name", "other"], "there is no server named 'other'"),
    "no app": (["empty.ini"], "empty.ini"),
    "syntax": (["broken.ini"], "broken.ini:1:"),
}


@pytest.mark.parametrize(("words", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_is_answered_with_a_sentence(show: Show, folder: Path, words: list[str], sentence: str) -> None:
    (folder / "garbage.ini").write_bytes(bytes(range(256)) * 20)
    (folder / "good.ini").write_text("[app:main]\nuse = egg:wheatpaste#echo\n")
    (folder / "empty.ini").write_text("")
    (folder / "broken.ini").write_text("what is this\n")
    (folder / "app.py").write_text("")
    complaint = show(*words, code=2)
    assert sentence in complaint
    assert "Traceback" not in complaint


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--json",), ("--svg", "-"), ("--html", "-")], ids=" ".join)
def test_it_works_where_the_terminal_knows_only_ascii(write_ini: WriteIni, folder: Path, form: tuple[str, ...]) -> None:
    write_ini("[composite:main]\nuse = egg:wheatpaste#urlmap\n/日本 = egg:wheatpaste#echo")
    command = [sys.executable, "-m", "wheatpaste", "show", "site.ini", *form]
    done = subprocess.run(command, capture_output=True, timeout=60, env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert (done.returncode, done.stderr) == (0, b"")
