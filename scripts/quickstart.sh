#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Makes .venv, installs the requirements, distils a pretrained teacher into a student half its depth, on real text, and
# exports it, in int8 with fewer tokens too.
#   bash scripts/quickstart.sh                 10 to 15 minutes on two CPU cores, after the installation
#   bash scripts/quickstart.sh --minutes 3     a smaller training budget
#   bash scripts/quickstart.sh --fresh         start over
# Everything is written to output/quickstart/, the logs of the stages to output/quickstart/logs/. Stop it with Ctrl-C;
# called again, it skips what is finished and continues what was interrupted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set_up_and_run experiments.quickstart.run "$@"
