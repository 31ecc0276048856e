#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# What the run_*.sh scripts have in common: arguments, environment, log. It is sourced, and starts nothing by itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Prints the calling script's header where its first argument asks for help, before anything is installed.
header_on_help() {
    case "${1:-}" in
        -h | --help) sed -n '4,/^set /{ /^set /d; s/^# \{0,1\}//p; }' "${BASH_SOURCE[1]}"; exit 0 ;;
    esac
}

# Sets `positional`, `extra` (all behind a lone --), `background`, `dry_run` and `bind` from the arguments; options may
# stand anywhere before the --. The script sets `is_distributed` where --no_bind means something.
parse_arguments() {
    positional=()
    extra=()
    background=no
    dry_run=no
    bind=yes
    while [ $# -gt 0 ]; do
        case "$1" in
            --background) background=yes ;;
            --dry_run) dry_run=yes ;;
            -h | --help) echo "$usage"; exit 0 ;;
            --) shift; extra=("$@"); return ;;
            --no_bind)
                [ "${is_distributed:-no}" = yes ] || fail_usage "unknown option $1"
                bind=no ;;
            --*) fail_usage "unknown option $1 (settings of the training stand behind a lone --)" ;;
            *) positional+=("$1") ;;
        esac
        shift
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
absolute() {
    [ -n "$1" ] || fail_usage "expected a path, got an empty argument"
    realpath -ms -- "$1"
}

# The start of process $1 (in clock ticks since the boot) and the boot, which a later process of the same number does not
# share; nothing where that process has ended, or the system has no /proc.
identity() {
    local line fields boot=/proc/sys/kernel/random/boot_id
    [ -r "/proc/$1/stat" ] && [ -r "$boot" ] || return 0
    { read -r line < "/proc/$1/stat"; } 2> /dev/null || return 0
    # The program's name, in brackets, may hold spaces; the state is the first field behind it, the start the 20th.
    read -r -a fields <<< "${line##*)}"
    [ "${fields[0]}" != Z ] || return 0
    echo "${fields[19]} $(< "$boot")"
}

# Ends the script where process file $2 names a running process: two runs of one name would write the same files.
refuse_second_run() {
    local pid own
    [ -r "$2" ] && read -r pid own < "$2" || return 0
    if [[ "$pid" =~ ^[0-9]+$ ]] && [ -n "$own" ] && [ "$own" = "$(identity "$pid")" ]; then
        echo "error: $1 runs already (process $pid); follow it in $root/output/$1/log.txt, or stop it with" \
            "bash scripts/stop.sh ${1@Q}" >&2
        exit 2
    fi
}

# start NAME COMMAND...: runs it in the repository, its output both on the terminal and in output/NAME/log.txt.
# With --background it only goes to the log, and output/NAME/HOST.pid says which process it is; the status is then that
# of the start.
start() {
    local name=$1 log=output/$1/log.txt pid_file=output/$1/${HOSTNAME:-localhost}.pid status=0
    shift
    cd "$root"
    # Errors only: MindSpore's warnings would bury the progress. GLOG_v=2 bash scripts/... shows them.
    export GLOG_v="${GLOG_v:-3}" TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}" PYTHONUNBUFFERED=1
    mkdir -p "output/$name"
    refuse_second_run "$name" "$pid_file"
    echo "$name: $*"
    if [ "$background" = yes ]; then
        nohup "$@" >> "$log" 2>&1 < /dev/null &
        echo "$! $(identity "$!")" > "$pid_file.part"
        mv "$pid_file.part" "$pid_file"
        echo "$name: runs in the background; follow it with tail -f $root/$log, stop it with" \
            "bash scripts/stop.sh ${name@Q}"
        return 0
    fi
    echo "$name: logs to $root/$log; stop it with Ctrl-C"
    # -i: Ctrl-C ends the program, whose last words are still logged.
    "$@" 2>&1 | tee -ai "$log" || status=$?
    return "$status"
}

# Sets `python`: .venv where there is one; otherwise a Python that has MindSpore already, as in a vendor's container.
choose_python() {
    local has_mindspore='import sys, importlib.util as u; sys.exit(u.find_spec("mindspore") is None)'
    python=$root/.venv/bin/python
    if [ ! -x "$python" ]; then
        python=$(command -v "${PYTHON:-python3}" || true)
        if [ -z "$python" ] || ! "$python" -c "$has_mindspore" 2>/dev/null; then
            echo "error: there is no .venv, and ${PYTHON:-python3} has no MindSpore; run bash scripts/setup.sh" >&2
            exit 2
        fi
    fi
}

# run_standalone SCRIPT CONFIG ARGUMENTS...: `SCRIPT --config_path CONFIG`, where an argument may name another CONFIG and
# what stands behind a lone -- is passed on.
run_standalone() {
    local script=$1 config=$root/$2
    shift 2
    parse_arguments "$@"
    [ "${#positional[@]}" -le 1 ] || fail_usage "expected at most one argument, got ${#positional[@]}"
    [ "${#positional[@]}" -eq 0 ] || config=$(absolute "${positional[0]}")
    choose_python
    local command=("$python" "$script" --config_path "$config" "${extra[@]}")
    if [ "$dry_run" = yes ]; then
        cd "$root"
        "$python" -m src.launch.dry_run "${command[@]}"
        return
    fi
    local status=0
    start "$(basename "$config" .yaml)" "${command[@]}" || status=$?
    if [ "$status" -eq 2 ] && [ ! -d output/quickstart ]; then
        echo "The recipes name what bash scripts/quickstart.sh prepares: run it first, or edit $config" >&2
    fi
    return "$status"
}

