# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files with labelled rows as people have them: tables, JSON, CoNLL; encodings, headers, labels, and what is faulty."""
