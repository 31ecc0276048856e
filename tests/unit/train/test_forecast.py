# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a stage is expected to cost: parameters, what is left out, memory and its limits, hours, disk."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest

import run_general_distill
from src.common import memory
from src.config import BiLstmConfig, HeadConfig, ModelConfig, load_config
from src.device import Device
from src.distill.layer_map import resolve_layer_map
from src.distill.objectives import label_objective, objective_of
from src.models.cost import BatchShape
from src.models.heads import build_model
from src.train import forecast as forecasts
from src.train.cost import Network, memory_of, parts_of, run_parts, with_graphs, work_of
from src.train.forecast import Forecast, time_line
from src.train.lengths import Lengths
from tests.refusals import refused
from tests.tiny import CPU, HEAD, RUN_OPTIONS, STUDENT, STUDENT_OPTIONS, TEACHER

SHAPE = BatchShape(4, 8)
BILSTM = BiLstmConfig(vocab_size=53, embedding_size=8, hidden_size=6, dense_size=5, num_layers=2, pooling="last",
                      dropout=0.3)
LAYERS = objective_of(load_config().general_distill, HeadConfig(), resolve_layer_map("uniform", 2, 4))
LENGTHS = Lengths((8,), (1.0,), (1.0,), (8.0,), 0)
NETWORK = Network(ModelConfig(STUDENT), ModelConfig(TEACHER), LAYERS, 10_000, projections=3)


@pytest.mark.parametrize("model", [
    ModelConfig(TEACHER, HEAD), ModelConfig(TEACHER), ModelConfig(TEACHER, HeadConfig("masked_lm")),
    ModelConfig(replace(TEACHER, pooler="none", causal=True, pre_norm=True, type_vocab_size=0), HEAD),
    ModelConfig(replace(TEACHER, embedding_size=8), HeadConfig("masked_lm")),
    ModelConfig(replace(TEACHER, pooler="none", type_vocab_size=0, layer_class="modernbert"), HEAD),
    ModelConfig(replace(TEACHER, embedding_size=8, share_layers=True), HEAD), ModelConfig(BILSTM, HEAD),
    ModelConfig(BILSTM)],
    ids=["pooled", "none", "masked_lm", "gpt2", "electra", "modernbert", "albert", "bilstm", "no head"])
def test_counts_the_parameters_of_the_cell(model: ModelConfig) -> None:
    cell, parts = build_model(model), parts_of(model, SHAPE)
    assert parts.parameters == sum(parameter.size for parameter in cell.get_parameters())
    for part in (*parts.layers, *parts.head):
        of_cell = sum(p.size for p in cell.get_parameters() if p.name.startswith(part.prefix))
        assert part.parameters in (0, of_cell) or part is parts.layers[-1]  # which has the last norm of GPT-2


def test_a_shared_layer_is_counted_once_and_run_each_time() -> None:
    own = replace(TEACHER, embedding_size=8)
    one, several = (parts_of(ModelConfig(encoder, HEAD), SHAPE) for encoder in (replace(own, share_layers=True), own))
    assert sum(part.products for part in one.for_logits) == sum(part.products for part in several.for_logits)
    assert several.parameters - one.parameters == 3 * several.layers[1].parameters


def test_a_bilstm_counts_its_gates_and_dense_layers() -> None:
    gates = 2 * 2 * 32 * 4 * 6 * (8 + 6) + 2 * 2 * 32 * 4 * 6 * (12 + 6)  # of two layers, two directions, 32 tokens
    assert work_of(Network(ModelConfig(BILSTM, HEAD), None, label_objective(HEAD), 0), SHAPE).forward == (
        gates + 2 * 4 * (12 * 5 + 5 * 2))


def test_what_no_term_reads_is_not_run_and_what_is_frozen_has_no_gradient() -> None:
    teacher = parts_of(ModelConfig(TEACHER, HEAD), SHAPE)
    first = replace(LAYERS, options={**LAYERS.options, "pairs": ((0, 0), (1, 1), (2, 2))})
    assert run_parts(teacher, LAYERS, is_teacher=True) == teacher.layers
    assert run_parts(teacher, first, is_teacher=True) == teacher.layers[:3]
    assert run_parts(teacher, label_objective(HEAD), is_teacher=True) == ()
    stage = replace(load_config().general_distill, attention_weight=0.0, hidden_weight=0.0, relation_weight=1.0)
    relations = objective_of(replace(stage, relation_layer=2), HeadConfig())
    *below, related = run_parts(teacher, relations, is_teacher=True)
    assert tuple(below) == teacher.layers[:2] and related.products == 6 * 32 * 32 * 32
    assert run_parts(teacher, relations, is_teacher=False)[-1] == teacher.layers[4].qkv  # the student's last
    apart = replace(NETWORK, objective=relations, projections=0)
    whole = replace(apart, objective=objective_of(replace(stage, relation_weight=0.0, hidden_weight=1.0), HeadConfig(),
                                                  ((0, 0), (2, 4))))
    assert work_of(apart, SHAPE).teacher < work_of(whole, SHAPE).teacher / 2
    cut = (objective_of(replace(stage, relation_heads=number), HeadConfig()) for number in (8, 16, 1 << 16))
    few, many, more = (memory_of(replace(apart, objective=each), SHAPE, 1).batch for each in cut)
    assert few < many < more < many + 4 * 3 * 6 * (1 << 22)  # which is computed in parts
    head = HeadConfig("masked_lm")
    whole = Network(ModelConfig(TEACHER, head), None, label_objective(head), 0)
    short = replace(Network(ModelConfig(TEACHER, HEAD), None, label_objective(HEAD), 0), for_logits=True)
    assert work_of(short, SHAPE).forward < work_of(replace(short, for_logits=False), SHAPE).forward
    shape, layers = BatchShape(4, 8, 5), [part.prefix for part in teacher.layers]
    head_alone = work_of(replace(whole, frozen=tuple(layers)), shape)
    transform, decoder = parts_of(whole.student, shape).head
    assert head_alone.backward == 2 * transform.products + decoder.products
    assert work_of(whole, shape).backward == 2 * work_of(whole, shape).forward


