#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# What the scripts have in common: help, arguments, environment, log. It is sourced, and starts nothing by itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The script's header: what it does, its arguments and options. Wherever --help stands before a lone --, nothing is begun.
for argument in "$@"; do
    case "$argument" in
        --) break ;;
        -h | --help) sed -n '4,/^set /{ /^set /d; s/^# \{0,1\}//p; }' "$0"; exit 0 ;;
    esac
done

# One line on what is wrong, and the header's line on what is right.
fail_usage() {
    echo "error: $1; usage: $(sed -n '/^#   bash /{ s/^# *//p; q; }' "$0")" >&2
    exit 2
}

# Sets `positional`, `extra` (all behind a lone --), `background`, `dry_run`, `offline` and `bind` from the arguments;
# options may stand anywhere before the --.
parse_arguments() {
    positional=() extra=() background=no dry_run=no offline=() bind=yes
    while [ $# -gt 0 ]; do
        case "$1" in
            --background) background=yes ;;
            --dry_run) dry_run=yes ;;
            --offline) offline=(--offline) ;;
            --no_bind)
                [[ "$0" =~ _(ascend|gpu)\.sh$ ]] || fail_usage "unknown option $1"
                bind=no ;;
            --) shift; extra=("$@"); break ;;
            --*) fail_usage "unknown option $1 (settings of the training stand behind a lone --)" ;;
            *) positional+=("$1") ;;
        esac
        shift
    done
    [ "${#offline[@]}" -eq 0 ] || [ "$dry_run" = yes ] || fail_usage "--offline belongs to --dry_run"
}

# require_number NAME VALUE: a whole number from 1.
require_number() {
    [[ "$2" =~ ^[1-9][0-9]*$ ]] || fail_usage "$1 is '$2', expected a whole number from 1"
}

