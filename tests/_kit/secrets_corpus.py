"""Secrets in nasty places: what an app, a client or a deployer may do with one before something fails.

Each :class:`Planted` is the body of a WSGI app that fails, what the request and the configuration hold besides, and the
secret, which nobody may be shown afterwards. In a body ``plant()`` returns the secret, so that it is no literal there;
``$SECRET`` in a body is the literal. ``INNOCENT`` holds what must stay readable, with the text that has to be found.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

KEY = "mZ4k9XqP2vT7wR1c"  # looks like a key
PASSWORD = "swordfish-77"  # looks like what people choose
WORD = "rumpelstilzchen"  # is a word


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One secret, and where it stands. ``shows`` is what must be readable besides."""

    name: str
    body: str
    secret: str = KEY
    environ: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    form: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    shows: str = ""


FAILS = "raise ValueError('it does not work')"

# --- by name: variables, keys, attributes, parameters ----------------------------------------------------------------

NAMES = """password passwd pwd pw db_password dbpass userPassword PASSWORD passphrase secret SECRET_KEY client_secret
clientSecret token access_token refreshToken id_token csrf_token xsrfToken api_key apiKey APIKEY x_api_key authorization
auth_token bearer credential credentials private_key signing_key encryption_key session_id sessionid sid cookie cookies
jwt otp pin_code salt signature access_key aws_secret_access_key smtp_password redis_password sso_token saml_response
auth key _password __secret""".split()  # noqa: SIM905


def _by_name() -> Iterator[Planted]:
    for name in NAMES:
        yield Planted(name=f"a variable called {name}", body=f"{name} = plant()\n{FAILS}")
    for name in ("password", "apiKey", "X-Auth-Token", "db.password", "user[password]", "SECRET_KEY", "sid"):
        yield Planted(name=f"a dict's key {name}", body=f"settings = {{'user': 'ann', {name!r}: plant()}}\n{FAILS}")
        yield Planted(
            name=f"a query parameter {name}",
            body=FAILS,
            environ={"QUERY_STRING": f"a=1&{quote(name)}={KEY}&b=2"},
            shows="a=1",
        )
        yield Planted(
            name=f"a field {name} of a form", body=f"read_form(environ)\n{FAILS}", form=f"{quote(name)}={KEY}"
        )
    for name in (
        "session.secret",
        "beaker.session.validate_key",
        "smtp_password",
        "authkit.cookie.secret",
        "api.token",
    ):
        yield Planted(name=f"an option {name} of the configuration", body=FAILS, config={name: KEY, "debug": "true"})
    for name in ("DB_PASSWORD", "SECRET_KEY", "SSL_SESSION_ID", "shop.token", "myapp.session"):
        yield Planted(name=f"an environ key {name}", body=FAILS, environ={name: KEY})
    for name in ("Cookie", "Authorization", "Proxy-Authorization", "X-Api-Key", "X-Auth-Token", "X-CSRF-Token"):
        key = "HTTP_" + name.upper().replace("-", "_")
        yield Planted(name=f"a header {name}", body=FAILS, environ={key: f"x={KEY}" if name == "Cookie" else KEY})
    for name in ("X-Amz-Security-Token", "Php-Auth-Pw", "X-Hub-Signature-256", "Api-Key", "X-Session-Id", "X-Secret"):
        yield Planted(name=f"a header {name}", body=FAILS, environ={"HTTP_" + name.upper().replace("-", "_"): KEY})
    for name in ("session", "sessionid", "PHPSESSID", "connect.sid", "remember_token", "auth_tkt", "_shop_session"):
        yield Planted(
            name=f"a cookie {name}", body=FAILS, environ={"HTTP_COOKIE": f"theme=dark; {name}={KEY}"}, shows="dark"
        )
    yield Planted(name="a cookie with any name", body=FAILS, environ={"HTTP_COOKIE": f"u={KEY}; lang=de"})
    yield Planted(name="a cookie in quotes", body=FAILS, environ={"HTTP_COOKIE": f'prefs="{KEY}"'})
    yield Planted(
        name="a header as bytes that are no UTF-8", body=FAILS, environ={"HTTP_X_TOKEN": f"\xff\xfe{KEY}"}, secret=KEY
    )


