# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A function over many items in several processes, of this machine or of a cluster of Dask workers."""