# The path as seen from the repository, where everything runs. It need not exist: the program that reads it says so.
# The shell has left a ~ within quotes as it is.
absolute() {
    [ -n "$1" ] || fail_usage "expected a path, got an empty argument"
    case "$1" in
        \~ | \~/*) set -- "$HOME${1:1}" ;;
    esac
    realpath -ms -- "$1"
}

# start NAME COMMAND...: runs it in the repository, its output both on the terminal and in output/NAME/log.txt.
# With --background it only goes to the log, and output/NAME/HOST.pid says which process it is; the status is then that
# of the start.
start() {
    local name=$1 log=output/$1/log.txt pid_file=output/$1/${HOSTNAME:-localhost}.pid pid
    shift
    cd "$root"
    # Errors only: MindSpore's warnings would bury the progress. GLOG_v=2 bash scripts/... shows them.
    export GLOG_v="${GLOG_v:-3}" TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}" PYTHONUNBUFFERED=1
    mkdir -p "output/$name"
    # A run in the background holds its file open, unlike a later process of the same number. Two runs of one name would
    # write the same files.
    if [ -r "$pid_file" ] && read -r pid < "$pid_file" && [ "/proc/$pid/fd/9" -ef "$pid_file" ]; then
        echo "error: $name runs already (process $pid); follow it in $root/$log, or stop it with" \
            "bash scripts/stop.sh ${name@Q}" >&2
        exit 2
    fi
    echo "$name: $*"
    if [ "$background" = yes ]; then
        exec 9> "$pid_file"
        nohup "$@" >> "$log" 2>&1 < /dev/null &
        echo "$!" >&9
        echo "$name: runs in the background; follow it with tail -f $root/$log, stop it with" \
            "bash scripts/stop.sh ${name@Q}"
        return
    fi
    echo "$name: logs to $root/$log; stop it with Ctrl-C"
    # -i: Ctrl-C ends the program, whose last words are still logged. -p: the log goes on when nobody reads the terminal's
    # side any more, as in `... | head`.
    "$@" 2>&1 | tee -aip "$log"
}

# tell_log NAME: where a run's log will be and how it is stopped, at the end of a dry run.
tell_log() {
    echo "log: $root/output/$1/log.txt; started with --background, it is stopped with bash scripts/stop.sh ${1@Q}"
}

# mindspore_of PYTHON: the version of its MindSpore, which is not loaded; nothing and status 1 where it has none.
mindspore_of() {
    "$1" -c 'import importlib.util, pathlib, sys
found = importlib.util.find_spec("mindspore")
if found is None or found.origin is None: sys.exit(1)
said = {}
exec(pathlib.Path(found.origin).with_name("version.py").read_text(), said)
print(said["__version__"])' 2> /dev/null
}

# will_do VERSION: whether requirements.txt allows this version of MindSpore.
will_do() {
    local range
    range=$(sed -n 's/^mindspore>=\([0-9.]*\),<\([0-9.]*\)$/\1 \2/p' "$root/requirements.txt")
    [ "$(printf '%s\n' "${range% *}" "$1" | sort -V | head -n 1)" = "${range% *}" ] &&
        [ "$(printf '%s\n' "${range#* }" "$1" | sort -V | tail -n 1)" != "$1" ]
}

# find_mindspore: sets `python` and `version` to the first of PYTHON (that alone, where it is set), python3, python and
# python3.x that has a MindSpore, and returns 1 where none has. Leaves the shell where that version will not do.
find_mindspore() {
    local candidates=(python3 python python3.11 python3.12 python3.10) candidate
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if ! python=$(command -v "$candidate") || ! version=$(mindspore_of "$python"); then continue; fi
        will_do "$version" && return 0
        echo "error: $python has MindSpore $version, and this needs $(sed -n 's/^mindspore//p' "$root/requirements.txt");" \
            "name another Python with PYTHON=/path/to/python3.11, or, for a .venv with a MindSpore of its own, run" \
            "ISOLATED=1 bash scripts/setup.sh" >&2
        exit 2
    done
    return 1
}

# Sets `python`: .venv where there is one; otherwise a Python that has MindSpore already, as in a vendor's container, and
# the other packages.
choose_python() {
    local version
    python=$root/.venv/bin/python
    [ ! -x "$python" ] || return 0
    if ! find_mindspore; then
        echo "error: there is no .venv, and ${PYTHON:-python3} has no MindSpore; run bash scripts/setup.sh" >&2
        exit 2
    fi
    (cd "$root" && "$python" -m src.versions) || exit 2
}

# set_up_and_run MODULE ARGUMENTS...: a study, in the .venv that is made for it.
set_up_and_run() {
    cd "$root"
    bash scripts/setup.sh
    exec .venv/bin/python -m "$@"
}

# run_standalone SCRIPT CONFIG ARGUMENTS...: `SCRIPT --config_path CONFIG`, where an argument may name another CONFIG and
# what stands behind a lone -- is passed on.
run_standalone() {
    local script=$1 config=$root/$2 status=0
    parse_arguments "${@:3}"
    [ "${#positional[@]}" -le 1 ] || fail_usage "expected at most one argument, got ${#positional[@]}"
    [ "${#positional[@]}" -eq 0 ] || config=$(absolute "${positional[0]}")
    choose_python
    local command=("$python" "$script" --config_path "$config" "${extra[@]}")
    if [ "$dry_run" = yes ]; then
        cd "$root"
        "$python" -m src.launch.dry_run "${offline[@]}" "${command[@]}"
        tell_log "$(basename "$config" .yaml)"
        return
    fi
    start "$(basename "$config" .yaml)" "${command[@]}" || status=$?
    if [ "$status" -eq 2 ] && [ ! -d output/quickstart ]; then
        echo "The recipes name what bash scripts/quickstart.sh prepares: run it first, or edit $config" >&2
    fi
    return "$status"
}

# run_distributed STAGE DEVICE_TARGET ARGUMENTS...: STAGE is gd, td or finetune; the arguments are the number of devices
# (WORKERS on CPU), EPOCH_SIZE, then RANK_TABLE on Ascend, elsewhere for gd DATA_DIR SCHEMA TEACHER_CKPT, and options.
# From the environment: CONFIG, another recipe; DEVICE_CONFIG, other settings of the device, or none; HOSTS, the servers
# without a rank table; NODE_RANK, which of them this is; MASTER_PORT.
run_distributed() {
    local stage=$1 target=$2 name=distributed_$1_${2,,} script count=2 launcher=() settings=() path number=DEVICE_NUM
    local -A scripts=([gd]=run_general_distill.py [td]=run_task_distill.py [finetune]=run_finetune.py)
    script=${scripts[$stage]}
    [ "$target" != CPU ] || number=WORKERS
    [ "$stage" != gd ] || count=5
    [ "$target" != Ascend ] || count=3
    parse_arguments "${@:3}"
    [ "${#positional[@]}" -eq "$count" ] || fail_usage "expected $count arguments, got ${#positional[@]}"
    require_number "$number" "${positional[0]}"
    require_number EPOCH_SIZE "${positional[1]}"

    local recipe device_config=${DEVICE_CONFIG:-$root/configs/${target,,}.yaml}
    recipe=$(absolute "${CONFIG:-$root/configs/tinybert_$stage.yaml}")
    settings=(--config_path "$recipe")
    if [ "$device_config" != none ] && [ "$target${DEVICE_CONFIG:-}" != CPU ]; then
        path=$(absolute "$device_config")
        settings+=(--config_path "$path")
    fi
    settings+=(--distribute true --device_num "${positional[0]}" --device_target "$target"
        --save_ckpt_path "output/$name" --epoch_size "${positional[1]}")
    launcher=(--device_target "$target" --device_num "${positional[0]}" --log_dir "output/$name/log")
    local options=(--data_dir --schema_dir --load_teacher_ckpt_path) index
    for ((index = 2; index < count; index++)); do
        path=$(absolute "${positional[index]}")
        if [ "$target" = Ascend ]; then
            launcher+=(--rank_table "$path")
        else
            settings+=("${options[index - 2]}" "$path")
        fi
    done
    [ -z "${HOSTS:-}" ] || launcher+=(--hosts "$HOSTS")
    [ -z "${NODE_RANK:-}" ] || launcher+=(--node_rank "$NODE_RANK")
    [ -z "${MASTER_PORT:-}" ] || launcher+=(--master_port "$MASTER_PORT")
    [ "$bind" = no ] || [ "$target" = CPU ] || launcher+=(--bind)
    if [ "$target" = CPU ] && [ -z "${HOSTS:-}" ]; then  # on several hosts it is not known how many of them are here
        local each=$(($(nproc) / positional[0]))
        export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((each > 1 ? each : 1))}
    fi

    choose_python
    local command=("$python" -m src.launch.launch "${launcher[@]}")
    if [ "$dry_run" = yes ]; then
        cd "$root"
        "${command[@]}" --dry_run "${offline[@]}" "$script" "${settings[@]}" "${extra[@]}"
        tell_log "$name"
    else
        start "$name" "${command[@]}" "$script" "${settings[@]}" "${extra[@]}"
    fi
}
