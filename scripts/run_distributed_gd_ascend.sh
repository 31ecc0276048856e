#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation on the Ascend devices of an HCCL rank table, on one server or several.
#
#   bash scripts/run_distributed_gd_ascend.sh DEVICE_NUM EPOCH_SIZE RANK_TABLE [--background] [--dry_run]
#   bash scripts/run_distributed_gd_ascend.sh 8 1 /path/hccl.json
#
# Teacher, records and all other settings come from configs/tinybert_gd.yaml: edit it, or name another recipe with
# CONFIG=my.yaml bash scripts/... The rank table is checked first; with several servers run the same command on each.
# Logs to output/distributed_gd_ascend/log.txt, each process to output/distributed_gd_ascend/log/worker_RANK.log.
# --dry_run prints the commands and the environment of each rank and starts nothing. Stop it with Ctrl-C, or with the
# `kill` that it prints: that ends all processes of this server.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
usage="usage: bash scripts/run_distributed_gd_ascend.sh DEVICE_NUM EPOCH_SIZE RANK_TABLE [--background] [--dry_run]"

parse_arguments "$@"
require_count 3
require_number DEVICE_NUM "${positional[0]}"
require_number EPOCH_SIZE "${positional[1]}"
rank_table=$(absolute "${positional[2]}")

# --bind_core gives each process CPU cores of its own; leave it out where the scheduler of a cluster does that.
run_distributed Ascend "${positional[0]}" "${positional[1]}" --rank_table "$rank_table" --bind_core --
