#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# DistilBERT in small, on real text: makes .venv, trains a masked language model of 6 layers, cuts a student of 3 layers
# out of it, distils it, and measures what distillation is worth against training the same student on the text alone.
#   bash scripts/run_standalone_distil.sh                 about 15 minutes on two CPU cores, after the installation
#   bash scripts/run_standalone_distil.sh --minutes 5     a smaller training budget
#   bash scripts/run_standalone_distil.sh --fresh         start over
# Everything is written to output/distil/, the logs of the stages to output/distil/logs/. Stop it with Ctrl-C; called
# again, it skips what is finished and continues what was interrupted. Settings: configs/distil_quick.yaml.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set_up_and_run experiments.distil.run "$@"
