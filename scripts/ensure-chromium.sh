#!/bin/sh
# Makes sure there is a Chromium for the browser tests: the one in $CHROMIUM, one on the PATH, or Debian's, installed now.
set -eu

if [ -n "${CHROMIUM:-}" ]; then
    [ -x "$CHROMIUM" ] && exit 0
    echo "CHROMIUM=$CHROMIUM is not a program" >&2
    exit 1
fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "The browser tests need Chromium: install it (sudo apt-get install chromium) or set CHROMIUM=/path/to/it." >&2
        exit 1
    fi
    echo "installing Debian's chromium for the browser tests"
    $as_root apt-get update -qq </dev/null
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium </dev/null
    exit 0
fi
echo "The browser tests need Chromium: install it or set CHROMIUM=/path/to/it." >&2
exit 1
