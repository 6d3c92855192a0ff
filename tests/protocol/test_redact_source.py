"""Source: its secrets are hidden, its code stays readable, and no line is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.redact_source import redact_source

HIDDEN = "hunter2x"

SECRETS = {
    "an assignment": f'password = "{HIDDEN}"',
    "an annotated one": f"password: str = '{HIDDEN}'",
    "an argument": f'connect(password="{HIDDEN}", user="ann")',
    "a dict": f'd = {{"password": "{HIDDEN}", "user": "ann"}}',
    "an item": f'app.config["SECRET_KEY"] = b"{HIDDEN}"',
    "a default": f'os.environ.get("DB_PASSWORD", "{HIDDEN}")',
    "a keyword default": f'get("DB_PASSWORD", default="{HIDDEN}")',
    "a setattr": f'setattr(site, "api_token", "{HIDDEN}")',
    "a pair": f'x = ("password", "{HIDDEN}")',
    "a comparison": f'if password == "{HIDDEN}":',
    "a comparison that fails": f'assert secret != "{HIDDEN}"',
    "a list": f'passwords = ["abcdef", "{HIDDEN}"]',
    "two literals": f'password = ("abc"\n   "{HIDDEN}")',
    "two literals on lines of their own": f"def f(a):\n    password = (\n        'abc'\n        '{HIDDEN}'\n    )",
    "a sum": f'password = "abc" + "{HIDDEN}"',
    "a line that goes on": f'login(secret= \\\n  "{HIDDEN}")',
    "one line with a condition": f"if x: password = '{HIDDEN}'",
    "a URL": f'url = "postgres://u:{HIDDEN}@h/db"',
    "an f-string": f'url = f"postgres://u:{HIDDEN}@{{host}}/db"',
    "JSON in an f-string": f'f\'{{{{"password": "{HIDDEN}"}}}}\'',
    "a comment": f"x = 1  # password: {HIDDEN}",
    "a command": f'run("mysql --password {HIDDEN}")',
    "JSON": f'x = \'{{"password": "{HIDDEN}"}}\'',
    "a long text": f'token = r"""\n{HIDDEN}\n"""',
    "a long text that is cut off": f"SECRET_KEY = '''{HIDDEN}",
    "a docstring": f'"""Log in with password={HIDDEN}."""',
    "a header": f'"Authorization: Bearer {HIDDEN}.abc"',
    "a number": "pin = 82641937",
}

READABLE = [
    'password = form["password"]',
    'token = request.headers.get("X-Token")',
    "if not check_password(password):",
    'fields = ("username", "password", "email")',
    'url = f"postgres://{user}:{password}@{host}/db"',
    'log("token=%s" % token)',
    'f"token={token}"',
    'key = "name"',
    "self.session = Session()",
    'password = getpass("Password: ")',
    "raise KeyError(key)",
    'def login(user, password=None, token=""):',
    "tokens = tokenize(text)",
    'return jwt.decode(token, key, algorithms=["HS256"])',
    'cookie["path"] = "/"',
    "for key, value in items.items():",
    '"""Return the token of a user: a str."""',
    "# the password is checked by the backend",
    'label = "Enter your password"',
    'render("login.html", token=token)',
    'assert isinstance(secret, str), "secret must be text"',
    "pin = 1234",
    "password = os.environ['DB_PASSWORD']",
    "session.timeout = 86400",
    "",
]


@pytest.mark.parametrize("source", SECRETS.values(), ids=SECRETS)
def test_it_hides_a_secret_in(source: str) -> None:
    found: list[str] = []
    shown = redact_source(source, found)
    assert HIDDEN not in shown
    assert "82641937" not in shown
    assert "[redacted" in shown
    assert found
    assert shown.count("\n") == source.count("\n")


@pytest.mark.parametrize("source", READABLE)
def test_it_leaves_readable(source: str) -> None:
    assert redact_source(source) == source


@pytest.mark.parametrize("source", SECRETS.values(), ids=SECRETS)
def test_it_leaves_the_code_around_as_it_is(source: str) -> None:
    around = f"import os\n\n\ndef before(a):\n    return a + 1\n\n\n{source}"
    assert redact_source(around).startswith("import os\n\n\ndef before(a):\n    return a + 1\n\n\n")


def test_it_hides_the_lines_of_a_key_whose_beginning_is_elsewhere() -> None:
    line = "MIIEowIBAAKCAQEA9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
    source = f'{line}\n{line}\n-----END RSA PRIVATE KEY-----"""\nx = 1'
    shown = redact_source(source)
    assert line not in shown
    assert shown.endswith("x = 1")
    assert shown.count("\n") == 3


def test_the_source_of_this_package_stays_readable() -> None:
    """Of thousands of lines about cookies, keys and passwords hardly any holds a secret."""
    root = Path(__file__).resolve().parents[2]
    changed = 0
    for path in sorted((root / "protocol").glob("*.py")) + sorted((root / "config").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        shown = redact_source(source)
        assert shown.count("\n") == source.count("\n")
        changed += sum(a != b for a, b in zip(source.split("\n"), shown.split("\n"), strict=True))
    assert changed <= 12


@settings(deadline=None)
@given(st.text(alphabet="ab'\"#\n\\ =:([{}])fr,password", max_size=200))
def test_no_line_is_lost_whatever_the_text(text: str) -> None:
    shown = redact_source(text)
    assert shown.count("\n") == text.count("\n")


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=5, max_size=40))
def test_no_password_survives_an_assignment(password: str) -> None:
    password = "Z9" + password
    assert repr(password)[1:-1] not in redact_source(f"password = {password!r}\nreturn 1")


@pytest.mark.parametrize(
    "text",
    ["password = " * 10_000, "'" * 50_000, '"""' * 20_000, "f'{" * 20_000, '("password",' * 10_000, "=" * 90_000],
)
@pytest.mark.timeout(30)
def test_long_source_takes_no_long_time(text: str) -> None:
    began = time.process_time()
    redact_source(text)
    assert time.process_time() - began < 10
