# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is cut out of a model computes what the whole model does without it, in each family and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.common.files import read_json
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.config.model import INPUTS
from src.convert.parameters import parameter_shapes
from src.export.onnx_graph import build_onnx
from src.models.cost import BatchShape
from src.pruning.cut import Importances, Kept, choose, cut
from src.pruning.prune import PruneOptions, _check, cut_and_compare
from src.train.cost import parts_of
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER, random_batch

DISTILBERT = replace(TEACHER, type_vocab_size=0, pooler="relu")
ROBERTA = replace(TEACHER, position_offset=2, type_vocab_size=1)
GPT2 = replace(TEACHER, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")
FAMILIES = {
    "bert": ModelConfig(TEACHER, HEAD, "SST-2"),
    "distilbert, span": ModelConfig(replace(DISTILBERT, pooler="none"), HeadConfig("span")),
    "roberta, masked lm": ModelConfig(replace(ROBERTA, pooler="none"), HeadConfig("masked_lm")),
    "modernbert, masked lm": ModelConfig(replace(TEACHER, type_vocab_size=0, pooler="none", layer_class="modernbert",
                                                 local_attention=6), HeadConfig("masked_lm")),
    "gpt2, score": ModelConfig(GPT2, HeadConfig("regression")),
}
UNEVEN = Kept((0, 2, 3), ((1, 3), (0,), (0, 1, 2)), (tuple(range(0, 64, 2)), (5, 9), tuple(range(40))))


def draw(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: (generator.normal(scale=0.15, size=shape) + name.endswith("gamma")).astype(np.float32)
            for name, shape in parameter_shapes(config).items()}


def zeroed(parameters: dict[str, np.ndarray], kept: Kept, size: int) -> dict[str, np.ndarray]:
    """The layers that are kept, with zeros where the rest of heads and units is read."""
    found = {name: value for name, value in parameters.items() if not name.startswith("encoder.layers.")}
    for own, its in enumerate(kept.layers):
        layer = {name.replace(f"layers.{its}.", f"layers.{own}."): value.copy() for name, value in parameters.items()
                 if name.startswith(f"encoder.layers.{its}.")}
        dropped = np.ones(layer[f"encoder.layers.{own}.output.weight"].shape[1], bool)
        dropped[list(kept.units[own])] = False
        layer[f"encoder.layers.{own}.output.weight"][:, dropped] = 0
        dropped = np.ones(layer[f"encoder.layers.{own}.attention.output.weight"].shape[1], bool)
        for head in kept.heads[own]:
            dropped[head * size: (head + 1) * size] = False
        layer[f"encoder.layers.{own}.attention.output.weight"][:, dropped] = 0
        found |= layer
    return found


def run(config: ModelConfig, parameters: Mapping[str, np.ndarray], fused: bool = False) -> np.ndarray:
    """Logits of a model's ONNX graph."""
    session = onnxruntime.InferenceSession(build_onnx(config, parameters, fused).SerializeToString())
    ids, mask, segments, _ = random_batch(rows=3, length=10)
    given = {name: column.astype(np.int64) for name, column in zip(INPUTS, (ids, mask, segments), strict=True)}
    return session.run(["logits"], {each.name: given[each.name] for each in session.get_inputs()})[0]


@pytest.mark.medium
@pytest.mark.parametrize("name", FAMILIES)
def test_cut_is_masked_in_every_family(name: str, tmp_path: Path) -> None:
    config = FAMILIES[name]
    whole = LoadedModel(tmp_path, config, draw(config), None)
    pruned, difference = cut_and_compare(whole, UNEVEN)
    assert difference < 1e-5
    assert pruned.config.encoder == replace(
        config.encoder, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40, head_size=8,
        layer_heads=(2, 1, 3), layer_units=(32, 2, 40),
        layer_types=config.encoder.with_layers(UNEVEN.layers).layer_types)

    save_model(tmp_path / "pruned", pruned.config, pruned.parameters)
    loaded = load_model(tmp_path / "pruned")
    assert loaded.config == pruned.config
    shapes = parameter_shapes(loaded.config)
    assert {name: value.shape for name, value in loaded.parameters.items()} == shapes
    assert parts_of(loaded.config, BatchShape(2, 8)).parameters == sum(int(np.prod(each)) for each in shapes.values())

    # In ONNX Runtime, against the layers that are kept with weights of zero in place of a cut.
    same = replace(config, encoder=config.encoder.with_layers(UNEVEN.layers))
    expected = run(same, zeroed(dict(whole.parameters), UNEVEN, 8))
    for fused in (False, True):
        assert np.abs(expected - run(loaded.config, loaded.parameters, fused)).max() < 1e-5


@pytest.mark.medium
def test_a_shared_layer_is_cut_as_one(tmp_path: Path) -> None:
    config = ModelConfig(replace(TEACHER, share_layers=True, embedding_size=16), HEAD)
    measured = Importances(np.ones(1), (np.array([1.0, 4.0, 2.0, 3.0]),), (np.arange(64.0),))
    kept = choose(config.encoder, measured, heads=2, units=9)
    assert kept == Kept((0, 1, 2, 3), ((1, 3),) * 4, (tuple(range(55, 64)),) * 4)
    pruned, difference = cut_and_compare(LoadedModel(tmp_path, config, draw(config), None), kept)
    assert difference < 1e-5 and pruned.config.encoder == replace(
        config.encoder, num_attention_heads=2, head_size=8, intermediate_size=9)
    assert {name: value.shape for name, value in pruned.parameters.items()} == parameter_shapes(pruned.config)
    refused("all 4 layers of the model are one.*extract --num_layers", _check, PruneOptions(layers=2), config.encoder,
            "mindspore")


def test_config_of_equal_layers_stays_plain(tmp_path: Path) -> None:
    config = FAMILIES["bert"]
    assert "head_size" not in config.to_dict()["encoder"]
    even = Kept((1, 3), ((0, 1, 2, 3),) * 2, (tuple(range(16)),) * 2).config(config)
    assert even.encoder == replace(TEACHER, num_hidden_layers=2, intermediate_size=16)
    assert not even.encoder.pruned
    two = Kept((1, 3), ((0, 1),) * 2, (tuple(range(64)),) * 2).config(config)
    assert two.encoder == replace(TEACHER, num_hidden_layers=2, num_attention_heads=2, head_size=8)
    assert two.to_dict()["encoder"].keys() - config.to_dict()["encoder"].keys() == {"head_size"}
    # What is pruned once can be pruned again.
    again = Kept((0, 1), ((0,), (0, 1)), (tuple(range(64)),) * 2)
    once = cut(config, draw(config), Kept((1, 3), ((1, 2),) * 2, (tuple(range(64)),) * 2))
    twice, parameters = cut(*once, again)
    assert (twice.encoder.layer_heads, twice.encoder.head_size) == ((1, 2), 8)
    assert np.array_equal(parameters["encoder.layers.0.attention.key.bias"],
                          draw(config)["encoder.layers.1.attention.key.bias"][8:16])


def test_damaged_sizes_are_refused(tmp_path: Path) -> None:
    config, parameters = cut(FAMILIES["bert"], draw(FAMILIES["bert"]), UNEVEN)
    encoder = {**config.to_dict()["encoder"]}
    for match, changes in ((r"layer_heads is \[2, 1\]; expected one number for each of 3", {"layer_heads": [2, 1]}),
                           ("num_attention_heads, 3, is the largest", {"layer_heads": [2, 1, 9]}),
                           ("layer_units is", {"layer_units": [0, 2, 40]}),
                           ("head_size is -1", {"head_size": -1})):
        refused(match, ModelConfig.from_dict, {**config.to_dict(), "encoder": encoder | changes})
    save_model(tmp_path / "other", replace(config, encoder=replace(config.encoder, layer_units=(32, 40, 40))),
               parameters)
    refused("layer_units x hidden_size is 40 x 32, but encoder.layers.1", load_model, tmp_path / "other")
    assert read_json(tmp_path / "other" / "config.json")["encoder"]["layer_units"] == [32, 40, 40]


def test_the_most_important_are_kept() -> None:
    encoder: EncoderConfig = replace(TEACHER, num_hidden_layers=3, num_attention_heads=4, intermediate_size=4)
    heads = (np.array([1.0, 3, 2, 0]), np.array([0.5, 0.1, 0.4, 0.3]), np.array([9.0, 9, 9, 9]))
    units = (np.array([100.0, 90, 80, 0]), np.array([5.0, 0, 0, 0]), np.array([1.0, 2, 3, 4]))
    known = Importances(np.array([2.0, 1, 3]), heads, units)
    assert choose(encoder, known, 2, 2, 1) == Kept((0, 2), ((1, 2), (0, 1)), ((0,), (3,)))
    assert choose(encoder, None, (1,)) == Kept((1,), ((0, 1, 2, 3),), ((0, 1, 2, 3),))
    across = choose(encoder, known, (0, 1), 0, 2, across=True)
    assert across.units == ((0, 1, 2), (0,))  # four in all, one in each at least
    for match, arguments in (("--layers is 4; the model has 3", (4,)), ("--layers names 0, 3; expected", ((0, 3),)),
                             ("each once, in rising order", ((1, 1),)), ("--heads is 5; the layers have 4", (0, 5)),
                             ("--ffn is 8; the layers have 4", (0, 0, 8))):
        refused(match, choose, encoder, known, *arguments)
