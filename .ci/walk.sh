#!/bin/sh
# A stranger's walk: the wheel in a fresh environment, every command on the demo and on a site written from the README alone.
#
# $1 is a Python, $2 the wheel. Stops at the first thing that is not as the README says.
set -eu
python=$1
wheel=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
checkout=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
server=""
trap 'test -z "$server" || kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT

say() { printf '   %s\n' "$*"; }
fail() {
    printf 'walk: %s\n' "$*" >&2
    exit 1
}
expect() { # expect TEXT COMMAND…: the command succeeds and prints the text
    wanted=$1
    shift
    say "$*"
    "$@" >"$place/out" 2>&1 || { cat "$place/out" >&2; fail "$* failed"; }
    grep -qF -- "$wanted" "$place/out" || { cat "$place/out" >&2; fail "$* did not say: $wanted"; }
}
refuse() { # refuse CODE TEXT COMMAND…: the command ends with that code, says the text, and shows no traceback
    code=$1
    wanted=$2
    shift 2
    say "$*"
    got=0
    "$@" >"$place/out" 2>&1 </dev/null || got=$?
    [ "$got" = "$code" ] || { cat "$place/out" >&2; fail "$* ended with $got, not $code"; }
    grep -qF -- "$wanted" "$place/out" || { cat "$place/out" >&2; fail "$* did not say: $wanted"; }
    ! grep -q 'Traceback' "$place/out" || { cat "$place/out" >&2; fail "$* showed a traceback"; }
}
fetch() { "$place/venv/bin/python" -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' "$1"; }
ask() { # ask ACCEPT URL: what is answered to whoever accepts that, an error too
    "$place/venv/bin/python" - "$1" "$2" <<'P'
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[2], headers={"Accept": sys.argv[1]})
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers.get("Content-Type"), answer.headers.get("X-Error-ID"))
print(answer.read().decode())
P
}
hide() { # hide TEXT: what was printed last does not have it
    ! grep -qF -- "$1" "$place/out" || { cat "$place/out" >&2; fail "$1 is shown"; }
}
serve() { # serve ARGUMENTS…: start, wait for the URL, leave it in $url
    say "wheatpaste serve $*"
    wheatpaste serve "$@" >"$place/serve.log" 2>&1 &
    server=$!
    tries=0
    until url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$place/serve.log" | head -n 1) && [ -n "$url" ] && fetch "$url/" >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { cat "$place/serve.log" >&2; fail "serve ended"; }
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$place/serve.log" >&2; fail "serve does not answer"; }
        sleep 0.1
    done
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "serve ended with $?"
    server=""
}

"$python" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -qq --disable-pip-version-check "$wheel"
PATH=$place/venv/bin:$PATH
export PATH NO_COLOR=1
cd "$place"

say "--- the site of the README, written from it alone"
mkdir site
cd site
"$python" - "$checkout/README.md" <<'P'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
open("site.ini", "w").write(re.search(r"```ini\n(# site\.ini\n.*?)```", text, re.S)[1])
P
mkdir public
echo '<p>the front</p>' >public/index.html
cat >shop.py <<'P'
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"shop at {environ['SCRIPT_NAME']}{environ['PATH_INFO']}\n".encode()]
P
expect "wheatpaste 0" wheatpaste --version
expect "serve" wheatpaste --help
expect "site.ini" wheatpaste check site.ini
expect "/shop" wheatpaste show site.ini
expect "<svg" wheatpaste show site.ini --svg -
expect "SCRIPT_NAME '/shop'" wheatpaste explain site.ini GET /shop/cart
expect "shop:app" wheatpaste explain site.ini --section shop
expect "listing" wheatpaste describe static
expect "urlmap" wheatpaste describe
expect "shop at /shop/cart" wheatpaste request site.ini /shop/cart
expect "200 OK" wheatpaste request -i site.ini /
expect "Wrote site.wsgi" wheatpaste generate wsgi site.ini
expect "URLMap" wheatpaste shell site.ini -c 'print(app)'
serve site.ini --port 0
[ "$(fetch "$url/shop/x")" = "shop at /shop/x" ] || fail "the shop does not answer"
fetch "$url/" | grep -q front || fail "the files do not answer"
stop
serve shop:app --port 0
stop
expect "Wrote new.ini" wheatpaste init --app shop:app new.ini
expect "new.ini" wheatpaste check new.ini
expect "shop at" wheatpaste request new.ini /
expect "pid" wheatpaste serve site.ini --port 0 --pid-file here.pid --log-file here.log start
expect "running" wheatpaste serve site.ini --pid-file here.pid status
expect "" wheatpaste serve site.ini --pid-file here.pid stop
refuse 1 "did you mean 'shop'?" sh -c 'sed "s/= shop$/= shpo/" site.ini >bad.ini && wheatpaste check bad.ini'
refuse 2 "did you mean" wheatpaste chekc site.ini
refuse 2 "nothere.ini" wheatpaste serve nothere.ini