# --- by shape: under names that say nothing --------------------------------------------------------------------------

_DIGITS = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
SHAPES = {
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "an AWS key id": "AKIAIOSFODNN7EXAMPLE",
    "a GitHub token": "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "a GitLab token": "glpat-aB3dE5fG7hI9jK1lM3nO",
    "a Slack token": "xoxb-123456789012-abcdefGHIJKL",
    "a Stripe key": "sk_live_51H8aBcDeFgHiJkLmNoPqRs",
    "an API key with sk-": "sk-proj-aB3dE5fG7hI9jK1lM3nOpQ5r",
    "a Google key": "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "an npm token": "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "a SendGrid key": "SG.aB3dE5fG7hI9jK1lM3nOpQ.rS5tU7vW9xY1zA3bC5dE7fG9hI1jK3lM5nO7pQ9rS1t",
    "a Telegram token": "123456789:AAaB3dE5fG7hI9jK1lM3nOpQ5rS7tU9vW1x",
    "a Fernet token": "gAAAAABaB3dE5fG7hI9jK1lM3nOpQ5rS7tU9vW1xaB3dE5fG7hI9jK1lM3nOpQ5rS7tU9vW1xaB3dE5fG7hI9j==",
    "a bcrypt hash": "$2b$12$aB3dE5fG7hI9jK1lM3nOpOaB3dE5fG7hI9jK1lM3nOpQ5rS7tU9vW",
    "a hash of Django's": "pbkdf2_sha256$600000$aB3dE5fG7hI9$jK1lM3nOpQ5rS7tU9vW1xaB3dE5fG7hI9jK1lM3nOpQ=",
}
WRAPPED = {
    "a password in a URL": f"postgresql://ann:{KEY}@db.example/shop",
    "a password in a URL without a user": f"redis://:{KEY}@cache:6379/0",
    "a user that is a token in a URL": f"https://{KEY}{KEY}@sentry.example/4",
    "Bearer credentials": f"Authorization: Bearer {KEY}",
    "bare Bearer credentials": f"Bearer {KEY}",
    "an assignment": f"password={KEY}",
    "JSON": json.dumps({"user": {"name": "ann", "password": KEY}}),
    "JSON within JSON": json.dumps({"body": json.dumps({"token": KEY})}),
    "a repr": f"User(name='ann', password='{KEY}')",
    "an ODBC string": f"Server=db;Uid=ann;Pwd={KEY};",
    "an Azure string": f"AccountName=a;AccountKey={KEY}{KEY}==;EndpointSuffix=core",
    "a command line": f"mysqldump --user ann --password {KEY} shop",
    "a command line with =": f"tool --api-token={KEY}",
    "XML": f"<login><password>{KEY}</password></login>",
    "a query string": f"/callback?code=1&access_token={KEY}&state=x",
    "a Cookie line": f"Cookie: theme=dark; sid={KEY}",
    "a Set-Cookie line": f"Set-Cookie: sid={KEY}; Path=/; HttpOnly",
    "YAML": f"database:\n  password: {KEY}\n  host: db",
    "an escaped query": f"next=%2Fcallback%3Ftoken%3D{KEY}",
    "a webhook of Slack's": f"https://hooks.slack.com/services/T00/B00/{KEY}{KEY}",
}
PEM_LINES = ["MIIEowIBAAKCAQEA" + _DIGITS + "aBcD", "qW3eR5tZ" + _DIGITS + "7uI9oP1a"]
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(PEM_LINES) + "\n-----END RSA PRIVATE KEY-----\n"

