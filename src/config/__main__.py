# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Write default_config.yaml of the settings: python -m src.config."""

from src.config.described import default_yaml
from src.config.reading import DEFAULT_CONFIG

DEFAULT_CONFIG.write_text(default_yaml(), encoding="utf-8")
