# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records: what is in them (`columns`), writing (`prepare`, `sequences`, `writers`), reading (`reading`), and their manifest."""