_PLACES = {
    "message": "raise ValueError('cannot use ' + plant())",
    "variable": f"text = plant()\n{FAILS}",
    "literal": "run($SECRET)\n" + FAILS,
}
_MORE_PLACES = {
    "note": "error = ValueError('no')\nerror.add_note('while using ' + plant())\nraise error",
    "nested": f"rows = [{{'n': [1, (2, plant())]}}]\n{FAILS}",
    "key": f"index = {{plant(): 1}}\n{FAILS}",
    "bytes": f"raw = plant().encode()\n{FAILS}",
}


def _by_shape() -> Iterator[Planted]:
    for name, text in SHAPES.items():
        for place, body in _PLACES.items():
            yield _literal(f"{name} as a {place}", body, text, text)
        yield Planted(name=f"{name} in a header", body=FAILS, environ={"HTTP_X_DATA": f"v1 {text}"}, secret=text)
    for name, text in WRAPPED.items():
        for place, body in {**_PLACES, **_MORE_PLACES}.items():
            yield _literal(f"{name} as a {place}", body, KEY, text)
        yield Planted(name=f"{name} in a query", body=FAILS, environ={"QUERY_STRING": "q=" + quote(text)})
    for place, body in {**_PLACES, **_MORE_PLACES}.items():
        yield _literal(f"a private key as a {place}", body, PEM_LINES[1], PEM)
    basic = base64.b64encode(f"ann:{KEY}".encode()).decode()
    header = {"HTTP_AUTHORIZATION": f"Basic {basic}"}
    yield Planted(name="Basic credentials", body=FAILS, environ=header, secret=basic)
    yield Planted(
        name="the password of Basic credentials in a message",
        body="raise ValueError('no user with ' + plant())",
        environ=header,
    )
    yield Planted(name="a URL in the configuration", body=FAILS, config={"sqlalchemy.url": f"mysql://ann:{KEY}@db/x"})
    yield Planted(
        name="a token in the path",
        body=FAILS,
        environ={"PATH_INFO": "/reset/" + SHAPES["a JWT"]},
        secret=SHAPES["a JWT"],
    )
    yield Planted(
        name="a token in the referrer", body=FAILS, environ={"HTTP_REFERER": f"http://localhost/x?token={KEY}&a=1"}
    )
    yield Planted(name="a token in the request target", body=FAILS, environ={"REQUEST_URI": f"/x?token={KEY}"})


def _literal(name: str, body: str, secret: str, text: str) -> Planted:
    if "$SECRET" in body:
        return Planted(name=name, body=body.replace("$SECRET", repr(text)), secret=secret)
    return Planted(name=name, body=body.replace("plant()", "given()"), secret=secret, variables={"given": text})


# --- by the value alone: hidden in one place, quoted in another -------------------------------------------------------

_KNOWN = {
    "a message": "raise ValueError(f'no user with {password!r}')",
    "a message, in URL form": "raise ValueError('at /?p=' + __import__('urllib.parse').parse.quote(password, safe=''))",
    "a message, in JSON": "raise ValueError(__import__('json').dumps([password]))",
    "the arguments of the exception": "raise ValueError('x', password)",
    "a note": "error = ValueError('no')\nerror.add_note(password + ' was refused')\nraise error",
    "the cause": "try:\n    raise KeyError(password)\nexcept KeyError as error:\n    raise ValueError('no') from error",
    "the context": "try:\n    raise KeyError(password)\nexcept KeyError:\n    raise ValueError('no')",
    "a suppressed context": (
        "try:\n    raise KeyError(password)\nexcept KeyError:\n    raise ValueError('no') from None"
    ),
    "a member of a group": "raise ExceptionGroup('two', [ValueError(password), KeyError('x')])",
    "an attribute of the exception": "error = ValueError('no')\nerror.given = password\nraise error",
    "a repr of somebody's": "said = Says(f'<Login with {password}>')\n" + FAILS,
    "a list of words": f"words = ['ann', password]\n{FAILS}",
    "an expression": "raise ValueError(len(password + 'x') + None)",
    "a subexpression": "rows = [{'a': 1}]\nrows[0][password]",
    "__traceback_info__": f"__traceback_info__ = 'login with ' + password\n{FAILS}",
    "a supplement": "__traceback_supplement__ = (Tells, password)\n" + FAILS,
    "the name of the thread": "rename_thread('worker for ' + password)\n" + FAILS,
    "the name of a file": "run_file('/srv/' + password + '/app.py')",
    "the name of a variable's key": f"index = {{password: 1}}\n{FAILS}",
    "a URL that was asked for": FAILS,
    "a KeyError": "{}[password]",
    "an import": "__import__('shop_' + password.replace('-', '_'))",
    "bytes in a message": "raise ValueError(password.encode())",
    "an OSError": "open('/nowhere/' + password)",
    "a Unicode error": "(password + '\\udcff').encode()",
    "an assertion": "assert password == 'x', password",
    "a type made of it": "raise type('Error', (ValueError,), {'__str__': lambda self: password})()",
    "a generator's value": f"values = [each for each in (password,)]\n{FAILS}",
    "the standard error stream of a process": (
        "import subprocess\nraise subprocess.CalledProcessError(1, ['login', password], stderr=password)"
    ),
    "the text around it": "raise ValueError(f'abc{password}def')",
    "the end of a long text": f"text = 'x' * 395 + password\n{FAILS}",
    "base64": "raise ValueError(__import__('base64').b64encode(b'ann:' + password.encode()))",
    "HTML": "raise ValueError(__import__('html').escape('<' + password))",
    "the end of a long message": "raise ValueError('x' * 7995 + password)",
}


