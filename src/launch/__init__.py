# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distributed runs: msrun, rank tables, hosts, supervision."""
