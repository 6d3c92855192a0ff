"""Real clients, of several authors, log in to a served site by the challenges that it sends."""

import hashlib
import secrets
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests
from auth_guarded_site import CHEAP
from prerequisites import lacking
from requests.auth import HTTPDigestAuth
from running_server import RunningServer

from wheatpaste.middleware.auth.passwords.hasher import Hasher

pytestmark = pytest.mark.slow

PASSWORD = "gelbe Ampel: nachts, \u043a\u043e\u0448\u043a\u0430"
PLAIN = "gelbe Ampel: nachts"
REALM = "The wiki: staff"

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = {secret}
    realm = {realm}
    methods = {methods}
    default = authenticated

    [auth:main:users]
    source = htpasswd htdigest
    htpasswd = %(here)s/.htpasswd
    htdigest = %(here)s/.htdigest

    [auth:main:password]
    argon2 = t=1,m=8,p=1

    [auth:main:digest]
    legacy_md5 = {md5}

    [server:main]
    use = egg:wheatpaste#http
"""


@pytest.fixture
def site(
    write_ini: Callable[..., Path], running_server: Callable[..., RunningServer], tmp_path: Path
) -> Callable[..., str]:
    """Serves a site with these methods; returns its URL."""

    def serve(methods: str, md5: bool = False) -> str:
        hasher = Hasher(CHEAP)
        (tmp_path / ".htpasswd").write_text(
            f"basic:{hasher.hash(PLAIN)}\nuni:{hasher.hash(PASSWORD)}\n", encoding="utf-8"
        )
        hasher.close()
        lines = [
            f"{name}:{REALM}:{algorithm(f'{name}:{REALM}:{PLAIN}'.encode()).hexdigest()}"
            for name in ("bob", "jos\u00e9")
            for algorithm in (hashlib.md5, hashlib.sha256)
        ]
        (tmp_path / ".htdigest").write_text("\n".join(lines) + "\n", encoding="utf-8")
        path = write_ini(SITE.format(secret=secrets.token_hex(32), realm=REALM, methods=methods, md5=str(md5).lower()))
        server = running_server(path)
        return f"http://127.0.0.1:{server.port}"

    return serve


def curl(url: str, *words: str) -> tuple[int, str]:
    """Status and algorithm with which curl has come through, or not."""
    if shutil.which("curl") is None:
        lacking("curl")
    done = subprocess.run(
        ["curl", "-sv", "-o", "-", "-w", "\n%{http_code}", *words, url],
        capture_output=True,
        timeout=30,
        check=False,
    )
    sent = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "> Authorization:" in line]
    return int(done.stdout.rsplit(b"\n", 1)[1]), sent[-1] if sent else ""


def test_curl_uses_the_strongest_of_several(site: Callable[..., str]) -> None:
    url = site("digest basic", md5=True)
    for how in ("--digest", "--anyauth"):
        status, sent = curl(f"{url}/a%20b?c=d&e", how, "-u", f"bob:{PLAIN}")
        assert status == 200, sent
        assert "Digest" in sent
        assert "SHA-256" in sent
    assert curl(url, "--digest", "-u", "bob:wrong")[0] == 401
    assert curl(url, "--digest", "-u", f"bob:{PLAIN}", "-X", "POST", "-d", "a=b")[0] == 200
    status, sent = curl(url, "--basic", "-u", f"basic:{PLAIN}")
    assert (status, "Basic" in sent) == (200, True)
    assert curl(url, "--basic", "-u", f"uni:{PASSWORD}")[0] == 200
    assert curl(url, "--basic", "-u", "basic:wrong")[0] == 401
    assert curl(url)[0] == 401


def test_requests_uses_the_last_digest(site: Callable[..., str]) -> None:
    url = site("digest basic", md5=True)
    with requests.Session() as session:
        session.auth = HTTPDigestAuth("bob", PLAIN)
        for number in range(5):  # the same nonce with growing counts
            answer = session.get(f"{url}/page/{number}?q={number}", timeout=20)
            assert answer.status_code == 200
            assert ('algorithm="MD5"' in answer.request.headers["Authorization"]) or (
                "algorithm=MD5" in answer.request.headers["Authorization"]
            )
        assert f"nc={5:08x}" in answer.request.headers["Authorization"]
        assert "rspauth" in answer.headers["Authentication-Info"]
        assert session.post(f"{url}/", data={"a": "b"}, timeout=20).status_code == 200
    assert requests.get(url, auth=HTTPDigestAuth("bob", "wrong"), timeout=20).status_code == 401
    assert requests.get(url, auth=("basic", PLAIN), timeout=20).status_code == 200
    assert requests.get(url, auth=("uni", PASSWORD.encode()), timeout=20).status_code == 200


def test_requests_and_httpx_know_sha_256(site: Callable[..., str]) -> None:
    url = site("digest")
    answer = requests.get(f"{url}/a?b=c", auth=HTTPDigestAuth("bob", PLAIN), timeout=20)
    assert answer.status_code == 200
    assert "SHA-256" in answer.request.headers["Authorization"]
    with httpx.Client(auth=httpx.DigestAuth("bob", PLAIN), timeout=20) as client:
        for number in range(5):
            got = client.get(f"{url}/page/{number}?q=a%20b")
            assert got.status_code == 200
            assert "SHA-256" in got.request.headers["Authorization"]
    assert httpx.get(url, auth=httpx.DigestAuth("bob", "wrong"), timeout=20).status_code == 401


def test_httpx_uses_the_first_digest(site: Callable[..., str]) -> None:
    url = site("digest basic", md5=True)
    got = httpx.get(url, auth=httpx.DigestAuth("bob", PLAIN), timeout=20)
    assert got.status_code == 200
    assert "SHA-256" in got.request.headers["Authorization"]
    assert httpx.get(url, auth=("basic", PLAIN), timeout=20).status_code == 200


def test_urllib_knows_basic(site: Callable[..., str]) -> None:
    url = site("basic")
    assert opened(url, urllib.request.HTTPBasicAuthHandler, "basic", PLAIN) == 200
    assert opened(url, urllib.request.HTTPBasicAuthHandler, "basic", "wrong") == 401


def opened(url: str, handler: type, name: str, password: str) -> int:
    known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    known.add_password(None, url, name, password)
    opener = urllib.request.build_opener(handler(known))
    try:
        with opener.open(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_client_without_credentials_gets_one_field_for_each_challenge(site: Callable[..., str]) -> None:
    url = site("digest basic", md5=True)
    got = httpx.get(url, timeout=20)
    fields = got.headers.get_list("WWW-Authenticate")
    assert got.status_code == 401
    assert [each.split()[0] for each in fields] == ["Digest", "Digest", "Basic"]
    assert "SHA-256" in fields[0]
    assert "MD5" in fields[1]
    assert got.headers["Content-Type"] == "application/problem+json"
