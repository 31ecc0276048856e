# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Artefacts for other systems, each run again and compared with the model before it is put in place."""
