# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every room uses: errors, files, signals, checked values, safe parsing, command lines."""
