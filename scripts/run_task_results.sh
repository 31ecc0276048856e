#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Fine-tunes a teacher for each task of experiments/results/table.py, and trains the same student with and without it.
#   bash scripts/run_task_results.sh --data_dir DATA --output output/results                      all tasks
#   bash scripts/run_task_results.sh --data_dir DATA --output output/results --tasks MRPC,RTE     some of them
#   bash scripts/run_task_results.sh --data_dir DATA --output output/results --dry_run            the commands alone
# DATA holds the data sets, which this repository does not: glue/MRPC/train.tsv and so on (docs/RESULTS.md lists them).
# Relative paths begin at the repository's folder. Logs are under OUTPUT/TASK/stages/. Stop it with
# Ctrl-C; called again, it skips what is finished and continues what was interrupted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set_up_and_run experiments.results.run "$@"
