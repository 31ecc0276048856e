# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Plain text to sequences of token ids: files (`text`), packing (`packing`), masked tokens (`masking`)."""
