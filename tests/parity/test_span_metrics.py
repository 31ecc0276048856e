# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Question answering against transformers: the same windows, offsets, answers and scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval import main as evaluate
from src.checkpoints.checkpoint import save_model
from src.convert.huggingface import read_directory
from src.convert.options import ReadOptions
from src.dataset import Batch
from src.evaluate.tasks import Predictor
from src.records.columns import INPUTS, LABEL
from src.tasks import Task, get_task
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.tasks.span_files import SpanExample
from src.tasks.span_metrics import squad2_scores, squad_scores
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy

torch = Lazy("torch")
transformers = Lazy("transformers")

# No word ends in a combining mark: transformers cuts such a mark off an answer.
WORDS = ("The", "a", "cat", "Café", "e\u0301te", "1950s", "us", "U.S.", "x-y", "dog's", "中国", "ω", "zz", "\u200bb",
         "(b)")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "cafe", "ete", "1950", "##s", "us", "u",
              "s", "x", "y", "-", ".", "'", "dog", "中", "ω", "b", "(", ")", "z", "?", "where", "is")
LENGTH, STRIDE, QUERY, LONGEST = 32, 9, 6, 7
ENCODING = EncodeOptions(LENGTH, STRIDE, QUERY)
# All places are candidates: run_qa.py's choice among all tokens, and ours among those of the context, are then one.
OPTIONS = DecodeOptions(n_best_size=LENGTH, max_answer_length=LONGEST)


def make_model(folder: Path) -> Any:
    torch.manual_seed(5)
    model = transformers.BertForQuestionAnswering(transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=LENGTH, initializer_range=0.4)).eval()
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return model


def make_examples(number: int) -> list[SpanExample]:
    generator = np.random.default_rng(1)
    examples = []
    for index in range(number):
        context = " ".join(generator.choice(WORDS, generator.integers(1, 40)))
        question = " ".join(["where", "is", *generator.choice(WORDS, generator.integers(0, 5)), "?"])
        examples.append(SpanExample(f"id{index}", question, context, ()))
    return examples


