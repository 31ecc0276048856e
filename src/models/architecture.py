# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes an architecture of models. The values stand beside the cells, and in `heads.ARCHITECTURES`.

What other rooms know of an architecture stands in a table of theirs, by its name: `export.onnx_graph.GRAPHS`, and
`runs.architectures.STUDENTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mindspore import nn

from src.config import BiLstmConfig, EncoderConfig


@dataclass(frozen=True)
class Architecture:
    """One kind of model.

    Attributes:
        config: its class in src/config, whose `kind` is the name of the architecture.
        build: (ModelConfig, compute type) -> cell.
        layers: the setting that counts its layers.
        sizes: an encoder's configuration -> tensors, each with the sizes that its shape consists of, by their setting.
    """

    config: type[EncoderConfig | BiLstmConfig]
    build: Callable[..., nn.Cell]
    layers: str
    sizes: Callable[[Any], dict[str, dict[str, int]]]

    @property
    def name(self) -> str:
        """What settings and tables call it."""
        return self.config.kind
