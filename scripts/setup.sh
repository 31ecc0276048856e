#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Makes .venv in the repository and installs the requirements into it.
#
#   bash scripts/setup.sh          the runtime
#   bash scripts/setup.sh --dev    the runtime and what the tests need
#
# PYTHON=/path/to/python3.12 chooses the interpreter; otherwise it is the first of python3.11, python3.12, python3.10,
# python3 and python that will do. One that has MindSpore already (an image for Ascend) comes first and keeps it: .venv
# then stands on top of its packages, and only what is missing is installed; ISOLATED=1 looks for none and installs all.
# Run it again at any time: it returns at once when nothing has changed, installs what has, and begins anew after an
# installation that was cut short. Starts nothing in the background; Ctrl-C stops it.
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

# Sets `python`, the interpreter to build with, and `version`, that of its MindSpore where it is to be kept.
find_python() {
    local candidate
    version=
    if [ "${ISOLATED:-}" != 1 ] && find_mindspore; then
        "$python" -c "$supported" 2>/dev/null && return 0
        echo "error: $python has MindSpore $version, but is not a Python 3.10, 3.11 or 3.12 with the venv module; add" \
             "that (on Debian or Ubuntu: apt-get install python3-venv), or name another Python with PYTHON" >&2
        exit 2
    fi
    version=
    if [ -n "${PYTHON:-}" ]; then
        if "$PYTHON" -c "$supported" 2>/dev/null; then python=$(command -v "$PYTHON"); return 0; fi
        echo "error: PYTHON=$PYTHON is not a Python 3.10, 3.11 or 3.12 with the venv module; name one that is" >&2
        exit 2
    fi
    for candidate in python3.11 python3.12 python3.10 python3 python; do
        if "$candidate" -c "$supported" 2>/dev/null; then python=$(command -v "$candidate"); return 0; fi
    done
    echo "error: found no Python 3.10, 3.11 or 3.12 with the venv module; install one (on Debian or Ubuntu:" \
         "apt-get install python3.11-venv) or say where it is with PYTHON=/path/to/python3.11" >&2
    exit 2
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Whether .venv is to be made: it is not there, was cut short or moved, or stands on another Python or MindSpore.
is_stale() {
    if [ ! -x .venv/bin/python ] || ! recorded "$folder"; then return 0; fi
    if [ -n "$kept" ] && { [ "${ISOLATED:-}" = 1 ] || [ "$(mindspore_of .venv/bin/python)" != "$kept" ]; }; then
        return 0
    fi
    [ -n "${PYTHON:-}" ] || return 1
    find_python
    [ "$(version_of "$python")" != "$(version_of .venv/bin/python)" ] || [ "$version" != "$kept" ]
}

# The .venv of this folder, which may be active, is no interpreter to build with.
PATH=${PATH//"$PWD/.venv/bin:"/}
[[ "$(realpath -ms -- "${PYTHON:-python}")" != "$PWD/.venv/"* ]] || unset PYTHON
kept=$(sed -n 's/^keeps MindSpore //p' "$stamp" 2>/dev/null || true)
if is_stale; then
    find_python
    rm -rf .venv
    if [ -z "$version" ]; then
        echo "setup: making .venv with $python ($("$python" -V))" >&2
        "$python" -m venv .venv
    else
        echo "setup: making .venv on top of $python ($("$python" -V)), whose MindSpore $version stays" >&2
        "$python" -m venv --system-site-packages .venv
        # One that stands on top of a venv sees the packages of the interpreter below both.
        "$python" -c 'import sys, sysconfig
if sys.prefix != sys.base_prefix: print(sysconfig.get_path("purelib"))' \
            > "$(echo .venv/lib/python3*/site-packages)/below.pth"
    fi
    kept=$version
elif recorded "$(digest "$requirements")"; then
    exit 0
fi
rm -f "$stamp"

# What pip is given: without MindSpore, where it is there.
given=("${pinned[@]}" -r "$requirements")
if [ -n "$kept" ]; then
    for name in requirements*.txt constraints.txt; do
        [ ! -f "$name" ] || { grep -v '^mindspore[=>]' "$name" || true; } > ".venv/$name"
    done
    given=("${pinned[@]/#constraints/.venv/constraints}" -r ".venv/$requirements")
fi
size="some 5 GB and a few minutes the first time"
[ -z "$kept" ] || size="what MindSpore $kept does not bring"
echo "setup: installing $requirements into .venv: $size; log: .venv/pip.log" >&2
pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"; }
# seqeval comes as source only; without --use-pep517 an older pip builds it with what happens to be installed, and fails.
if ! pip install --use-pep517 "${given[@]}" > .venv/pip.log 2>&1; then
    grep '^ERROR' .venv/pip.log >&2 || tail -n 5 .venv/pip.log >&2
    echo "error: pip could not install $requirements; the whole of its log is in $PWD/.venv/pip.log" >&2
    exit 1
fi
if ! conflicts=$(pip check); then
    [ -n "$kept" ] || { echo "error: .venv is not consistent: $conflicts" >&2; exit 1; }
    # The image's own, or of it and what .venv has in their place.
    while read -r line; do echo "setup: note: $line" >&2; done <<< "$conflicts"
fi

# The runtime's requirements are part of the tests'.
{
    echo "$folder"
    digest requirements.txt
    [ "$requirements" = requirements.txt ] || digest "$requirements"
    [ -z "$kept" ] || echo "keeps MindSpore $kept"
} > "$stamp.new"
mv "$stamp.new" "$stamp"
echo "setup: .venv is ready; source .venv/bin/activate, or use .venv/bin/python" >&2
