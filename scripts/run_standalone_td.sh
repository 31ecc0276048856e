#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Task distillation, both phases, and evaluation on one device.
#
#   bash scripts/run_standalone_td.sh [CONFIG] [--background] [--dry_run [--offline]]
#
# CONFIG defaults to configs/tinybert_td.yaml, which names the task, the fine-tuned teacher, the general student, the
# records and the device; as it stands it uses what scripts/quickstart.sh prepared. Logs to
# output/<name of CONFIG>/log.txt; --background returns at once; --dry_run and --offline are those of
# scripts/run_standalone_gd.sh. Stopped and called again, it continues from the last checkpoint.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_standalone run_task_distill.py configs/tinybert_td.yaml "$@"
