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
stop
echo "walked through everything"
