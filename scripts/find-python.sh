#!/bin/sh
# Prints a Python of the first of the versions given that is here (find-python.sh 3.11 3.12 ...), on the PATH or in pyenv;
# else whatever python3 is, if its version is among them; else nothing.

for version in "$@"; do
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
        if "$python" -c '' 2>/dev/null; then
            echo "$python"
            exit 0
        fi
    done
done
found="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
for version in "$@"; do
    if [ "$found" = "$version" ]; then
        echo python3
        exit 0
    fi
done
