# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bundles over HTTP, and the page that compares them. Needs requirements-serving.txt alone."""
