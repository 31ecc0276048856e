# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What importance is worth: the metric of a pruned model, before any training, against parts drawn at random.

python benchmarks/pruning.py --checkpoint TEACHER --records DIR [--teacher OTHER] [--draws 5]

DIR holds records of the model's task: train, on which importance is measured, and dev, on which models are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common import arguments, machine


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, checkpoint=str, records=str, teacher="", draws=5, batches=16, batch_size=32, seed=0)
    from src.checkpoints.checkpoint import load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.distill.initialization import default_layers
    from src.evaluate.by_row import examine, open_by_row
    from src.export.artefacts import Compiled, run_onnx, write_onnx
    from src.pruning.cut import Kept, choose, cut
    from src.pruning.importance import Sample, measure, open_rows

    config = load_config(device__device_target="CPU", seed=options.seed)
    device = set_up_device(config.device, config.seed)
    model = load_model(options.checkpoint)
    encoder = model.config.require_transformer(options.checkpoint, "pruning")
    teacher = load_model(options.teacher) if options.teacher else None
    measured = measure(model, open_rows(options.records, model, "tfrecord", teacher is not None), teacher, device,
                       Sample(options.batches, options.batch_size, options.seed))
    rows = open_by_row(model, options.records, "records", "dev", config, device)

    def score(kept: Kept) -> float:
        """Of the model that is left, run by ONNX Runtime, which needs no compilation."""
        own, parameters = cut(model.config, model.parameters, kept)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            write_onnx(replace(model, config=own, parameters=parameters), path, Compiled())
            return examine([(rows, run_onnx(path, own, threads=1))])[0].metrics[rows.metric]

    whole = choose(encoder, None)
    heads, units, depth = encoder.num_attention_heads, encoder.intermediate_size, encoder.num_hidden_layers
    print(f"importance: {measured.described}\nscored on dev, {machine()}\n")
    print(f"| Kept of each layer | {rows.metric}, by importance | Across layers | At random, mean of "
          f"{options.draws} | Their range |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| all {heads} heads, all {units} units | {score(whole):.4f} | | | |", flush=True)
    for own, its in ((heads * 2 // 3, 0), (heads // 3, 0), (0, units // 2), (0, units // 4), (heads // 2, units // 4)):
        found = [score(choose(encoder, measured.importances, 0, own, its, across)) for across in (False, True)]
        drawn = [score(Kept(whole.layers, draw(whole.heads, own, seed), draw(whole.units, its, seed)))
                 for seed in range(options.draws)]
        print(f"| {own or 'all'} heads, {its or 'all'} units | {found[0]:.4f} | {found[1]:.4f} | "
              f"{np.mean(drawn):.4f} | {min(drawn):.4f} to {max(drawn):.4f} |", flush=True)
    print(f"\n| Layers kept of {depth} | by importance | evenly spread |\n| --- | ---: | ---: |")
    for count in (depth * 2 // 3, depth // 2):
        both = choose(encoder, measured.importances, count), choose(encoder, None, default_layers(count, depth))
        print(f"| {count} | " + " | ".join(f"{score(kept):.4f} ({', '.join(map(str, kept.layers))})" for kept in both)
              + " |", flush=True)


def draw(parts: Sequence[Sequence[int]], count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Return `count` of the parts of each layer, drawn at random; all of them for 0."""
    generator = np.random.default_rng(seed)
    return tuple(tuple(sorted(generator.choice(each, count or len(each), replace=False).tolist())) for each in parts)


if __name__ == "__main__":
    main()
