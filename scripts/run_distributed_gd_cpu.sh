#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation in several processes on the CPU of this host, or of several hosts.
#
#   bash scripts/run_distributed_gd_cpu.sh WORKERS EPOCH_SIZE DATA_DIR SCHEMA TEACHER_CKPT [options] [-- settings]
#   bash scripts/run_distributed_gd_cpu.sh 2 1 /path/data/ /path/schema.json /path/teacher
#
# batch_size counts the rows of one process: WORKERS x batch_size rows in one process train on the same batches, to the
# same losses (dropout aside, which draws other masks in each process). The processes share the cores: without
# OMP_NUM_THREADS each takes its part of them.
#
# Several hosts: as in scripts/run_distributed_gd_gpu.sh. All other settings come from configs/tinybert_gd.yaml;
# CONFIG=my.yaml bash scripts/... names another recipe, such as configs/distilbert_base_uncased.yaml.
#   --background  returns at once; stop it with bash scripts/stop.sh distributed_gd_cpu
#   --dry_run     checks settings, teacher and records, prints the command, what differs by rank and what the run would
#                 do, and starts nothing; with --offline it checks the settings alone, where the rest is elsewhere
# Logs to output/distributed_gd_cpu/log.txt, each process to output/distributed_gd_cpu/log/worker_RANK.log. The run is
# in output/distributed_gd_cpu; the same command continues it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_distributed gd CPU "$@"