def _by_value() -> Iterator[Planted]:
    for place, body in _KNOWN.items():
        path = {"PATH_INFO": f"/users/{PASSWORD}"} if "URL that" in place else {}
        yield Planted(
            name=f"the password of a variable in {place}",
            body=f"password = plant()\n{body}",
            secret=PASSWORD.replace("-", "_") if place == "an import" else PASSWORD,
            environ=path,
        )
    for place in ("a message", "a note", "the cause", "a repr of somebody's", "a member of a group", "a KeyError"):
        yield Planted(
            name=f"a word that is a password in {place}", body=f"password = plant()\n{_KNOWN[place]}", secret=WORD
        )
    quoted = "raise ValueError('cannot use ' + plant())"
    for place in ("a message", "a message, in JSON", "bytes in a message", "a message, in URL form"):
        for kind, secret in {
            "quotes": "a'b\"c\\d<e>&f",
            "umlauts": "p\u00e4ssw\u00f6rd-77",
            "blanks": "correct horse 7",
        }.items():
            yield Planted(
                name=f"a password with {kind} in {place}", body=f"password = plant()\n{_KNOWN[place]}", secret=secret
            )
    sources: dict[str, dict[str, Any]] = {
        "a cookie": {"environ": {"HTTP_COOKIE": f"session={KEY}"}},
        "a header": {"environ": {"HTTP_X_API_KEY": KEY}},
        "a bearer header": {"environ": {"HTTP_AUTHORIZATION": f"Bearer {KEY}"}},
        "a query parameter": {"environ": {"QUERY_STRING": f"token={KEY}"}},
        "an environ key": {"environ": {"shop.secret": KEY}},
        "the configuration": {"config": {"session.secret": KEY}},
        "a URL in the configuration": {"config": {"db.url": f"postgresql://ann:{KEY}@db/x"}},
    }
    for source, given in sources.items():
        yield Planted(name=f"the secret of {source} in a message", body=quoted, **given)
    yield Planted(
        name="a secret of the process's environment in a message", body=quoted, variables={"$SHOP_SECRET": KEY}
    )
    yield Planted(
        name="the process's environment in a variable",
        body=f"import os\nvariables = dict(os.environ)\n{FAILS}",
        variables={"$SHOP_SECRET": KEY},
    )
    yield Planted(
        name="the process's environment in a message",
        body="import os\nraise ValueError(str(dict(os.environ)))",
        variables={"$SHOP_SECRET": KEY},
    )
    yield Planted(
        name="a field of a form in a message",
        body="read_form(environ)\nraise ValueError('refused: ' + plant())",
        form=f"password={KEY}",
    )
    many = "values = {f'name{n}': n for n in range(500)}\nvalues['password'] = plant()\n"
    yield Planted(name="the last of 500 keys in a message", body=many + "raise ValueError(values['password'])")
    deep = "def run(n, password=plant()):\n    if n:\n        run(n - 1, 'x')\n"
    deep += "    raise ValueError('no ' + plant())\nrun(500)"
    yield Planted(name="a password of the first of 500 frames", body=deep)
    many = "a, b = 1, 2\n" + "".join(f"a{n} = {n}\n" for n in range(100)) + "zz_password = plant()\n"
    yield Planted(name="the password among 100 variables in a message", body=many + "raise ValueError('no ' + plant())")
    hides = "def run(password):\n    __traceback_hide__ = True\n    fails()\n"
    hides += "def fails():\n    raise ValueError('no ' + plant())\nrun(plant())"
    yield Planted(name="a password in a frame that hides itself, in a message", body=hides)
    yield Planted(
        name="the last of 300 keys in a message",
        body="values = {n: n for n in range(300)}\nvalues['password'] = plant()\nraise ValueError('no ' + plant())",
    )
    yield Planted(name="a password of another frame", body=f"login('ann', plant())\n{FAILS}")


