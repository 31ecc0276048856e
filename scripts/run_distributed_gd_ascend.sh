#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation on the Ascend devices of an HCCL rank table, on one server or several.
#
#   bash scripts/run_distributed_gd_ascend.sh DEVICE_NUM EPOCH_SIZE RANK_TABLE [options] [-- settings of the training]
#   bash scripts/run_distributed_gd_ascend.sh 8 1 /path/hccl.json
#
# With several servers run the same command on each; each finds its place in the table by its own addresses, or is told
# with NODE_RANK=1. The table is checked first; `python -m src.launch.rank_table generate` and `merge` make one.
# Teacher, records and all other settings come from configs/tinybert_gd.yaml: edit it, or name another recipe with
# CONFIG=my.yaml bash scripts/... What is particular to the device comes from configs/ascend.yaml (DEVICE_CONFIG=my.yaml,
# or none). MASTER_PORT=8118 is the port on the first server where the processes meet.
#   --background  returns at once; stop it on each server with bash scripts/stop.sh distributed_gd_ascend
#   --dry_run     checks settings, teacher and records, prints the command, what differs by rank and what the run would
#                 do, and starts nothing; with --offline it checks the settings alone, where the rest is elsewhere
#   --no_bind     leaves the binding of the processes to CPU cores out, as where a cluster's scheduler does it
# Logs to output/distributed_gd_ascend/log.txt, each process to output/distributed_gd_ascend/log/worker_RANK.log.
# Not run on Ascend yet: checked by --dry_run and by tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_distributed gd Ascend "$@"
