#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Makes .venv in the repository and installs the requirements into it.
#
#   bash scripts/setup.sh          the runtime
#   bash scripts/setup.sh --dev    the runtime and what the tests need
#
# PYTHON=/path/to/python3.12 chooses the interpreter; otherwise it is the first of python3.11, python3.12, python3.10,
# python3 and python that will do. Run it again at any time: it returns at once when nothing has changed, installs what
# has, and begins anew after an installation that was cut short. Starts nothing in the background; Ctrl-C stops it.
#
# The versions are those of constraints.txt, which the tests were run with. UNPINNED=1 bash scripts/setup.sh takes the
# newest ones that the requirements allow.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

requirements=requirements.txt
if [ "$*" = --dev ]; then
    requirements="requirements-dev.txt"
elif [ $# -gt 0 ]; then
    echo "usage: bash scripts/setup.sh [--dev]" >&2
    exit 2
fi

# Two set-ups of one folder at a time (say the quick start and the tests) would install over each other.
exec 9< requirements.txt
flock 9

# The stamp says where and from what .venv was made; there is none while it is being made. The folder is in it because
# commands inside a .venv hold its path.
stamp=.venv/.installed
folder="folder $PWD"
pinned=()
if [ "${UNPINNED:-}" != 1 ] && [ -f constraints.txt ]; then
    pinned=(--constraint constraints.txt)
fi
# Nothing in place of the file's name with UNPINNED=1.
digest() { echo "$1 $(cat requirements.txt "$1" "${pinned[@]:1}" | sha256sum)"; }
recorded() { grep -qxF "$1" "$stamp" 2>/dev/null; }

supported='import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'

# Prints the interpreter to build with.
find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        if "$PYTHON" -c "$supported" 2>/dev/null; then command -v "$PYTHON"; return 0; fi
        echo "error: PYTHON=$PYTHON is not a Python 3.10, 3.11 or 3.12 with the venv module; name one that is" >&2
        return 2
    fi
    for candidate in python3.11 python3.12 python3.10 python3 python; do
        if "$candidate" -c "$supported" 2>/dev/null; then command -v "$candidate"; return 0; fi
    done
    echo "error: found no Python 3.10, 3.11 or 3.12 with the venv module; install one (on Debian or Ubuntu:" \
         "apt-get install python3.11-venv) or say where it is with PYTHON=/path/to/python3.11" >&2
    return 2
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

if [ ! -x .venv/bin/python ] || ! recorded "$folder" ||
    { [ -n "${PYTHON:-}" ] && [ "$(version_of "$PYTHON")" != "$(version_of .venv/bin/python)" ]; }; then
    python=$(find_python)
    echo "setup: making .venv with $python ($("$python" -V))" >&2
    rm -rf .venv
    "$python" -m venv .venv
elif recorded "$(digest "$requirements")"; then
    exit 0
fi
rm -f "$stamp"

echo "setup: installing $requirements into .venv: some 5 GB and a few minutes the first time; log: .venv/pip.log" >&2
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"; }
# seqeval comes as source only; without --use-pep517 an older pip builds it with what happens to be installed, and fails.
if ! pip install --use-pep517 "${pinned[@]}" -r "$requirements" > .venv/pip.log 2>&1; then
    grep '^ERROR' .venv/pip.log >&2 || tail -n 5 .venv/pip.log >&2
    echo "error: pip could not install $requirements; the whole of its log is in $PWD/.venv/pip.log" >&2
    exit 1
fi
conflicts=$(pip check) || { echo "error: .venv is not consistent: $conflicts" >&2; exit 1; }

# The runtime's requirements are part of the tests'.
{
    echo "$folder"
    digest requirements.txt
    [ "$requirements" = requirements.txt ] || digest "$requirements"
} > "$stamp.new"
mv "$stamp.new" "$stamp"
echo "setup: .venv is ready; source .venv/bin/activate, or use .venv/bin/python" >&2