say "--- what fails: in each form, in the inbox, at the command line, with the extra and without it"
cat >frail.py <<'P'
def greeting(order):
    password = "Tr0ub4dor-and-3"
    return order["customer"]["name"].upper()


def app(environ, start_response):
    body = greeting({"customer": {"name": None}}) if environ["PATH_INFO"] == "/break" else "whole"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
P
cat >frail.ini <<'I'
[server:main]
use = egg:wheatpaste#main
[app:main]
use = egg:wheatpaste#wsgi
app = frail:app
filter-with = errors
[filter:errors]
use = egg:wheatpaste#errors
debug = true
inbox = errors.sqlite
I
expect "frail.ini" wheatpaste check frail.ini
for extra in without with; do
    if [ "$extra" = with ]; then
        "$place/venv/bin/python" -m pip install -qq --disable-pip-version-check "$wheel[errors]"
    fi
    serve frail.ini --port 0
    for accept in '*/*' application/json text/markdown text/html; do
        expect '.upper()' ask "$accept" "$url/break"
        grep -q '^500 ' "$place/out" || fail "$accept is answered with another status"
        hide Tr0ub4dor
    done
    grep -qi '^<!doctype html>' "$place/out" || { head -n 20 "$place/out" >&2; fail "a browser gets no page"; }
    expect "frail.py" ask '*/*' "$url/.errors/latest.md"
    hide Tr0ub4dor
    expect "expressions" ask application/json "$url/.errors/latest.json"
    values=without
    ! grep -q '"expressions": *\[ *{' "$place/out" || values=with
    [ "$values" = "$extra" ] || fail "$extra the extra, the parts of the line are $values values"
    stop
done
expect "8×" wheatpaste errors frail.ini
expect "AttributeError" wheatpaste errors frail.ini list --json
group=$(grep -oE 'E-[A-Z0-9]{5}' "$place/out" | head -n 1)
expect "in greeting" wheatpaste errors frail.ini show "$group"
hide Tr0ub4dor
expect "" wheatpaste errors frail.ini resolve "$group"
expect "" wheatpaste errors frail.ini clear
refuse 1 "$group" wheatpaste errors frail.ini show "$group"
sed 's/^debug = true/console = true/' frail.ini >console.ini
refuse 2 "console_anywhere" wheatpaste serve console.ini --host 0.0.0.0 --port 0

