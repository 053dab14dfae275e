#!/bin/sh
# Installs what the page's browser tests need and is missing: Debian's Chromium, Node.js, and the one package that drives the
# browser. It is in the lock file with its checksum.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "no browser for the page's tests: $1" >&2; exit 1; }

packages=""
[ -x /usr/bin/chromium ] || packages="$packages chromium"
command -v node >/dev/null 2>&1 || packages="$packages nodejs"
command -v npm >/dev/null 2>&1 || packages="$packages npm"
if [ -n "$packages" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        fail "install$packages (on Debian as root: apt-get install$packages)"
    fi
    echo "installing:$packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The list is split into words on purpose.
    # shellcheck disable=SC2086
    { apt-get update -q && apt-get install -q -y --no-install-recommends $packages; } || fail "apt-get could not install$packages"
fi

# What is installed already is left alone while the lock file is the one it was installed from.
installed=tests/web/node_modules/.lock
if [ ! -e tests/web/node_modules/playwright-core/index.mjs ] || ! cmp -s tests/web/package-lock.json "$installed"; then
    npm ci --prefix tests/web >&2 || fail "npm ci in tests/web failed"
    cp tests/web/package-lock.json "$installed"
fi