# --- by type and by structure ----------------------------------------------------------------------------------------

_STRUCTURES = {
    "an attribute": "user = Holder(name='ann', password=plant())",
    "a private attribute": "user = Holder(_password=plant())",
    "an attribute of an attribute": "user = Holder(account=Holder(token=plant()))",
    "a slot": "user = Slotted(plant())",
    "a dataclass": "user = Data('ann', plant())",
    "a field that a dataclass does not show": "user = Hiding('ann', plant())",
    "a named tuple": "user = Named('ann', plant())",
    "a typed dict in a list": "users = [{'name': 'ann', 'password': plant()}]",
    "pairs": "pairs = [('name', 'ann'), ('password', plant())]",
    "a list of headers": "headers = [('Content-Type', 'text/html'), ('Set-Cookie', 'sid=' + plant())]",
    "a list of two": "pair = ['password', plant()]",
    "a name and a value apart": "row = {'name': 'password', 'value': plant()}",
    "an object with a name and a value": "row = Holder(name='session_token', value=plant())",
    "a command line": "command = ['mysql', '--password', plant(), '--host', 'db']",
    "a command line with =": "command = ['mysql', '--password=' + plant()]",
    "bytes as keys": "headers = {b'authorization': plant().encode()}",
    "a dict with a pair for a key": "settings = {('db', 'password'): plant()}",
    "a dict with an enum's keys": "import enum\nsettings = {enum.Enum('F', 'PASSWORD').PASSWORD: plant()}",
    "a tuple called auth": "auth = ('ann', plant())",
    "a secret type": "value = SecretStr(plant())",
    "a text with __redact__": "value = Marked(plant())",
    "a secret type that shows itself": "value = Loud(plant())",
    "a set under a secret name": "tokens = {plant()}",
    "a dict under a secret name": "credentials = {'ann': plant()}",
    "an object under a secret name": "credentials = Holder(name=plant())",
    "a number under a secret name": "pin = int.from_bytes(plant().encode(), 'big')",
    "the views of a dict": "values = {'password': plant()}.values()",
    "the items of a dict": "items = {'password': plant()}.items()",
    "a read-only view": "import types\nview = types.MappingProxyType({'password': plant()})",
    "a partial": "import functools\nlogin = functools.partial(print, password=plant())",
    "the positional arguments of a partial": (
        "import functools\npassword = plant()\nlogin = functools.partial(print, password)"
    ),
    "a namespace": "import types\nargs = types.SimpleNamespace(user='ann', password=plant())",
    "an ordered dict": "import collections\nconfig = collections.OrderedDict(password=plant())",
    "a default dict": "import collections\nconfig = collections.defaultdict(str, password=plant())",
    "a deque": "import collections\nqueue = collections.deque([{'token': plant()}])",
    "a chain map": "import collections\nconfig = collections.ChainMap({'password': plant()}, {})",
    "a user dict": "import collections\nconfig = collections.UserDict(password=plant())",
    "an exception that is kept": "error = ValueError({'password': plant()})",
    "a dict with a repr of its own": "config = Config(password=plant())",
    "a repr made of attributes": "user = Shows('ann', plant())",
    "a repr in which it is quoted twice": "user = Says(repr({'password': plant()}))",
    "a repr for Sentry": "user = ForSentry(plant())",
    "an enum's value": "import enum\nKind = enum.Enum('Kind', {'TOKEN': plant()})\nkind = Kind.TOKEN",
    "an object with a broken repr": "user = Broken(plant())",
    "a lazy object": "user = LazyUser(plant())",
    "a mapping with a repr": "import http.cookies\njar = http.cookies.SimpleCookie(session=plant())",
    "an HTTP message": "import email.message\nmessage = email.message.Message()\nmessage['Authorization'] = plant()",
    "a URL's parts": "import urllib.parse\nparts = urllib.parse.urlsplit('postgresql://ann:' + plant() + '@db/x')",
    "a request of urllib's": (
        "import urllib.request\nrequest = urllib.request.Request('http://x/', headers={'X-Token': plant()})"
    ),
    "a configuration file": (
        "import configparser\n"
        "config = configparser.ConfigParser()\n"
        "config.read_dict({'db': {'password': plant()}})\n"
        "section = dict(config['db'])"
    ),
    "parsed arguments": "import argparse\narguments = argparse.Namespace(api_key=plant())",
    "a text stream": "import io\nstream = io.StringIO('password=' + plant())",
    "a match": "import re\nfound = re.match(r'password=(.*)', 'password=' + plant())",
    "a path": "import pathlib\npath = pathlib.Path('/x?token=' + plant())",
    "a traceback's text": (
        "import traceback\ntext = ''.join(traceback.format_list([('f', 1, 'g', 'password = ' + plant())]))"
    ),
    "a class's attribute": "class Settings:\n    PASSWORD = plant()\nsettings = Settings()",
    "a closure": (
        "def inner(password):\n    def call():\n        raise ValueError('x')\n    return call\ninner(plant())()"
    ),
    "default arguments": "def connect(host='db', password=plant()):\n    raise ValueError(host)\nconnect()",
    "keyword arguments": "def connect(**options):\n    raise ValueError('no')\nconnect(host='db', password=plant())",
    "positional arguments": "def connect(*args):\n    raise ValueError('no')\nconnect('--token', plant())",
    "a comprehension": "[1 / 0 for password in [plant()]]",
    "a f-string": "password = plant()\nraise ValueError(f'{password=}')",
    "a walrus": "if (token := plant()):\n    raise ValueError('x')",
    "a loop": "for token in [plant()]:\n    raise ValueError('x')",
    "a with block": "import contextlib\nwith contextlib.nullcontext(plant()) as secret:\n    raise ValueError('x')",
}

