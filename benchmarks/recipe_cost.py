# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the recipes cost at full size, counted, not run: operations, memory a device, hours.

python benchmarks/recipe_cost.py [--devices 8] [--tokens 3.3e9] [--tflops 24]

Teacher BERT-base (12 x 768, vocabulary 30,522), float16. TinyBERT 4 x 312: the defaults of default_config.yaml, rows of
128 tokens. DistilBERT: configs/distilbert_base_uncased.yaml, rows of 512 tokens. --tokens: those of the text, English
Wikipedia by default (2.5 billion words, Devlin et al., arXiv:1810.04805, at 1.3 word pieces each); rows are full.
--tflops: what a device sustains. The last line turns a published run into what its devices have sustained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from common import REPOSITORY, arguments, encoder

TEACHER = (12, 768, 3072)
EPOCHS = 3
# MindSpore's model zoo, TinyBERT, general distillation on 8 Ascend 910: seconds a step, and hours of 3 epochs.
ZOO_STEP, ZOO_HOURS, ZOO_BATCH = 0.0354, 17.3, 32


class Recipe(NamedTuple):
    """A recipe at full size: its name, the rows of the text, optimiser steps, and what is expected of them."""

    name: str
    rows: int
    steps: int
    forecast: Any


def tiny_bert(tokens: float, devices: int) -> Recipe:
    """General distillation by layers, as default_config.yaml has it."""
    from src.config import HeadConfig, ModelConfig, load_config
    from src.distill.layer_map import resolve_layer_map
    from src.distill.objectives import objective_of

    config, teacher = load_config(), encoder(*TEACHER)
    student = config.student.encoder(teacher)
    pairs = resolve_layer_map(config.student.layer_map, student.num_hidden_layers, teacher.num_hidden_layers)
    objective = objective_of(config.general_distill, HeadConfig(), pairs)
    return recipe("TinyBERT 4 x 312", config.general_distill, objective, ModelConfig(student), ModelConfig(teacher),
                  128, tokens, devices)


def distil_bert(tokens: float, devices: int) -> Recipe:
    """The Distil* objective on sequences."""
    from src.config import HeadConfig, ModelConfig, load_config
    from src.distill.objectives import objective_of

    config, head = load_config(REPOSITORY / "configs/distilbert_base_uncased.yaml"), HeadConfig("masked_lm")
    teacher = encoder(*TEACHER)
    return recipe("DistilBERT 6 x 768", config.token_distill, objective_of(config.token_distill, head),
                  ModelConfig(config.student.encoder(teacher), head), ModelConfig(teacher, head),
                  config.data.seq_length, tokens, devices)


def recipe(name: str, stage: Any, objective: Any, student: Any, teacher: Any, length: int, tokens: float,
           devices: int) -> Recipe:
    """Count a recipe on full rows of one length, as a device that sinks its batches takes them."""
    import mindspore as ms

    from src.device import Device
    from src.models.cost import BatchShape
    from src.train.cost import Network, parts_of, run_parts
    from src.train.forecast import Forecast
    from src.train.lengths import Lengths

    rows = math.ceil(tokens / length)
    shape = BatchShape(stage.batch_size, length, stage.batch_size * length * objective.head.is_language_model)
    trained = sum(part.parameters for part in run_parts(parts_of(student, shape), objective, is_teacher=False))
    widths = student.encoder.hidden_size, teacher.encoder.hidden_size
    projections = len(objective.hidden_pairs) * (widths[0] != widths[1])
    trained += (widths[0] + 1) * widths[1] * (projections > 0)
    steps = rows // (stage.batch_size * devices * stage.gradient_accumulation_steps) * EPOCHS
    network = Network(student, teacher, objective, trained, projections=projections)
    lengths, device = Lengths((length,), (1.0,), (1.0,), (length,), 0), Device("Ascend", ms.float16, True, 0, devices)
    return Recipe(name, rows, steps, Forecast(network, lengths, [(1.0, shape)], shape,
                                              stage.gradient_accumulation_steps, device))


def lines(recipes: list[Recipe], tflops: float, devices: int) -> Iterator[str]:
    """The rows of the table, and the published run."""
    yield (f"{'':<20} {'rows':>12} {'steps':>10} {'TFLOP a step':>13} {'EFLOP a device':>15} {'GB a device':>12} "
           f"{'hours':>8}")
    for each in recipes:
        whole = each.steps * each.forecast.step_products
        memory = each.forecast.memory(each.forecast.longest).total
        yield (f"{each.name:<20} {each.rows:>12,} {each.steps:>10,} {each.forecast.step_products / 1e12:>13.2f} "
               f"{whole / 1e18:>15.2f} {memory / 1e9:>12.1f} {whole / (tflops * 1e12) / 3600:>8.1f}")
    forecast = recipes[0].forecast
    zoo = forecast.step_products / forecast.longest.rows * ZOO_BATCH
    yield (f"published: {ZOO_STEP * 1e3:g} ms a step of {ZOO_BATCH} x 128 on each of 8 Ascend 910, {ZOO_HOURS} hours: "
           f"{zoo / ZOO_STEP / 1e12:.1f} TFLOP/s a device, {ZOO_HOURS * 3600 / ZOO_STEP:,.0f} steps")


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, devices=8, tokens=3.3e9, tflops=24.0)
    print(f"{options.devices} devices at {options.tflops:g} TFLOP/s, {options.tokens:.2g} tokens, {EPOCHS} epochs")
    found = [count(options.tokens, options.devices) for count in (tiny_bert, distil_bert)]
    print(*lines(found, options.tflops, options.devices), sep="\n")


if __name__ == "__main__":
    main()
