#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# What unlabelled rows are worth: makes .venv, runs the quick start's task with 10 %, 30 % and 100 % of the labels, without
# and with the other rows unlabelled, three seeds each, and prints a table of test accuracies.
#   bash scripts/run_standalone_unlabelled.sh                   after the installation; a teacher for each share
#   bash scripts/run_standalone_unlabelled.sh --teacher DIR     one teacher for all, such as output/quickstart/finetune/model
#   bash scripts/run_standalone_unlabelled.sh --minutes 3       a smaller training budget
#   bash scripts/run_standalone_unlabelled.sh --fresh           start over
# Everything is written to output/unlabelled/, the logs of the stages to output/unlabelled/logs/. Stop it with Ctrl-C;
# called again, it skips what is finished and continues what was interrupted. Settings: configs/quickstart.yaml.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set_up_and_run experiments.unlabelled.run "$@"
