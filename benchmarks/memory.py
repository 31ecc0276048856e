# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The most memory that evaluation, prediction and stored logits take, with transformers' or PyTorch's beside it.

python benchmarks/memory.py [--batch_size 32] [--batches 4] [--paths classification,tagging,...]

Each path runs in a process of its own: a model of 12 x 768 with each kind of head, or the BiLSTM of
default_config.yaml, vocabulary 30522, float32, CPU. It reads rows of 8 to 128 tokens in batches of similar length: ours
fill up to 32, 64, 96 or 128, theirs to the longest row. `bilstm_training` takes steps of 128 tokens with a teacher of
12 x 768 in the graph. `before` is what the process takes with its libraries and the model, ahead of the first batch.
Of masked language models transformers computes the logits of all places, ours those of the predicted ones. The steps of
other trainings are in benchmarks/step_time.py. Needs torch and transformers (requirements-dev.txt).
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from common import HEADS, VOCABULARY, arguments, encoder

LAYERS, WIDTH = 12, 768
BUCKETS = (32, 64, 96, 128)
LABELS = {"classification": 3, "tagging": 9, "span": 2}
PATHS = (*LABELS, "masked_lm", "bilstm", "bilstm_tagging", "bilstm_training")
Run = Callable[[], object]


def rows(number: int) -> tuple[np.ndarray, ...]:
    """Return input_ids, input_mask, segment_ids, int32 (number, 128), of rows that end anywhere."""
    generator = np.random.default_rng(0)
    mask = (np.arange(BUCKETS[-1]) < generator.integers(8, BUCKETS[-1] + 1, (number, 1))).astype(np.int32)
    ids = generator.integers(1000, 30000, mask.shape).astype(np.int32)
    return ids * mask, mask, np.zeros_like(mask)


def kind_of(path: str) -> Any:
    """The kind of head of a path."""
    return "tagging" if path.endswith("tagging") else "classification" if path.startswith("bilstm") else path


def ours(path: str, batch_size: int, batches: int) -> Run:
    """Return what runs a path of ours."""
    from src.config import HeadConfig, ModelConfig, load_config
    from src.dataset import Batch, LanguageModelTargets
    from src.device import set_up_device
    from src.evaluate.language import LanguageEvaluation
    from src.evaluate.tasks import Predictor

    config = load_config(device__device_target="CPU", device__compile_cache=False)
    device = set_up_device(config.device, config.seed)
    ids, mask, segments = rows(batch_size * batches)
    chunk = Batch(ids, mask, segments, np.zeros((len(ids), 1), np.int32))
    kind = kind_of(path)
    head = HeadConfig(kind, tuple(map(str, range(LABELS[kind]))) if kind in ("classification", "tagging") else ())
    model = ModelConfig(encoder(LAYERS, WIDTH), head)
    if path.startswith("bilstm"):
        model = ModelConfig(config.bilstm.encoder(VOCABULARY), head)
    if path == "bilstm_training":
        return _our_steps(config, model, ModelConfig(encoder(LAYERS, WIDTH), head), chunk, batch_size)
    if path == "masked_lm":
        from src.checkpoints.checkpoint import parameters_of
        from src.models.heads import build_model

        targets = LanguageModelTargets.from_settings(
            config.mlm, vocab_size=VOCABULARY, special_ids=(0, 101, 102, 103), mask_id=103, causal=False,
            only_predicted=True, seed=0, round_to=64)
        evaluation = LanguageEvaluation(model, lambda _: [chunk], targets, batch_size, BUCKETS, device)
        parameters = parameters_of(build_model(model))
        return lambda: evaluation(parameters)
    predictor = Predictor(model)
    return lambda: predictor.predict([chunk], batch_size, BUCKETS)


def _our_steps(config: Any, student: Any, teacher: Any, chunk: Any, batch_size: int) -> Run:
    import mindspore as ms
    from mindspore import Tensor

    from common import make_step

    step, _ = make_step(config, config.task_distill.phase2, student, teacher)
    batch = [array[:batch_size] for array in chunk[:4]]
    return lambda: [float(step(Tensor(number, ms.int32), *map(Tensor, batch))[0]) for number in range(4)]


