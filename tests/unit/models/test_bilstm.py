# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The BiLSTM: padding, pooling, gradients against PyTorch's, what reaches it in distillation, and its artefacts."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import LoadedModel, load_model, parameters_of
from src.config import BiLstmConfig, HeadConfig, ModelConfig, load_config
from src.convert.extract import ExtractOptions, extract_student
from src.convert.formats import convert
from src.distill.cell import DistillationCell, freeze_parameters
from src.distill.objectives import objective_of
from src.export import artefacts
from src.export.run import compare, export_model
from src.models.bilstm import BiLstmModel, Lstm
from src.models.dropout import make_dropout_stateless
from src.models.heads import build_model
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER, save_random

pytestmark = pytest.mark.medium

ENCODER = BiLstmConfig(vocab_size=TEACHER.vocab_size, embedding_size=6, hidden_size=5, dense_size=7, num_layers=2,
                       pooling="last", dropout=0.3)
LONGEST = BiLstmConfig(**{**ENCODER.__dict__, "pooling": "max"})
TAGS = HeadConfig("tagging", ("a", "b", "c"))
SHAPES = {"last": ModelConfig(ENCODER, HEAD), "max": ModelConfig(LONGEST, HEAD), "tags": ModelConfig(ENCODER, TAGS)}
LENGTHS = np.array([9, 3, 1, 6])
TABLE = "encoder.embeddings.word_embeddings.embedding_table"


def build(name: str) -> BiLstmModel:
    """A model whose weights are large enough that every token shows in the logits."""
    model, generator = build_model(SHAPES[name]), np.random.default_rng(3)
    for parameter in model.get_parameters():
        parameter.set_data(Tensor(generator.normal(scale=0.5, size=parameter.shape).astype(np.float32)))
    return model


def rows(length: int = 9, filling: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of LENGTHS tokens, filled up to `length` with a token."""
    mask = (np.arange(length) < LENGTHS[:, None]).astype(np.int32)
    ids = np.random.default_rng(0).integers(5, ENCODER.vocab_size, (4, 9)).astype(np.int32)
    ids = np.pad(ids, ((0, 0), (0, length - 9)))
    return Tensor(np.where(mask == 1, ids, filling).astype(np.int32)), Tensor(mask), Tensor(np.zeros_like(mask))


@pytest.mark.usefixtures("graph_mode")
@pytest.mark.parametrize("name", SHAPES)
def test_padding_changes_nothing(name: str) -> None:
    model = build(name)
    model.set_inputs(*artefacts.free_inputs())  # one compilation
    short, long = model(*rows()).asnumpy(), model(*rows(16, filling=7)).asnumpy()
    assert short.shape == ((4, 9, 3) if name == "tags" else (4, 2))
    assert np.abs(short - (long[:, :9] if name == "tags" else long)).max() < 1e-6
    assert np.ptp(short, axis=0).max() > 0.1


def torch_logits(config: ModelConfig, weights: dict, torch) -> object:
    """PyTorch's LSTM over packed rows, and the layers above it."""
    lstm = torch.nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True)
    flat = {}
    for layer in range(2):
        for direction, suffix in (("forward", ""), ("backward", "_reverse")):
            own = f"encoder.lstm.{layer}.{direction}"
            flat |= {f"weight_ih_l{layer}{suffix}": weights[f"{own}.input_weight"],
                     f"weight_hh_l{layer}{suffix}": weights[f"{own}.hidden_weight"],
                     f"bias_ih_l{layer}{suffix}": weights[f"{own}.bias"],
                     f"bias_hh_l{layer}{suffix}": torch.zeros(20)}
    ids, mask, _ = (torch.from_numpy(column.asnumpy()).long() for column in rows())
    packed = torch.nn.utils.rnn.pack_padded_sequence(weights[TABLE][ids], LENGTHS, batch_first=True,
                                                     enforce_sorted=False)
    states, (last, _) = torch.func.functional_call(lstm, flat, (packed,))
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    if not config.head.is_pooled:
        x = states
    elif config.encoder.pooling == "max":
        x = states.masked_fill(mask[:, :, None] == 0, -torch.inf).max(1)[0]
    else:
        x = torch.cat((last[-2], last[-1]), 1)
    x = torch.relu(torch.nn.functional.linear(x, weights["encoder.dense.weight"], weights["encoder.dense.bias"]))
    return torch.nn.functional.linear(x, weights["head.classifier.weight"], weights["head.classifier.bias"])