_SOURCES = {
    "an assignment": "password = $SECRET; 1 / 0",
    "an annotated assignment": "password: str = $SECRET; 1 / 0",
    "a call": "print(password=$SECRET, user='ann')",
    "a dict": "{'password': $SECRET, 'user': 'ann'}['x']",
    "a comparison": "assert environ.get('password') == $SECRET",
    "a default": "int(environ.get('db_password', $SECRET))",
    "a comment": "1 / 0  # password: $PLAIN",
    "a comment above": "# the old token=$PLAIN\n1 / 0",
    "a docstring": "def f():\n    '''Log in with password=$PLAIN.'''\n    1 / 0\nf()",
    "a line further up": "DB_PASSWORD = $SECRET\n\n\n1 / 0",
    "one line with a condition": "if environ: password = $SECRET; 1 / 0",
    "several lines": "password = (\n    'abc'\n    $SECRET\n)\n1 / 0",
    "a list": "passwords = ['abcdef', $SECRET]\n1 / 0",
    "an item": "environ['api_token'] = $SECRET; 1 / 0",
    "a setattr": "setattr(print, 'password', $SECRET)",
    "a header": "headers = {'Authorization': 'Bearer ' + $SECRET}; 1 / 0",
    "a URL": "connect = 'postgresql://ann:$PLAIN@db/shop'; 1 / 0",
    "a f-string": "name = 'x'; url = f'postgresql://{name}:$PLAIN@db/shop'; 1 / 0",
    "JSON": 'text = \'{"password": "$PLAIN"}\'; 1 / 0',
    "a command": "command = 'mysql --password $PLAIN'; 1 / 0",
    "bytes": "SECRET_KEY = b$SECRET; 1 / 0",
    "a raw string": "SECRET_KEY = r$SECRET; 1 / 0",
    "a number": "pin = 8264193; 1 / 0",
}


