"""What can be seen from outside of a served site's passwords: ASVS 5.0, 6.2 and 6.3."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from auth_command import auth
from running_server import RunningServer

pytestmark = pytest.mark.slow

RIGHT = "gelbe Ampel nachts"

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = %(here)s/auth.key
    methods = session basic digest
    default = authenticated
    audit = json:%(here)s/audit.log

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:password]
    argon2 = t=1,m=8,p=1

    [server:main]
    use = egg:wheatpaste#http
"""


class Served:
    """A site with users, made by the command line, and served."""

    def __init__(self, ini: Path, start: Callable[..., RunningServer]) -> None:
        self.ini = ini
        self.run("init", "--no-admin")
        for name in ("bob", "dan", "ann"):
            self.run("user", "add", name, given=RIGHT)
        self.run("user", "disable", "dan")
        self.url = f"http://127.0.0.1:{start(ini).port}"

    def run(self, *words: str, given: str = "") -> str:
        return auth(self.ini, *words, given=given)

    def browser(self) -> httpx.Client:
        """A browser, as far as headers tell."""
        return httpx.Client(
            base_url=self.url, headers={"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}, timeout=30
        )

    def login(self, client: httpx.Client, name: str = "bob", password: str = RIGHT) -> httpx.Response:
        return sent(client, "/-/auth/login", username=name, password=password)


@pytest.fixture
def site(write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]) -> Served:
    return Served(write_ini(SITE), running_server)


def sent(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """The form at this path, filled in."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', client.get(path).text))
    return client.post(path, data={**hidden, **fields})


def change(client: httpx.Client, current: str, new: str) -> httpx.Response:
    return sent(client, "/-/auth/account/password", current=current, new=new, again=new)


def told(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """All that an answer tells, but for the form's own token and the name that was typed."""
    body = re.sub(r'(<input type="hidden" name="[^"]+" value=")[^"]*', r"\1", answer.text)
    body = re.sub(r'value="(?:nobody|bob|dan)"', 'value=""', body)
    kept = {key: value for key, value in answer.headers.items() if key not in ("date", "set-cookie", "content-length")}
    return answer.status_code, body, kept


def test_every_failure_of_a_login_is_the_same_answer(site: Served) -> None:
    """ASVS 6.3.8."""
    answers = {}
    for case, (name, password) in {
        "wrong password": ("bob", "falsch"),
        "nobody": ("nobody", RIGHT),
        "disabled": ("dan", RIGHT),
        "disabled and wrong": ("dan", "falsch"),
    }.items():
        with site.browser() as client:
            answers[case] = told(site.login(client, name, password))
    assert len({str(each) for each in answers.values()}) == 1, answers
    assert "do not belong together" in answers["nobody"][1]
    # One that comes too early is not looked at, and its answer is that of all others.
    for _ in range(15):
        with site.browser() as client:
            assert told(site.login(client, "bob", "falsch")) == answers["wrong password"]
    assert '"reason":"account"' in (site.ini.parent / "audit.log").read_text(encoding="utf-8")


def test_passwords_are_changed_by_who_knows_them_and_taken_as_they_are(site: Served) -> None:
    """ASVS 6.2.1 to 6.2.5, 6.2.8, 6.2.9."""
    with site.browser() as client:
        assert site.login(client).status_code == 303
        for refused in ("short", "1234567890", "password2024", "bob bob bob", "qwertyuiop"):
            assert change(client, RIGHT, refused).status_code == 422, refused
        assert change(client, "falsch", "ein ganz anderes").status_code == 422
        new = "  \u043a\u043e\u0448\u043a\u0430 \U0001f40c " + "x" * 72 + "y "
        assert change(client, RIGHT, new).status_code == 303
    for name, password, status in (
        ("bob", RIGHT, 403),
        ("bob", new.strip(), 403),
        ("bob", new[:-2] + "z ", 403),
        ("bob", new.upper(), 403),
        ("bob", new, 303),
    ):
        with site.browser() as client:
            assert site.login(client, name, password).status_code == status


def test_guessing_becomes_slow_for_one_address_and_for_one_account(site: Served) -> None:
    """ASVS 6.3.1."""
    with site.browser() as known:
        assert site.login(known).status_code == 303
        for _ in range(40):
            with site.browser() as stranger:
                site.login(stranger, "ann", "falsch")
        # Thirty wrong ones came from this address; now not even a right one is looked at.
        with site.browser() as stranger:
            assert site.login(stranger, "bob", RIGHT).status_code == 403
        assert known.get("/").status_code == 200
    log = (site.ini.parent / "audit.log").read_text(encoding="utf-8")
    # A few more than five, where the machine is slow and waits are over.
    assert 5 <= log.count('"event":"login.fail"') <= 12
    assert '"reason":"address"' in log
    assert '"reason":"account"' in log
    assert "falsch" not in log


def test_all_ways_in_have_the_same_rules(site: Served) -> None:
    """ASVS 6.3.4."""

    def statuses(name: str) -> tuple[int, int, int]:
        with site.browser() as client:
            form = site.login(client, name).status_code
        basic = httpx.get(site.url, auth=(name, RIGHT), timeout=20).status_code
        digest = httpx.get(site.url, auth=httpx.DigestAuth(name, RIGHT), timeout=20).status_code
        return form, basic, digest

    assert statuses("bob") == (303, 200, 200)
    assert statuses("dan") == (403, 401, 401)
    site.run("user", "disable", "bob")
    assert statuses("bob") == (403, 401, 401)
    assert statuses("ann") == (303, 200, 200)
    site.run("user", "passwd", "ann", given="ein ganz anderes")
    assert statuses("ann") == (403, 401, 401)


def test_a_megabyte_of_password_is_an_answer(site: Served) -> None:
    with site.browser() as client:
        assert site.login(client, "bob", "x" * (1 << 20)).status_code in (400, 403, 413)
        assert site.login(client, "b" * (1 << 16), RIGHT).status_code in (400, 403, 413)
        assert site.login(client, "bob\0", "\0").status_code in (400, 403)
        assert site.login(client).status_code == 303