say "--- a login: without the extra, then with it, from the first key to the last session"
cat >guarded.ini <<'I'
[pipeline:main]
pipeline = login shop
[filter:login]
use = egg:wheatpaste#auth
[auth:main]
secret = %(here)s/state/auth.key
methods = session basic bearer
audit = json:%(here)s/state/audit.log
[auth:main:store]
url = sqlite:///%(here)s/state/auth.db
[auth:main:rules]
/free/* = everyone
/admin/* = role editor
/* = authenticated
[app:shop]
use = egg:wheatpaste#wsgi
app = greeter:app
I
cat >greeter.py <<'P'
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ.get('REMOTE_USER', 'nobody')} by {environ.get('AUTH_TYPE')}\n".encode()]
P
words="four plain words here"
mkdir state
head -c 33 /dev/urandom | base64 | tr '+/' 'ab' >state/drawn
sed "s|^secret = .*|secret = $(cat state/drawn)|" guarded.ini >bare.ini
"$place/venv/bin/python" -c 'import importlib.util, sys; sys.exit(bool(importlib.util.find_spec("argon2")))' || fail "argon2 is there already"
refuse 1 "pip install 'wheatpaste[auth]'" wheatpaste check bare.ini
"$place/venv/bin/python" -m pip install -qq --disable-pip-version-check "$wheel[auth]"
expect "bare.ini" wheatpaste check bare.ini
refuse 1 "pip install 'wheatpaste[postgres]'" sh -c 'sed "s|^url = .*|url = postgresql://shop@localhost/shop|" bare.ini >pg.ini && wheatpaste check pg.ini'
refuse 1 "did you mean 'role'?" sh -c 'sed "s/= role /= rol /" bare.ini >bad.ini && wheatpaste check bad.ini'
rm -r state
refuse 1 "in a folder that is not there" wheatpaste check guarded.ini
refuse 2 "guarded.ini" wheatpaste serve guarded.ini --port 0
expect "/-/auth/invite/" wheatpaste auth guarded.ini init
expect "guarded.ini" wheatpaste check guarded.ini
refuse 1 "chmod 600" sh -c 'chmod 644 state/auth.key; wheatpaste check guarded.ini'
chmod 600 state/auth.key
expect "bob is there now" sh -c "echo '$words' | wheatpaste auth guarded.ini user add bob"
expect "editor" wheatpaste auth guarded.ini role grant editor bob
expect "editor" wheatpaste auth guarded.ini user list
expect "/admin/* = role editor" wheatpaste explain guarded.ini GET /admin/users --user bob
expect "wpt_" wheatpaste auth guarded.ini token create bob walk --scope walk
token=$(grep -o 'wpt_[A-Za-z0-9_]*' "$place/out" | head -n 1)
serve_closed() { # serve_closed FILE: serve what answers 401 to whoever only asks whether it is there
    say "wheatpaste serve $1"
    wheatpaste serve "$1" --port 0 >"$place/serve.log" 2>&1 &
    server=$!
    tries=0
    until url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$place/serve.log" | head -n 1) && [ -n "$url" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$place/serve.log" >&2; fail "serve ended"; }
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$place/serve.log" >&2; fail "serve does not answer"; }
        sleep 0.1
    done
}
come() { # come URL USER PASSWORD: a browser without scripts signs in, and prints what it sees
    "$place/venv/bin/python" - "$@" <<'P'
import html, http.cookiejar, re, sys, urllib.parse, urllib.request
site, name, password = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
browser.addheaders = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")]
page = browser.open(site + "/admin/users?page=2").read().decode()
fields = {key: html.unescape(value) for key, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
fields |= {"username": name, "password": password}
action = urllib.parse.urljoin(site, re.search(r'action="([^"]+)"', page)[1])
answer = browser.open(action, urllib.parse.urlencode(fields).encode())
print(answer.geturl(), answer.read().decode())
P
}
as_user() { # as_user AUTHORIZATION URL: status and body for a program that shows this
    "$place/venv/bin/python" - "$@" <<'P'
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[2], headers={"Authorization": sys.argv[1]} if sys.argv[1] else {})
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers.get_all("WWW-Authenticate"), answer.read().decode())
P
}
basic() { printf 'Basic %s' "$(printf '%s' "$1:$2" | base64 | tr -d '\n')"; }
serve_closed guarded.ini
expect "401 ['Bearer" as_user "" "$url/"
expect "200 None nobody by None" as_user "" "$url/free/x"
expect "200 None bob by basic" as_user "$(basic bob "$words")" "$url/admin/"
expect "401" as_user "$(basic bob wrong)" "$url/"
expect "200 None bob by bearer" as_user "Bearer $token" "$url/"
expect "invalid_token" as_user "Bearer ${token}x" "$url/"
expect "/admin/users?page=2 bob by session" come "$url" bob "$words"
expect "127.0.0.1" wheatpaste auth guarded.ini session list bob
expect "seals from now on" wheatpaste auth guarded.ini keys rotate
expect "200 None bob by basic" as_user "$(basic bob "$words")" "$url/"
expect "" wheatpaste auth guarded.ini session revoke bob
expect "no sessions" wheatpaste auth guarded.ini session list bob
stop
expect "login.fail" wheatpaste auth guarded.ini audit tail
hide "$words"
hide "$token"
expect "0 of them wrong" wheatpaste auth guarded.ini audit verify

say "--- a configuration of AuthKit"
cat >kit.ini <<'I'
[app:main]
use = egg:wheatpaste#wsgi
app = closed:app
filter-with = login
[filter:login]
use = egg:wheatpaste#authkit
authkit.setup.method = form, cookie
authkit.form.authenticate.user.data =
    ada:lovelace:staff admin
authkit.cookie.secret = c51f0be93a7d42e8916b0f3ad5e7c284
authkit.cookie.signoutpath = /signout
I
cat >closed.py <<'P'
from greeter import app as greeter
def app(environ, start_response):
    if "REMOTE_USER" in environ:
        return greeter(environ, start_response)
    start_response("401 Unauthorized", [("Content-Type", "text/plain")])
    return [b"who?"]
P
expect "kit.ini" wheatpaste check kit.ini
serve_closed kit.ini
expect "/admin/users?page=2 ada by" come "$url" ada lovelace
stop

say "--- the demo"
"$place/venv/bin/python" -m pip install -qq --disable-pip-version-check "$wheel[demo]"
cp -R "$checkout/config" "$checkout/examples" "$place/"
cd "$place"
expect "demo.ini" wheatpaste check config/demo.ini
expect "demo.localhost" wheatpaste show config/demo.ini
expect "flask_guestbook" wheatpaste explain config/demo.ini /guestbook/
serve config/demo.ini --port 0
for path in / /guestbook/ /library/ /wiki/ /poll/ /clock/ /hello/ /echo /health; do
    fetch "$url$path" >/dev/null || fail "$path of the demo does not answer"
done
for path in /guestbook/smudge /library/oldest/ /wiki/cellar /poll/recount /clock/space /hello/knock; do
    expect "examples/" ask '*/*' "$url$path"
    grep -q '^500 ' "$place/out" || fail "$path of the demo does not fail"
done
stop
echo "walked through everything"
