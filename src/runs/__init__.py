# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the entry points share: students, records, task distillation, seeds, results."""
