#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Task distillation, both phases and evaluation, in several processes on the CPU of this host, or of several hosts.
#
#   bash scripts/run_distributed_td_cpu.sh WORKERS EPOCH_SIZE [options] [-- settings of the training]
#   bash scripts/run_distributed_td_cpu.sh 2 3 -- --task_name SST-2 --data_dir /path/records
#
# EPOCH_SIZE is the number of passes of each phase; the recipe, configs/tinybert_td.yaml or CONFIG=my.yaml, names
# teacher, general student, task, records and all else. Batches, cores, hosts, options, logs and how to stop it are those of
# scripts/run_distributed_gd_cpu.sh, with distributed_td_cpu for the name of the run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
usage="usage: bash scripts/run_distributed_td_cpu.sh WORKERS EPOCH_SIZE [--background] [--dry_run]"
run_on_cpu td "$@"