def _by_structure() -> Iterator[Planted]:
    for name, body in _STRUCTURES.items():
        yield Planted(name=f"a secret in {name}", body=f"{body}\n{FAILS}")
    for name, body in _SOURCES.items():
        secret = "8264193" if name == "a number" else PASSWORD
        source = body.replace("$SECRET", repr(secret)).replace("$PLAIN", secret)
        yield Planted(name=f"the source of {name}", body=source, secret=secret)
    number = str(int.from_bytes(KEY.encode(), "big"))
    yield Planted(name="a number in a message", body="pin = int(plant())\nraise ValueError(pin)", secret=number)


SECRETS: list[Planted] = [*_by_name(), *_by_shape(), *_by_value(), *_by_structure()]


# --- and what must stay readable --------------------------------------------------------------------------------------

_READABLE = {
    # the body of an app: what has to be found in the record
    "count = 41": "41",
    "name = 'Ann Example'": "'Ann Example'",
    "author = 'Ann'": "'Ann'",
    "keyword = 'python'": "'python'",
    "keyboard = 'us'": "'us'",
    "monkey = 'George'": "'George'",
    "compass = 'north'": "'north'",
    "passenger = 'Bob'": "'Bob'",
    "cookie_name = 'wheatpaste'": "'wheatpaste'",
    "session_timeout = 3600": "3600",
    "max_age = 86400": "86400",
    "password_file = '/etc/site/password'": "'/etc/site/password'",
    "token_url = 'https://login.example/token'": "https://login.example/token",
    "key_length = 256": "256",
    "public_key = 'ssh-ed25519 AAAA'": "ssh-ed25519 AAAA",
    "design = 'blue'": "'blue'",
    "signal = 'SIGTERM'": "SIGTERM",
    "side = 'left'": "'left'",
    "authority = 'example.com'": "'example.com'",
    "assigned = ['ann', 'bob']": "['ann', 'bob']",
    "url = 'http://example.com:8080/a?b=c'": "http://example.com:8080/a?b=c",
    "mail = 'ann@example.com'": "ann@example.com",
    "path = '/srv/shop/static'": "/srv/shop/static",
    "rows = [{'id': 7, 'title': 'Tea'}]": "[{'id': 7, 'title': 'Tea'}]",
    "empty = {'password': ''}": "{'password': ''}",
    "unset = {'token': None}": "{'token': None}",
    "wanted = {'secure_cookie': True}": "True",
    "digest = '9f86d081884c7d659a2feaa0c55ad015'": "9f86d081884c7d659a2feaa0c55ad015",
    "identifier = '123e4567-e89b-12d3-a456-426614174000'": "123e4567-e89b-12d3-a456-426614174000",
    "commit = 'b5d2553d5a6bf4f1bb5d2553d5a6bf4f1b000000'": "b5d2553d5a6bf4f1b",
    "when = __import__('datetime').date(2026, 11, 26)": "datetime.date(2026, 11, 26)",
    "price = __import__('decimal').Decimal('12.50')": "Decimal('12.50')",
    "folder = __import__('pathlib').PurePosixPath('/srv')": "PurePosixPath('/srv')",
    "point = Named('x', None)": "Named(name='x', password=None)",
    "user = Holder(name='Ann', age=41)": "<Holder name='Ann', age=41>",
    "said = Says('<Order 7 of Ann>')": "<Order 7 of Ann>",
    "numbers = list(range(1_000_000))": "0, 1, 2, 3",
    "text = 'x' * 100_000": "xxxx",
    "nothing = None": "None",
    "yes = True": "True",
    "ratio = 0.25": "0.25",
    "pairs = [('Vary', 'Cookie'), ('Content-Type', 'text/html')]": "('Vary', 'Cookie')",
    "raw = b'GIF89a'": "b'GIF89a'",
    "words = {'tea'}": "{'tea'}",
    "error = ValueError('no such table: orders')": "ValueError('no such table: orders')",
    "raise ValueError('no such table: orders')": "no such table: orders",
    "raise KeyError('basket')": "basket",
    "raise ValueError('Basic authentication is required')": "Basic authentication is required",
    "raise ValueError('the token is invalid')": "the token is invalid",
    "raise ValueError('password must have 8 characters')": "password must have 8 characters",
    "raise ValueError('invalid session: expired')": "invalid session: expired",
    "raise ValueError('GET /static/9f86d081884c.css failed')": "/static/9f86d081884c.css",
    "password = environ.get('x.password'); 1 / 0": "password = environ.get('x.password'); 1 / 0",
    "token = environ.get('HTTP_X_TOKEN', ''); 1 / 0": "token = environ.get('HTTP_X_TOKEN', ''); 1 / 0",
    "fields = ('username', 'password', 'email'); 1 / 0": "fields = ('username', 'password', 'email'); 1 / 0",
    "password = None; user = f'{password}@x'; 1 / 0": "user = f'{password}@x'",
    "print('token=%s' % 1); 1 / 0": "print('token=%s' % 1)",
    "check_password = len; check_password('x'); 1 / 0": "check_password('x')",
    "label = 'Enter your password'; 1 / 0": "'Enter your password'",
    "key = None  # the key of the row\n1 / 0": "# the key of the row",
}


