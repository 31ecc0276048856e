# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether the sizes in a checkpoint's config.json are those of its tensors, before a model of these sizes is built.

What does not fit is found parameter by parameter when a model is loaded. A config that is wrong by a factor of a
million would take all memory before it comes to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from src.common.errors import UserError
from src.config import ModelConfig
from src.models.heads import ARCHITECTURES

_LAYER = re.compile(r"encoder\.(?:layers|lstm)\.(\d+)\.")


def check_sizes(config: ModelConfig, tensors: Mapping[str, np.ndarray], source: str) -> None:
    """Compare each size of a config with one tensor that has it.

    Raises:
        UserError: naming the setting, and the tensor that differs.
    """
    stored = len({match[1] for name in tensors if (match := _LAYER.match(name))})
    architecture = ARCHITECTURES[config.encoder.kind]
    setting = architecture.layers
    if stored != getattr(config.encoder, setting):
        raise UserError(f"{source}: {setting} is {getattr(config.encoder, setting)}, but the weights are of {stored} "
                        "layers; config.json and model.safetensors must be of the same model")
    for name, sizes in architecture.sizes(config.encoder).items():
        shape = tensors[name].shape if name in tensors else None
        if shape != tuple(sizes.values()):
            raise UserError(f"{source}: {' x '.join(sizes)} is {' x '.join(map(str, sizes.values()))}, but {name} "
                            f"{'is missing' if shape is None else f'has the shape {shape}'}; config.json and "
                            "model.safetensors must be of the same model")