def answers_of_transformers(model: Any, tokenizer: Any, example: SpanExample) -> tuple[str, float, float]:
    """Best text over the windows, its score, and the score of no answer, by a loop over all pairs."""
    question = tokenizer(example.question, add_special_tokens=False, truncation=True, max_length=QUERY)["input_ids"]
    encoded = tokenizer(tokenizer.decode(question), example.context, truncation="only_second", max_length=LENGTH,
                        stride=LENGTH - 3 - len(question) - STRIDE, padding="max_length", return_tensors="pt",
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    inputs = {name: encoded[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.no_grad():
        outputs = model(**inputs)
    best, null = ("", -np.inf), np.inf
    for row, (starts, ends) in enumerate(zip(outputs.start_logits.tolist(), outputs.end_logits.tolist(), strict=True)):
        null = min(null, starts[0] + ends[0])
        context = [place for place, part in enumerate(encoded.sequence_ids(row)) if part == 1]
        offsets = encoded["offset_mapping"][row].tolist()
        for start in context:
            for end in range(start, min(start + LONGEST, context[-1] + 1)):
                if starts[start] + ends[end] > best[1]:
                    best = example.context[offsets[start][0]: offsets[end][1]], starts[start] + ends[end]
    return *best, null


def as_json(examples: list[SpanExample]) -> str:
    return json.dumps({"data": [{"paragraphs": [{"context": example.context, "qas": [{
        "id": example.id, "question": example.question,
        "answers": [{"text": text, "answer_start": start} for text, start in example.answers]}]}]}
        for example in examples]}, ensure_ascii=False)


def outputs_of(predictor: Predictor, task: Task, examples: list[SpanExample], tokenizer: Any, batch_size: int,
               buckets: tuple[int, ...]) -> Outputs:
    values = task.encode(examples, tokenizer, ENCODING).values
    batch = Batch(*(values[name].astype(np.int32) for name in INPUTS), values[LABEL])
    return Outputs(predictor.predict([batch], batch_size, buckets).logits, values, examples)


@pytest.mark.medium
def test_a_model_answers_the_same_in_transformers(tmp_path: Path) -> None:
    model = make_model(tmp_path / "hf")
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "hf" / "vocab.txt"))
    examples = make_examples(40)
    expected = [answers_of_transformers(model, tokenizer, example) for example in examples]
    # Gold: some of these answers, their first words, or nothing.
    for number, (text, _, _) in enumerate(expected):
        golds = ([text, "zz"], [text.split(" ")[0]], [])[number % 3]
        examples[number] = replace(examples[number], answers=tuple((gold, 0) for gold in golds if gold))
    converted = read_directory(tmp_path / "hf", ReadOptions())
    assert converted.config.head.kind == "span"
    own = load_tokenizer(tmp_path / "hf")
    predictor = Predictor(converted.config).load(converted.parameters)

    squad2 = get_task("SQuAD2")
    outputs = outputs_of(predictor, squad2, examples, own, 16, (LENGTH,))
    assert len(outputs.logits) > 60
    # A third of the questions stay without an answer: the threshold is between two of the differences.
    differences = sorted(null - score for _, score, null in expected)
    options = replace(OPTIONS, null_score_threshold=sum(differences[26:28]) / 2)
    entries = squad2.predictions(outputs, options)
    texts = [text if null - score <= options.null_score_threshold else "" for text, score, null in expected]
    assert [entry["prediction"] for entry in entries] == texts and texts.count("") == 13
    for name, place in (("score", 1), ("null_score", 2)):
        assert [entry[name] for entry in entries] == pytest.approx([line[place] for line in expected], abs=1e-4)
    scores = squad2.score(outputs, options)
    assert scores == squad2_scores(texts, [example.golds for example in examples])
    assert 0.1 < scores["exact_match"] < scores["f1"] < 0.9

    # Nothing changes with batches, padding, or the order of the questions.
    for batch_size, buckets in ((9, (20, LENGTH)), (64, (LENGTH,))):
        turned = squad2.predictions(outputs_of(predictor, squad2, examples[::-1], own, batch_size, buckets), options)
        assert [(entry["id"], entry["prediction"]) for entry in turned[::-1]] == [
            (entry["id"], entry["prediction"]) for entry in entries]

    check_the_entry_point(tmp_path, converted, examples, [line[0] for line in expected])


def check_the_entry_point(folder: Path, converted: Any, examples: list[SpanExample], texts: list[str]) -> None:
    """eval.py on SQuAD v1.1: the questions that have answers."""
    chosen = [number for number, example in enumerate(examples) if example.answers]
    (folder / "dev-v1.1.json").write_text(as_json([examples[number] for number in chosen]), encoding="utf-8")
    save_model(folder / "ms", replace(converted.config, task_name="SQuAD"), converted.parameters, folder / "hf")
    evaluate(["--checkpoint", str(folder / "ms"), "--data_dir", str(folder), "--task_name", "SQuAD", "--seq_length",
              str(LENGTH), "--buckets", str(LENGTH), "--doc_stride", str(STRIDE), "--max_query_length", str(QUERY),
              "--n_best_size", str(LENGTH), "--max_answer_length", str(LONGEST), "--submit", str(folder / "submit"),
              "--metrics_path", str(folder / "metrics.json"), "--predictions_path", str(folder / "lines.jsonl")])
    golds = [examples[number].golds for number in chosen]
    expected = squad_scores([texts[number] for number in chosen], golds)
    assert json.loads((folder / "metrics.json").read_text())["metrics"] == pytest.approx(expected, abs=1e-6)
    submitted = json.loads((folder / "submit" / "predictions.json").read_text(encoding="utf-8"))
    assert submitted == {examples[number].id: texts[number] for number in chosen}
    lines = [json.loads(line) for line in (folder / "lines.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["id"]: line["prediction"] for line in lines} == submitted