@pytest.mark.usefixtures("graph_mode")
@pytest.mark.parametrize("name", SHAPES)
def test_logits_and_gradients_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    config = SHAPES[name]
    model = build(name)
    columns, parameters = rows(), model.trainable_params()
    shape = (4, 9, 3) if name == "tags" else (4, 2)
    factors = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    if name == "tags":
        factors *= columns[1].asnumpy()[:, :, None]  # what stands at padding is not read
    weighted = Tensor(factors)

    def total(ids, mask, segments):
        logits = model(ids, mask, segments)
        return (logits * weighted).sum(), logits

    (_, logits), gradients = ms.jit(ms.value_and_grad(total, None, parameters, has_aux=True))(*columns)
    weights = {name: torch.from_numpy(value).requires_grad_() for name, value in parameters_of(model).items()}
    expected = torch_logits(config, weights, torch)
    (expected * torch.from_numpy(factors)).sum().backward()
    assert np.abs((logits.asnumpy() - expected.detach().numpy()) * (factors != 0)).max() < 1e-5
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert np.abs(gradient.asnumpy() - weights[parameter.name].grad.numpy()).max() < 1e-5, parameter.name
        assert np.abs(gradient.asnumpy()).max() > 1e-4, parameter.name


def test_steps_written_out_compute_what_the_kernel_does() -> None:
    lstm = Lstm(6, 5)
    x = Tensor(np.random.default_rng(2).standard_normal((4, 3, 6)).astype(np.float32))
    other = Lstm(6, 5)
    for name, parameter in other.parameters_and_names():
        parameter.set_data(getattr(lstm, name))
    other.without_kernel = True
    assert np.abs(lstm(x).asnumpy() - other(x).asnumpy()).max() < 2e-6  # weights are drawn: float32 rounding


@pytest.mark.parametrize("term", ["alpha_ce", "alpha_logits_mse", "alpha_label"])
def test_each_term_moves_the_student(term: str) -> None:
    weights = {f"task_distill__phase2__{name}": float(name == term) for name in ("alpha_ce", "alpha_logits_mse",
                                                                                 "alpha_label")}
    student = build("last")
    is_frozen = term == "alpha_logits_mse"
    if is_frozen:
        freeze_parameters(student, "encoder.embeddings.")
    make_dropout_stateless(student, seed=1)
    objective = objective_of(load_config(**weights).task_distill.phase2, HEAD)
    cell = DistillationCell(student, objective, build("max"))
    cell.set_train(True)
    parameters = cell.trainable_params()
    assert not any(parameter.name.startswith("teacher.") for parameter in parameters)
    assert any(parameter.name.endswith(TABLE) for parameter in parameters) is not is_frozen
    labels = Tensor(np.array([[0], [1], [1], [0]], np.int32))
    batch = dict(zip(cell.columns, (Tensor(3, ms.int32), *rows(), labels), strict=False))
    targets = cell.targets(batch)
    (value, parts), gradients = ms.value_and_grad(cell, None, parameters, has_aux=True)(batch, targets)
    assert len(parts) == 1 and float(value) > 0
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert np.abs(gradient.asnumpy()).max() > 0, parameter.name
    # Dropout is a function of the step, and the teacher has none.
    again, other = (float(cell(batch | {"step": Tensor(place, ms.int32)}, targets)[0]) for place in (3, 4))
    assert again == float(value) != other
    assert tuple(targets) == (() if term == "alpha_label" else ("logits",))
    assert all(np.array_equal(cell.targets(batch)[name].asnumpy(), value.asnumpy()) for name, value in targets.items())


@pytest.mark.usefixtures("graph_mode")
def test_checkpoint_and_mindir(tmp_path) -> None:
    folder = save_random(tmp_path / "checkpoint", SHAPES["max"], None)
    loaded = load_model(folder)
    assert loaded.config == SHAPES["max"]
    settings = load_config(export__checkpoint=str(folder), export__output=str(tmp_path / "model"),
                           export__max_difference=1e-5).export
    exported = export_model(settings)
    assert exported.path == tmp_path / "model.mindir"
    assert {found.length for found in exported.differences} >= {128, 32, 1}


@pytest.mark.parametrize("name", SHAPES)
def test_onnx_computes_the_same(tmp_path, name: str) -> None:
    loaded = LoadedModel(tmp_path, SHAPES[name], parameters_of(build(name)), None)
    artefacts.write_onnx(loaded, tmp_path / "model.onnx", artefacts.Compiled())
    run = artefacts.run_onnx(tmp_path / "model.onnx", loaded.config)
    found = compare(artefacts.run_cell(loaded), run, loaded.config.encoder, 12, limit=1e-5)
    assert {(difference.batch_size, difference.length) for difference in found} >= {(2, 12), (7, 3)}


@pytest.mark.usefixtures("graph_mode")
def test_what_needs_a_transformer_refuses_it(tmp_path) -> None:
    folder = save_random(tmp_path / "checkpoint", SHAPES["last"], None)
    settings = load_config(export__checkpoint=str(folder), export__file_format="HF",
                           export__output=str(tmp_path / "out")).export
    for attempt in (lambda: export_model(settings),
                    lambda: convert("mindspore", "hf", str(folder), tmp_path / "out"),
                    lambda: extract_student(str(folder), tmp_path / "out", ExtractOptions())):
        refused("is a BiLSTM; .* needs a transformer", attempt)
    assert not (tmp_path / "out").exists()
    refused("a BiLSTM has no span head", ModelConfig, ENCODER, HeadConfig("span"))
