#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# What the run_*.sh scripts have in common: arguments, environment, log. It is sourced, and starts nothing by itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Sets `positional`, `background` and `dry_run` from the arguments; the two options may stand anywhere.
parse_arguments() {
    positional=()
    background=no
    dry_run=no
    local argument
    for argument in "$@"; do
        case "$argument" in
            --background) background=yes ;;
            --dry_run) dry_run=yes ;;
            -h | --help) echo "$usage"; exit 0 ;;
            --*) fail_usage "unknown option $argument" ;;
            *) positional+=("$argument") ;;
        esac
    done
}

# One line on what is wrong and what is right; `usage` is set by the script.
fail_usage() {
    echo "error: $1; $usage" >&2
    exit 2
}

require_count() {
    [ "${#positional[@]}" -eq "$1" ] || fail_usage "expected $1 arguments, got ${#positional[@]}"
}

# require_number NAME VALUE: a whole number from 1.
require_number() {
    [[ "$2" =~ ^[1-9][0-9]*$ ]] || fail_usage "$1 is '$2', expected a whole number from 1"
}

# The path as seen from the repository, where everything runs. It need not exist: the program that reads it says so.
absolute() { realpath -ms -- "$1"; }

# start NAME COMMAND...: runs it in the repository, its output both on the terminal and in output/NAME/log.txt.
# With --background it only goes to the log; the status is then that of the start.
start() {
    local name=$1 log=output/$1/log.txt status=0
    shift
    cd "$root"
    # Errors only: MindSpore's warnings would bury the progress. GLOG_v=2 bash scripts/... shows them.
    export GLOG_v="${GLOG_v:-3}" TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}" PYTHONUNBUFFERED=1
    mkdir -p "output/$name"
    echo "$name: $*"
    if [ "$background" = yes ]; then
        nohup "$@" >> "$log" 2>&1 < /dev/null &
        echo "$name: runs in the background; follow it with tail -f $root/$log, stop it with kill $!"
        return 0
    fi
    echo "$name: logs to $root/$log; stop it with Ctrl-C"
    # -i: Ctrl-C ends the program, whose last words are still logged.
    "$@" 2>&1 | tee -ai "$log" || status=$?
    return "$status"
}

# run_standalone SCRIPT CONFIG ARGUMENTS...: `SCRIPT --config_path CONFIG`, where an argument may name another CONFIG.
run_standalone() {
    local script=$1 config=$root/$2
    shift 2
    parse_arguments "$@"
    [ "${#positional[@]}" -le 1 ] || fail_usage "expected at most one argument, got ${#positional[@]}"
    [ "${#positional[@]}" -eq 0 ] || config=$(absolute "${positional[0]}")
    local command=("$python" "$script" --config_path "$config")
    if [ "$dry_run" = yes ]; then
        echo "${command[*]}"
        return
    fi
    local status=0
    start "$(basename "$config" .yaml)" "${command[@]}" || status=$?
    if [ "$status" -eq 2 ] && [ ! -d output/quickstart ]; then
        echo "The recipes name what bash scripts/quickstart.sh prepares: run it first, or edit $config" >&2
    fi
    return "$status"
}

# run_distributed DEVICE_TARGET DEVICE_NUM EPOCH_SIZE [options of src.tools.launch] -- [options of the training]
run_distributed() {
    local target=$1 device_num=$2 epoch_size=$3 name=distributed_gd_${1,,} config
    local launcher=("$python" -m src.tools.launch --device_target "$1" --device_num "$2" --log_dir "output/$name/log")
    shift 3
    while [ "$1" != -- ]; do
        launcher+=("$1")
        shift
    done
    shift
    config=$(absolute "${CONFIG:-$root/configs/tinybert_gd.yaml}")
    local training=(run_general_distill.py --config_path "$config" --distribute true --device_num "$device_num"
        --device_target "$target" --epoch_size "$epoch_size" --save_ckpt_path "output/$name" "$@")
    if [ "$dry_run" = yes ]; then
        cd "$root"
        "${launcher[@]}" --dry_run "${training[@]}"
    else
        start "$name" "${launcher[@]}" "${training[@]}"
    fi
}

# .venv where there is one; otherwise a Python that has MindSpore already, as in a vendor's container.
python=$root/.venv/bin/python
if [ ! -x "$python" ]; then
    python=$(command -v "${PYTHON:-python3}" || true)
    has_mindspore='import sys, importlib.util as u; sys.exit(u.find_spec("mindspore") is None)'
    if [ -z "$python" ] || ! "$python" -c "$has_mindspore" 2>/dev/null; then
        echo "error: there is no .venv, and ${PYTHON:-python3} has no MindSpore; run bash scripts/setup.sh" >&2
        exit 2
    fi
fi