@dataclass(frozen=True, kw_only=True)
class Innocent:
    """What must be readable: ``text``, wherever it stands."""

    name: str
    text: str
    body: str = FAILS
    environ: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    form: str = ""


INNOCENT: list[Innocent] = [
    *(
        Innocent(name=body, text=text, body=body if "raise " in body or "1 / 0" in body else f"{body}\n{FAILS}")
        for body, text in _READABLE.items()
    ),
    Innocent(name="the browser", text="Mozilla/5.0 (X11)", environ={"HTTP_USER_AGENT": "Mozilla/5.0 (X11)"}),
    Innocent(name="what is accepted", text="text/html,*/*;q=0.8", environ={"HTTP_ACCEPT": "text/html,*/*;q=0.8"}),
    Innocent(name="a cookie with a language", text='"lang", "de"', environ={"HTTP_COOKIE": "lang=de; sid=abc123"}),
    Innocent(name="a query", text='"page", "2"', environ={"QUERY_STRING": "page=2&sort=name"}),
    Innocent(name="a path", text="/caf\u00e9", environ={"PATH_INFO": "/caf\u00c3\u00a9"}),
    Innocent(
        name="a form", text='"title", "Tea"', body=f"read_form(environ)\n{FAILS}", form="title=Tea&password=x1y2z3"
    ),
    Innocent(name="the configuration", text='"cache.dir", "/var/cache"', config={"cache.dir": "/var/cache"}),
    Innocent(name="a timeout", text='"session.timeout", "3600"', config={"session.timeout": "3600"}),
    Innocent(name="a database", text="@db/shop", config={"sqlalchemy.url": "postgresql://ann:abcd1234@db/shop"}),
    Innocent(name="the client", text="127.0.0.1", environ={}),
    Innocent(
        name="the scheme of credentials", text="Bearer [redacted", environ={"HTTP_AUTHORIZATION": "Bearer abcdef12"}
    ),
]
