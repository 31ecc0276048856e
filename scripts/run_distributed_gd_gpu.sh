#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation on GPUs, of this host or of several.
#
#   bash scripts/run_distributed_gd_gpu.sh DEVICE_NUM EPOCH_SIZE DATA_DIR SCHEMA TEACHER_CKPT [options] [-- settings]
#   bash scripts/run_distributed_gd_gpu.sh 8 1 /path/data/ /path/schema.json /path/teacher
#
# Several hosts, with as many GPUs each (DEVICE_NUM counts all): run the same command on each, with the same list, in
# which the first is where the processes meet (on port MASTER_PORT, 8118). A host finds its place in the list by its own
# addresses, or is told with NODE_RANK=1:
#   HOSTS=10.0.0.1,10.0.0.2 bash scripts/run_distributed_gd_gpu.sh 16 1 /path/data/ /path/schema.json /path/teacher
#
# All other settings come from configs/tinybert_gd.yaml; CONFIG=my.yaml bash scripts/... names another recipe. What is
# particular to the device comes from configs/gpu.yaml (DEVICE_CONFIG=my.yaml, or none).
# CUDA_VISIBLE_DEVICES=2,3 limits the GPUs of a host; without it its first ones are used.
#   --background  returns at once; stop it on each host with bash scripts/stop.sh distributed_gd_gpu
#   --dry_run     checks settings, teacher and records, prints the command, what differs by rank and what the run would
#                 do, and starts nothing; with --offline it checks the settings alone, where the rest is elsewhere
#   --no_bind     leaves the binding of the processes to CPU cores out
# Logs to output/distributed_gd_gpu/log.txt, each process to output/distributed_gd_gpu/log/worker_RANK.log.
# Not run on GPUs yet: checked by --dry_run and by tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_distributed gd GPU "$@"