# run_distributed STAGE DEVICE_TARGET DEVICE_NUM [options of src.launch.launch] -- [options of the training]
# STAGE is gd, td or finetune. What the caller's command line holds behind its own -- is added at the end.
# From the environment: CONFIG, another recipe; DEVICE_CONFIG, other settings of the device, or none; HOSTS, the servers
# without a rank table; NODE_RANK, which of them this is; MASTER_PORT.
run_distributed() {
    local stage=$1 target=$2 device_num=$3 name=distributed_$1_${2,,} script recipe
    shift 3
    case "$stage" in
        gd) script=run_general_distill.py recipe=configs/tinybert_gd.yaml ;;
        td) script=run_task_distill.py recipe=configs/tinybert_td.yaml ;;
        finetune) script=run_finetune.py recipe=configs/tinybert_finetune.yaml ;;
    esac
    choose_python
    local launcher=("$python" -m src.launch.launch --device_target "$target" --device_num "$device_num"
        --log_dir "output/$name/log")
    while [ "$1" != -- ]; do
        launcher+=("$1")
        shift
    done
    shift
    [ -z "${HOSTS:-}" ] || launcher+=(--hosts "$HOSTS")
    [ -z "${NODE_RANK:-}" ] || launcher+=(--node_rank "$NODE_RANK")
    [ -z "${MASTER_PORT:-}" ] || launcher+=(--master_port "$MASTER_PORT")
    [ "$bind" = no ] || [ "$target" = CPU ] || launcher+=(--bind)

    local recipe_path device_config=${DEVICE_CONFIG:-$root/configs/${target,,}.yaml}
    recipe_path=$(absolute "${CONFIG:-$root/$recipe}")
    local training=("$script" --config_path "$recipe_path")
    if [ "$device_config" != none ] && [ "$target${DEVICE_CONFIG:-}" != CPU ]; then
        device_config=$(absolute "$device_config")
        training+=(--config_path "$device_config")
    fi
    training+=(--distribute true --device_num "$device_num" --device_target "$target"
        --save_ckpt_path "output/$name" "$@" "${extra[@]}")
    if [ "$dry_run" = yes ]; then
        cd "$root"
        "${launcher[@]}" --dry_run "${training[@]}"
    else
        start "$name" "${launcher[@]}" "${training[@]}"
    fi
}

# share_cores WORKERS: so many processes on this host do not take each other's cores.
share_cores() {
    [ -z "${HOSTS:-}" ] || return 0  # how many of them are here is not known
    local each=$(($(nproc) / $1))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((each > 1 ? each : 1))}
}

# run_on_ascend STAGE ARGUMENTS...: DEVICE_NUM EPOCH_SIZE RANK_TABLE and options, as the scripts take them.
run_on_ascend() {
    local stage=$1 rank_table is_distributed=yes
    shift
    parse_arguments "$@"
    require_count 3
    require_number DEVICE_NUM "${positional[0]}"
    require_number EPOCH_SIZE "${positional[1]}"
    rank_table=$(absolute "${positional[2]}")
    run_distributed "$stage" Ascend "${positional[0]}" --rank_table "$rank_table" -- --epoch_size "${positional[1]}"
}

# training_settings STAGE COUNT_NAME: sets `settings` from the positional arguments, the first of which is COUNT_NAME:
# COUNT_NAME EPOCH_SIZE, and for gd DATA_DIR SCHEMA TEACHER_CKPT.
training_settings() {
    local count=2 data_dir schema teacher
    [ "$1" != gd ] || count=5
    require_count "$count"
    require_number "$2" "${positional[0]}"
    require_number EPOCH_SIZE "${positional[1]}"
    settings=(--epoch_size "${positional[1]}")
    [ "$1" = gd ] || return 0
    data_dir=$(absolute "${positional[2]}")
    schema=$(absolute "${positional[3]}")
    teacher=$(absolute "${positional[4]}")
    settings+=(--data_dir "$data_dir" --schema_dir "$schema" --load_teacher_ckpt_path "$teacher")
}

# run_on_gpu STAGE ARGUMENTS...: DEVICE_NUM and what else `training_settings` says, and options.
run_on_gpu() {
    local stage=$1 settings is_distributed=yes
    shift
    parse_arguments "$@"
    training_settings "$stage" DEVICE_NUM
    run_distributed "$stage" GPU "${positional[0]}" -- "${settings[@]}"
}

# run_on_cpu STAGE ARGUMENTS...: WORKERS and what else `training_settings` says, and options.
run_on_cpu() {
    local stage=$1 settings
    shift
    parse_arguments "$@"
    training_settings "$stage" WORKERS
    share_cores "${positional[0]}"
    run_distributed "$stage" CPU "${positional[0]}" -- "${settings[@]}"
}
