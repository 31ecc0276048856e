#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation on the GPUs of this host.
#
#   bash scripts/run_distributed_gd_gpu.sh DEVICE_NUM EPOCH_SIZE DATA_DIR SCHEMA TEACHER_CKPT [--background] [--dry_run]
#   bash scripts/run_distributed_gd_gpu.sh 8 1 /path/data/ /path/schema.json /path/teacher
#
# All other settings come from configs/tinybert_gd.yaml; CONFIG=my.yaml bash scripts/... names another recipe.
# CUDA_VISIBLE_DEVICES=2,3 limits the GPUs; without it the first DEVICE_NUM are used.
# Logs to output/distributed_gd_gpu/log.txt, each process to output/distributed_gd_gpu/log/worker_RANK.log.
# --dry_run prints the command and the environment of each rank and starts nothing. Stop it with Ctrl-C, or with the
# `kill` that it prints.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
usage="usage: bash scripts/run_distributed_gd_gpu.sh DEVICE_NUM EPOCH_SIZE DATA_DIR SCHEMA TEACHER_CKPT [--background] [--dry_run]"

parse_arguments "$@"
require_count 5
require_number DEVICE_NUM "${positional[0]}"
require_number EPOCH_SIZE "${positional[1]}"
data_dir=$(absolute "${positional[2]}")
schema=$(absolute "${positional[3]}")
teacher=$(absolute "${positional[4]}")

run_distributed GPU "${positional[0]}" "${positional[1]}" -- \
    --data_dir "$data_dir" --schema_dir "$schema" --load_teacher_ckpt_path "$teacher"
