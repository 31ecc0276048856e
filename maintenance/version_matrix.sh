#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Runs the tests that depend on MindSpore with each of several versions of it, and prints a table.
#
#   bash maintenance/version_matrix.sh 2.7.0 2.8.0 2.9.0 2.10.0              with python3.11, or PYTHON=python3.10
#   bash maintenance/version_matrix.sh --golden 2.7.0                        the golden losses alone: a minute
#   bash maintenance/version_matrix.sh 2.7.0 2.10.0 -- -k resume             other options of pytest
#
# Each version has an environment of its own, output/matrix/VERSION-PYTHON (4.5 GB), which is used again: everything else
# in it is what constraints.txt names. After the tests, runs that were begun with the first version named are continued
# with the last one, and the other way round. Logs: output/matrix/VERSION-PYTHON.log. The status is 0 where all passed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/common.sh"
cd "$root"

# Rooms that do not use MindSpore, the scripts, which use .venv, and files whose tests are of data and documents.
tests=(tests/recipe tests/unit/test_device_settings.py tests/unit/test_versions.py tests/unit/test_predict.py)
for room in checkpoints convert dataset distill evaluate export models runs train; do
    tests+=("tests/unit/$room")
done
tests+=(tests/unit/records/test_records.py tests/unit/launch/test_launch.py)
options=(--ignore tests/recipe/test_first_hour_data.py)
versions=()
while [ $# -gt 0 ]; do
    case "$1" in
        --golden) options=(-m golden) tests=(tests/recipe) ;;
        --) shift; options+=("$@"); break ;;
        2.*) versions+=("$1") ;;
        *) fail_usage "expected versions such as 2.7.0, got '$1'" ;;
    esac
    shift
done
[ "${#versions[@]}" -gt 0 ] || fail_usage "expected one version or several"
python=$(command -v "${PYTHON:-python3.11}") || fail_usage "there is no ${PYTHON:-python3.11}; name another with PYTHON"
minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p output/matrix
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# environment VERSION: makes it, unless it is there and the requirements are the same.
environment() {
    local folder=output/matrix/$1-$minor stamp
    stamp="$root $(cat requirements.txt constraints.txt | sha256sum)"
    [ "$(cat "$folder/.installed" 2> /dev/null)" != "$stamp" ] || return 0
    echo "version_matrix: installing MindSpore $1 into $folder" >&2
    rm -rf "$folder"
    "$python" -m venv "$folder"
    grep -v '^mindspore=' constraints.txt > "$folder/constraints.txt"
    "$folder/bin/python" -m pip --disable-pip-version-check --no-input install --use-pep517 \
        -c "$folder/constraints.txt" -r requirements.txt "mindspore==$1" pytest pytest-xdist > "$folder/pip.log" 2>&1 &&
        "$folder/bin/python" -m pip check > "$folder/check.log" && echo "$stamp" > "$folder/.installed"
}

# report NAME SECONDS LOG: a row of the table, out of the last line of pytest.
report() {
    local line word row
    line=$(grep -E '[0-9]+ (passed|failed|skipped|error)' "$3" | tail -n 1) || line=
    row=$(printf '%-9s %-6s' "$1" "$minor")
    for word in passed failed error skipped; do
        row+=$(printf ' %7s' "$(grep -oE "[0-9]+ $word" <<< "$line" | cut -d ' ' -f 1 || echo 0)")
    done
    rows+=("$row $(printf '%7s' "$2")")
}

# run_tests NAME PYTHON ARGUMENTS...
run_tests() {
    local name=$1 python=$2 log=output/matrix/$1-$minor.log begun=$SECONDS
    shift 2
    echo "version_matrix: $name, Python $minor: pytest $*; log: $log" >&2
    "$python" -m pytest -q -n logical --maxprocesses 4 --dist worksteal -p no:cacheprovider "$@" > "$log" 2>&1 || {
        status=1
        grep -E '^(FAILED|ERROR)' "$log" >&2 || tail -n 5 "$log" >&2
    }
    report "$name" "$((SECONDS - begun))" "$log"
}

rows=() status=0
for version in "${versions[@]}"; do
    if environment "$version"; then
        run_tests "$version" "output/matrix/$version-$minor/bin/python" "${options[@]}" "${tests[@]}"
    else
        tail -n 3 "output/matrix/$version-$minor/pip.log" >&2
        rows+=("$(printf '%-9s %-6s' "$version" "$minor") not installed: output/matrix/$version-$minor/pip.log")
        status=1
    fi
done
first=output/matrix/${versions[0]}-$minor last=output/matrix/${versions[-1]}-$minor
if [ "${#versions[@]}" -gt 1 ] && [ -f "$first/.installed" ] && [ -f "$last/.installed" ]; then
    OTHER_PYTHON=$root/$first/bin/python run_tests exchange "$last/bin/python" tests/recipe/test_exchange.py
fi
printf '%-9s %-6s %7s %7s %7s %7s %7s\n' MindSpore Python passed failed errors skipped seconds
printf '%s\n' "${rows[@]}"
exit "$status"
