#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Embeddings in small: makes .venv, distils all-MiniLM-L6-v2 into students of 3 and of 2 layers on the quick start's
# sentences, makes a static one (a table of a vector a token), and measures how near their vectors come to the teacher's,
# how fast they are and how large.
#   bash scripts/run_standalone_embedding.sh                    after the installation; needs no label
#   bash scripts/run_standalone_embedding.sh --sts_dir STS-B    correlations with the scores of STS-B too
#   bash scripts/run_standalone_embedding.sh --minutes 3        a smaller training budget
#   bash scripts/run_standalone_embedding.sh --fresh            start over
# Everything is written to output/embedding/, the logs of the stages to output/embedding/logs/. Stop it with Ctrl-C;
# called again, it skips what is finished and continues what was interrupted. Settings: configs/embedding_quick.yaml.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
set_up_and_run experiments.embedding.run "$@"
