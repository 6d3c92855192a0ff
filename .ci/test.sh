#!/bin/sh
# `make test`: lint, types and the suite, against the wheel as a user would install it.
#
# The whole suite runs on $PYTHON; the fast part on every other supported Python that is found. What a test needs is
# installed (Debian packages when root on Debian). Elsewhere the missing things are listed, and with CI=true that fails.
set -eu
PYTHON=${PYTHON:-python3}
missing=""

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "wheatpaste needs Python 3.11 or newer; name one with PYTHON=…" >&2
    exit 1
}

# --- Debian packages: a browser for the pages, proxies before the server, other servers beside it, its clients, and
# what keeps users, sessions and identities.
need=""
command -v chromium >/dev/null 2>&1 || need="$need chromium"
command -v chromedriver >/dev/null 2>&1 || need="$need chromium-driver"
[ -e /usr/lib/apache2/modules/mod_wsgi.so ] || need="$need apache2 libapache2-mod-wsgi-py3"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need="$need postgresql"
for program in nginx:nginx-light haproxy:haproxy curl:curl openssl:openssl wrk:wrk ab:apache2-utils slowhttptest:slowhttptest \
    htpasswd:apache2-utils redis-server:redis-server oathtool:oathtool fail2ban-regex:fail2ban node:nodejs npm:npm \
    slapd:slapd ldapsearch:ldap-utils; do
    PATH="$PATH:/usr/sbin" command -v "${program%%:*}" >/dev/null 2>&1 || need="$need ${program##*:}"
done
# The driver for LDAP is to be had as source alone.
if [ ! -e /usr/include/ldap.h ] || [ ! -e /usr/include/sasl/sasl.h ] || ! command -v gcc >/dev/null 2>&1; then
    need="$need libldap2-dev libsasl2-dev gcc libc6-dev"
fi
if [ -n "$need" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need fonts-dejavu-core >/dev/null
    else
        missing="$missing$need"
    fi
fi

# --- The wheel, from the files that git knows: what lies around must not ship.
work=build/test
rm -rf "$work"
mkdir -p "$work/source"
if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$work/source"
else
    tar --exclude=./build --exclude=./.venv -cf - . | tar -xf - -C "$work/source"
fi

extras=test
[ -e /usr/include/ldap.h ] && extras=test,ldap

environment() { # $1 python, $2 folder, $3 extras
    "$1" -m venv "$2"
    "$2/bin/python" -m pip install --quiet --disable-pip-version-check "$(echo "$work"/dist/*.whl)[$3]"
}

"$PYTHON" -m venv "$work/builder"
"$work/builder/bin/python" -m pip install --quiet --disable-pip-version-check build
"$work/builder/bin/python" -m build --quiet --wheel --outdir "$work/dist" "$work/source"
environment "$PYTHON" "$work/main" "$extras"

echo "== lint and types"
sh .ci/lint.sh "$work/main/bin"

echo "== the whole suite on $("$PYTHON" -V)"
WHEATPASTE_SOAK="${WHEATPASTE_SOAK:-180}" WHEATPASTE_WHEEL="$(echo "$PWD/$work"/dist/*.whl)" "$work/main/bin/python" -P -m pytest -n "${JOBS:-3}" --dist loadgroup -q "$@"

echo "== a walk through every command, from the wheel alone"
sh .ci/walk.sh "$PYTHON" "$work"/dist/*.whl

echo "== reloads, a change of certificates and a drain under load"
"$work/main/bin/python" -P .ci/rolling.py

for version in 3.11 3.12 3.13; do
    "$PYTHON" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] == '$version')" || continue
    python=""
    for candidate in "python$version" "$(ls -d "$HOME"/.pyenv/versions/$version.*/bin/python 2>/dev/null | tail -n 1)"; do
        if [ -n "$candidate" ] && "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        [ "$version" = 3.11 ] || missing="$missing python$version"
        continue
    fi
    echo "== the fast part on Python $version"
    environment "$python" "$work/python$version" "$extras"
    "$work/python$version/bin/python" -P -m pytest -n "${JOBS:-4}" --dist loadgroup -q -m "not slow" "$@"
done

if [ -n "$missing" ]; then
    echo "could not run everything here; missing:$missing" >&2
    [ "${CI:-}" != true ]
fi
