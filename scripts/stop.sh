#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Ends a run that a script started with --background, with all its processes on this host; a training saves its
# checkpoint first, and the same command as before continues from there.
#
#   bash scripts/stop.sh                       the only run there is; of several, their names
#   bash scripts/stop.sh distributed_gd_ascend a run by its name, which its start has printed
#   bash scripts/stop.sh NAME --seconds 600    how long it is given to save (330)
#   bash scripts/stop.sh NAME --kill           at once, without a checkpoint
#
# On several servers run it on each.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"
choose_python
exec "$python" -m src.launch.stop "$@"
