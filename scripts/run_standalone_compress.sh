#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Compression: from a fine-tuned teacher to the int8 student for a budget, on one device.
#
#   bash scripts/run_standalone_compress.sh [CONFIG] [--background] [--dry_run [--offline]]
#
# CONFIG defaults to configs/compress.yaml, which names the budget, the task, the fine-tuned teacher and the records; as
# it stands it uses what scripts/quickstart.sh left, and takes at most 45 minutes on two CPU cores. Logs to
# output/<name of CONFIG>/log.txt; --background returns at once; --dry_run measures the latencies and prints the plan.
# Stopped and called again, it goes on where it was.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_standalone run_compress.py configs/compress.yaml "$@"
