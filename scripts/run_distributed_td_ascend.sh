#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Task distillation, both phases and evaluation, on the Ascend devices of an HCCL rank table, on one server or several.
#
#   bash scripts/run_distributed_td_ascend.sh DEVICE_NUM EPOCH_SIZE RANK_TABLE [options] [-- settings of the training]
#   bash scripts/run_distributed_td_ascend.sh 8 3 /path/hccl.json -- --task_name SST-2 --data_dir /path/records
#
# EPOCH_SIZE is the number of passes of each phase; teacher, general student, task and records stand in
# configs/tinybert_td.yaml, or CONFIG=my.yaml. Options, environment and logs are those of
# scripts/run_distributed_gd_ascend.sh.
# Not run on Ascend yet: checked by --dry_run and by tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_distributed td Ascend "$@"