def theirs(path: str, batch_size: int, batches: int) -> Run:
    """Return the same of transformers, or of PyTorch."""
    import torch
    import transformers

    torch.set_num_threads(os.cpu_count() or 1)
    inputs = [torch.from_numpy(array).long() for array in rows(batch_size * batches)]
    kind = kind_of(path)
    sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
                             "num_attention_heads": HEADS, "intermediate_size": 4 * WIDTH}
    sizes["num_labels"] = LABELS.get(kind, 2)
    config = transformers.BertConfig(**sizes)
    classes: dict[str, Any] = {
        "classification": transformers.BertForSequenceClassification, "span": transformers.BertForQuestionAnswering,
        "tagging": transformers.BertForTokenClassification, "masked_lm": transformers.BertForMaskedLM}
    if path == "bilstm_training":
        return _their_steps(classes[kind](config).eval(), [each[:batch_size] for each in inputs])
    model = _their_bilstm(kind) if path.startswith("bilstm") else classes[kind](config)
    model.eval()

    def run() -> list:
        found, order = [], inputs[1].sum(1).argsort(stable=True)
        with torch.inference_mode():
            for chosen in order.split(batch_size):
                batch = [each[chosen, : int(inputs[1][chosen].sum(1).max())] for each in inputs]
                if path.startswith("bilstm"):
                    found.append(model(*batch[:2]).numpy())
                    continue
                outputs = model(batch[0], attention_mask=batch[1], token_type_ids=batch[2])
                if kind == "masked_lm":
                    found.append(float(outputs.logits.log_softmax(-1).max()))
                else:
                    found += [outputs[place].numpy() for place in range(2 if kind == "span" else 1)]
        return found

    return run


def _their_bilstm(kind: str) -> Any:
    import torch

    from src.config import load_config

    sizes = load_config().bilstm.encoder(VOCABULARY)

    class BiLstm(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(VOCABULARY, sizes.embedding_size)
            self.lstm = torch.nn.LSTM(sizes.embedding_size, sizes.hidden_size, sizes.num_layers, batch_first=True,
                                      bidirectional=True)
            self.dense = torch.nn.Linear(2 * sizes.hidden_size, sizes.dense_size)
            self.classifier = torch.nn.Linear(sizes.dense_size, LABELS[kind])

        def forward(self, ids: Any, mask: Any) -> Any:
            states = self.lstm(self.table(ids))[0] * mask[:, :, None]
            if kind == "classification":
                states = states.amax(1)
            return self.classifier(torch.relu(self.dense(states)))

    return BiLstm()


def _their_steps(teacher: Any, inputs: list) -> Run:
    import torch

    student = _their_bilstm("classification").train()
    optimizer = torch.optim.AdamW(student.parameters(), fused=True)

    def step() -> float:
        with torch.no_grad():
            its = teacher(inputs[0], attention_mask=inputs[1], token_type_ids=inputs[2]).logits
        loss = -(its.softmax(-1) * student(*inputs[:2]).log_softmax(-1)).sum(-1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return lambda: [step() for _ in range(4)]


def peak() -> float:
    """The most memory that this process has taken, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(of: str, path: str, options: Any) -> list[float]:
    """Run a path in a process of its own; return MB before and at most."""
    command = [sys.executable, __file__, "--of", of, "--paths", path, "--batch_size", str(options.batch_size),
               "--batches", str(options.batches)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return list(map(float, done.stdout.split()[-2:]))


def main() -> None:
    """Print the table; with --of, run one path and print its two figures."""
    options = arguments(__doc__, batch_size=32, batches=4, paths=",".join(PATHS), of="")
    if options.of:
        run = {"ours": ours, "theirs": theirs}[options.of](options.paths, options.batch_size, options.batches)
        before = peak()
        run()
        print(before, peak())
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, mindspore {version('mindspore')}, torch {version('torch')}, "
          f"transformers {version('transformers')}, {options.batches} batches of {options.batch_size}, seed 0; MB")
    print(f"{'':<16} {'ours, before':>12} {'peak':>6} {'theirs, before':>14} {'peak':>6} {'ratio':>6}")
    for path in options.paths.split(","):
        (before, own), (its_before, its) = (measured(of, path, options) for of in ("ours", "theirs"))
        print(f"{path:<16} {before:>12.0f} {own:>6.0f} {its_before:>14.0f} {its:>6.0f} {own / its:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
