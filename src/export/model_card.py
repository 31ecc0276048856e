# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""README.md of a bundle: the model card of the Hugging Face hub, with metadata at its beginning.

https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from src.common.errors import UserError
from src.config import ExportConfig

_SHOWN_LABELS = 30


class _DataSet(NamedTuple):
    """A data set of the hub: "" and None where it has no official place there."""

    languages: tuple[str, ...]
    place: str = ""
    config: str | None = None


def _sets(names: str, languages: tuple[str, ...], place: str) -> dict[str, _DataSet]:
    return {name: _DataSet(languages, place, config) for name, config in (
        pair.split(":") for pair in names.split())}


_DATA_SETS = {
    **_sets("SST-2:sst2 CoLA:cola MRPC:mrpc QQP:qqp STS-B:stsb MNLI:mnli QNLI:qnli RTE:rte WNLI:wnli AX:ax", ("en",),
            "nyu-mll/glue"),
    **_sets("TNEWS:tnews AFQMC:afqmc CMNLI:cmnli CMRC2018:cmrc2018", ("zh",), "clue/clue"),
    "CLUENER": _DataSet(("zh",)), "ChnSentiCorp": _DataSet(("zh",)),
    "XNLI": _DataSet(("multilingual",), "facebook/xnli"),
    "SQuAD": _DataSet(("en",), "rajpurkar/squad"), "SQuAD2": _DataSet(("en",), "rajpurkar/squad_v2"),
    "XQuAD": _DataSet(("en",), "rajpurkar/squad"),
}
_PIPELINES = {"classification": "text-classification", "regression": "text-classification",
              "tagging": "token-classification", "span": "question-answering",
              "embedding": "sentence-similarity"}
_RANKING = "text-ranking"
"""Of a reranker, which the hub does not count among those of scores."""
_METRICS = {"spearman": "spearmanr", "pearson": "pearsonr"}
"""Metrics that the hub calls otherwise."""
_ASKED = {"text": '["A lovely film.", "Dull."]', "pair": '[("A man sleeps.", "He is awake.")]',
          "either": '["A lovely film.", "Dull."]', "question": '[("Who wrote it?", "Ada Lovelace wrote it in 1843.")]'}


def check_identifiers(settings: ExportConfig) -> None:
    """Raise `UserError` for a licence or a language that is none of the hub's identifiers by its form."""
    if settings.license and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", settings.license):
        raise UserError(f"license is {settings.license!r:.60}; expected an identifier such as apache-2.0, mit, "
                        "cc-by-4.0 or other")
    for language in settings.language:
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,8})?|multilingual|code", language):
            raise UserError(f"language {language!r:.60} is none; expected codes such as en or zh, or multilingual")


def languages_of(task: str, given: Sequence[str]) -> list[str]:
    """Return the languages of a model: those given, else those of its task, where that is a known one."""
    return list(given or _DATA_SETS.get(task, _DataSet(())).languages)


def model_card(card: dict[str, Any]) -> str:
    """Return the model card of what bundle.json says."""
    from huggingface_hub import EvalResult, ModelCardData

    name, task, kind = card["model"]["name"], card["task_name"], card["head"]
    pipeline = _RANKING if task == "reranking" else _PIPELINES[kind]
    data_set = _DATA_SETS.get(task, _DataSet(()))
    measured, where = _measured(card)
    results = [EvalResult(
        task_type=pipeline, dataset_type=data_set.place or "own",
        dataset_name=task if task in _DATA_SETS else "own data",
        dataset_config=data_set.config, dataset_split="validation" if where == "dev" else None,
        metric_type=_METRICS.get(metric, metric), metric_name=metric, metric_value=value)
        for metric, value in measured.items()]
    data = ModelCardData(
        language=card["language"] or None, license=card["license"] or "unknown", library_name="onnx",
        pipeline_tag=pipeline, datasets=[data_set.place] if data_set.place else None,
        metrics=[_METRICS.get(metric, metric) for metric in measured] or None,
        tags=["knowledge-distillation", "mindspore", "onnxruntime"],
        **({"model_name": name, "eval_results": results} if results else {}))
    return f"---\n{data.to_yaml()}\n---\n\n{_text(card, measured, where)}"


def _measured(card: dict[str, Any]) -> tuple[dict[str, float], str]:
    """The metrics of the file, and what rows they are of."""
    if quantized := card.get("quantized"):
        return quantized["metrics"]["int8"], f"{quantized['rows']} rows, on which the int8 file was verified"
    return card["metrics"]["dev"], "dev"


def _text(card: dict[str, Any], measured: dict[str, float], where: str) -> str:
    model, teacher, rows, labels = card["model"], card["teacher"], card["rows"], card["labels"]
    facts = {
        "Task": card["task_name"] or "not known", "Kind": card["head"],
        "Labels": ", ".join(map(_code, labels[:_SHOWN_LABELS])) + (
            f", ... ({len(labels)} in all)" if len(labels) > _SHOWN_LABELS else ""),
        "Size": f"{model['size']}, {model['parameters'] / 1e6:.2f} million parameters, {card['bytes'] / 1e6:.1f} MB "
                f"({card['compute_type']})",
        "Teacher": _code(teacher["name"]) if teacher else "",
        "Longest row": f"{rows['seq_length']} tokens; " + (
            f"longer texts are read in windows, {rows['doc_stride']} tokens apart"
            if card["head"] in ("tagging", "span") else "longer texts are cut"),
        **{f"{metric} ({where})": f"{value:.4f}" for metric, value in measured.items()},
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in facts.items() if value)
    return f"""# {_code(model['name'])}

An ONNX model with its tokenizer, distilled or fine-tuned with MindSpore. It runs on ONNX Runtime.

| | |
| --- | --- |
{table}

```python
from serving import Predictor

Predictor("THIS_FOLDER").predict({_ASKED[rows['takes']]})
```

`serving` is a folder of the repository that made this model, and needs nothing else of it. `bundle.json` says how rows
are made and outputs are read.
"""


def _code(text: str) -> str:
    """A name of somebody else's as code of Markdown, which nothing in it ends."""
    return "`" + re.sub(r"[`|\s]+", " ", text) + "`"
