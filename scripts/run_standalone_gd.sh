#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# General distillation on one device.
#
#   bash scripts/run_standalone_gd.sh [CONFIG] [--background] [--dry_run [--offline]]
#
# CONFIG defaults to configs/tinybert_gd.yaml, which names the teacher, the records and the device; as it stands it
# uses what scripts/quickstart.sh prepared. Logs to output/<name of CONFIG>/log.txt; --background returns at once;
# --dry_run checks settings, teacher and records, prints the command and what the run would do, and starts nothing (with
# --offline it checks the settings alone). Stopped and called again, it continues from the last checkpoint.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
run_standalone run_general_distill.py configs/tinybert_gd.yaml "$@"
