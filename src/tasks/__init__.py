# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks: which columns a data set has, which labels, which metrics.

`get_task("SST-2")` gives a `Task`; a GLUE-like task is one entry of the table in `glue.py`.
"""

from src.tasks.registry import get_task, is_same_name, names, of_unlabelled_file, task_of
from src.tasks.task import UNLABELLED_SPLIT, Task

__all__ = ["UNLABELLED_SPLIT", "Task", "get_task", "is_same_name", "names", "of_unlabelled_file", "task_of"]