def test_memory_grows_with_the_batch_and_halves_in_float16() -> None:
    small, large = (memory_of(NETWORK, BatchShape(rows, 8), 1) for rows in (4, 8))
    assert large.batch == pytest.approx(2 * small.batch) and large.weights == small.weights
    assert memory_of(NETWORK, SHAPE, 1, size=2).batch < small.batch
    assert memory_of(NETWORK, SHAPE, 2).optimizer == small.optimizer * 4 / 3


def test_terms_over_a_vocabulary_hold_one_matrix_of_differences_at_a_time() -> None:
    model, stage = ModelConfig(TEACHER, HeadConfig("masked_lm")), replace(load_config().token_distill, alpha_clm=0.0)
    stages = (replace(stage, alpha_mlm=others, alpha_mse=others) for others in (0.0, 1.0))
    alone, three = (Network(model, model, objective_of(each, model.head), 0) for each in stages)
    assert len(three.objective.terms) == len(alone.objective.terms) + 2
    assert memory_of(alone, BatchShape(4, 8, 5), 1) == memory_of(three, BatchShape(4, 8, 5), 1)


@pytest.mark.parametrize(("device", "tflops", "message"), [
    (replace(CPU, target="Ascend"), 0.0, "FLOP a device; --tflops N"),
    (replace(CPU, target="Ascend", ranks=8), 1e-6, "at 1e-06 TFLOP/s a device;"),
    (CPU, 1e-6, "at 1e-06 TFLOP/s a device;"),
])
def test_hours_are_told_where_the_speed_is_known(device: Device, tflops: float, message: str) -> None:
    forecast = Forecast(NETWORK, LENGTHS, [(1.0, SHAPE)], SHAPE, 2, device)
    said = time_line(forecast, 100, tflops)
    assert message in said
    if tflops:
        assert f", {forecast.step_products / 1e6:.3g} s a step" in said
    assert time_line(forecast, 0, tflops).startswith("none")


def train(world: Path, *options: str) -> None:
    run_general_distill.main([
        "--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
        "--save_ckpt_path", str(world / "not_trained"), *STUDENT_OPTIONS, *RUN_OPTIONS, *options])


@pytest.mark.medium
@pytest.mark.parametrize("options", [(), ("--dry_run",)])
def test_less_memory_than_the_batch_needs(options: tuple[str, ...], world: Path, monkeypatch: pytest.MonkeyPatch
                                          ) -> None:
    monkeypatch.setattr(forecasts, "resident_memory", lambda: 1_000_000)
    network = replace(NETWORK, trained=6000)
    needs = {rows: 1_000_000 + with_graphs(network, BatchShape(rows, 16), [BatchShape(rows, 8)], 1).total
             for rows in (4, 8, 16)}
    for free, advice in ((needs[8], "--batch_size 4 --gradient_accumulation_steps 4"),
                         (needs[4] / 4, "take a smaller teacher or student")):
        monkeypatch.setattr(forecasts, "free_memory", lambda free=free: int(free) - 1_000_000)
        refused(f"general_distill: batches of 16 x 16 .* can be had; .*{advice}.*--check_memory false", train, world,
                "--batch_size", "16", *options)
        assert not (world / "not_trained").exists()
    train(world, "--batch_size", "16", "--check_memory", "false", "--dry_run")


@pytest.mark.medium
def test_a_device_has_the_memory_that_it_may_take(world: Path) -> None:
    refused("batches of 16 x 16 are expected to take .* and 1 MB can be had", train, world, "--dry_run", "--batch_size",
            "16", "--device_target", "Ascend", "--max_device_memory", "0.0001GB")


def test_free_memory_is_that_of_the_narrowest_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = memory.free_memory()
    assert 0 < memory.resident_memory() and 0 < free
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 50, 1 << 50))
    assert memory.free_memory() > 0
    for version, files in (("", ("memory.max", "memory.current", "inactive_file")),
                           ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))):
        group = tmp_path / version / "job"
        group.mkdir(parents=True)
        (group / files[0]).write_text("9000\n")
        (group / files[1]).write_text("5000\n")
        (group / "memory.stat").write_text(f"anon 1\n{files[2]} 300\n")
        (tmp_path / "own").write_text(f"4:{version}:/job/step\n")
        (group / "step").mkdir()
        (group / "step" / files[0]).write_text("max\n" if not version else "9223372036854771712\n")
        (group / "step" / files[1]).write_text("100\n")
        (group / "step" / "memory.stat").write_text("anon 1\n")
        assert min(memory._left_in_groups(tmp_path / "own", tmp_path)) == 4300
    assert memory._left_in_groups(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize(("options", "message"), [
    ("--tflops -1", "tflops is -1.0; it must be at least 0"), ("--tflops nan", "tflops is nan; it must be"),
    ("--tflops much", "tflops is 'much'"),
])
def test_refused_speeds(options: str, message: str, tmp_path: Path) -> None:
    from src.config import parse

    refused(message, parse, "run_general_distill.py", options.split())
    refused("tflops is read by .*run_finetune.py", parse, "eval.py", ["--tflops", "3"])
