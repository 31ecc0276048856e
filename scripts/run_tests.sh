#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Sets up .venv, runs the linter and the type checker, then the tests. A fresh clone needs nothing else.
#
#   bash scripts/run_tests.sh                    everything
#   bash scripts/run_tests.sh -m small           the fast part; markers: small, medium, large (see pyproject.toml)
#   bash scripts/run_tests.sh tests/unit -k mask  any pytest options; -n 0 runs them in one process
#
# MATRIX=1 bash scripts/run_tests.sh also compares the golden losses with MindSpore 2.7.0, in an environment of its own
# (maintenance/version_matrix.sh, 4.5 GB).
#
# The tests run in as many processes as there are cores, at most 4, each with one thread, and one for each 3 GB of
# memory. Logs to the terminal; Ctrl-C stops it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints how many processes the memory of this machine, or of its control group (of version 2 or 1), is enough for.
processes() {
    local memory most file
    memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024))
    for file in /sys/fs/cgroup{,"$(sed -n 's/^0:://p' /proc/self/cgroup)"}/memory.max \
        /sys/fs/cgroup/memory{,"$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)"}/memory.limit_in_bytes; do
        if read -r most 2>/dev/null < "$file" && [[ "$most" =~ ^[0-9]{1,18}$ ]] && [ "$most" -lt "$memory" ]; then
            memory=$most
        fi
    done
    most=$((memory / 3000000000))
    echo $((most < 1 ? 1 : most > 4 ? 4 : most))
}

bash scripts/setup.sh --dev
echo "run_tests: ruff check" >&2
.venv/bin/python -m ruff check .
echo "run_tests: mypy" >&2
.venv/bin/python -m mypy
[ "${MATRIX:-}" != 1 ] || bash maintenance/version_matrix.sh --golden 2.7.0
echo "run_tests: pytest $*" >&2
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec .venv/bin/python -m pytest -n logical --maxprocesses "$(processes)" --dist worksteal "$@"
