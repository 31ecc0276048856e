# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/CHINESE.md, as they stand there, on a small teacher: Google's checkpoint in, Google's out."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convert_checkpoint
import eval as evaluation
import prepare_data
import run_general_distill
from src.checkpoints.checkpoint import LoadedModel, load_model
from src.config import EncoderConfig, HeadConfig, ModelConfig, load_config, parse
from src.dataset import open_records, read_rows
from src.text.tokenization import load_tokenizer
from tests.tiny import save_random, write_vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST, WIDTH, INNER, LAYERS = 48, 32, 64, 4
GOOGLE = "chinese_L-12_H-768_A-12"
MAIN: dict[str, Callable[[list[str]], None]] = {
    "convert_checkpoint.py": convert_checkpoint.main, "prepare_data.py": prepare_data.main, "eval.py": evaluation.main,
    "run_general_distill.py": run_general_distill.main}
# What makes the commands small: sizes of the student but not its layers and token types, lengths, steps.
BUCKETS = ("--buckets", str(LONGEST), "--device_target", "CPU")
SMALL = {
    "convert_checkpoint.py": (),
    "prepare_data.py": ("--seq_length", str(LONGEST), "--num_workers", "1"),
    "run_general_distill.py": (
        "--student.hidden_size", str(WIDTH), "--student.num_attention_heads", "4", "--student.intermediate_size",
        str(INNER), "--student.max_position_embeddings", "64", "--batch_size", "8", "--gradient_accumulation_steps",
        "2", "--train_steps", "3", "--log_interval", "1", "--tensorboard", "false", *BUCKETS),
    "eval.py": ("--seq_length", str(LONGEST), "--metrics_path", "metrics.json", *BUCKETS),
}
EMBEDDINGS = "encoder.embeddings.{}_embeddings.embedding_table"
CHARACTERS = tuple(chr(0x4E00 + 7 * number) for number in range(150))
UNKNOWN = "".join(chr(ord(character) + 1) for character in CHARACTERS[:20])


def commands(block: int) -> list[str]:
    """The commands of a code block of docs/CHINESE.md."""
    text = (REPOSITORY / "docs/CHINESE.md").read_text(encoding="utf-8")
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[block].replace("\\\n", " ").strip().splitlines()


def run(command: str, *options: str) -> None:
    """Run a command, a Python one by the main function of its script and with the options that make it small."""
    words = shlex.split(command)
    if words[0] == "python":
        MAIN[words[1]]([*words[2:], *SMALL[words[1]], *options])
    else:
        subprocess.run(command, shell=True, check=True)


def write_google(folder: Path, vocabulary: Path) -> None:
    """Write a random teacher with its masked-LM head as a folder that Google could have released."""
    size = load_tokenizer(vocabulary).vocab_size
    encoder = EncoderConfig(size, WIDTH, LAYERS, 4, INNER, "gelu", 0.1, 0.1, 64, 2, 0.02, 1e-12)
    save_random(folder / "random", ModelConfig(encoder, HeadConfig("masked_lm")), vocabulary)
    convert_checkpoint.main(["--from", "mindspore", "--to", "tf", str(folder / "random"), str(folder / GOOGLE)])
    (folder / GOOGLE / "tokenizer_config.json").unlink()  # which Google's folders have not


def made_text() -> list[str]:
    """Lines of one character up to several rows, empty ones, of unknown tokens, with digits and capitals."""
    generator = np.random.default_rng(0)
    lines = ["".join(generator.choice(CHARACTERS, generator.integers(1, 150))) + "。" for _ in range(110)]
    return [*lines[:50], "", UNKNOWN, "BERT 1 2", *lines[50:], CHARACTERS[0] * 3 * LONGEST]


@pytest.fixture(params=["made", "wikipedia"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with what docs/CHINESE.md starts from: Google's folder and text.txt."""
    if request.param == "made":
        tokens = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "。", "1", "2", "bert", *CHARACTERS)
        vocabulary, lines = write_vocabulary(tmp_path / "vocab", tokens), made_text()
    else:
        shared_data = request.getfixturevalue("shared_data")
        vocabulary = shared_data("zh_vocab")
        source = shared_data("zh_wiki_text/cn_wiki_sample.txt")
        lines = source.read_text(encoding="utf-8").splitlines()[:300]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    write_google(tmp_path, vocabulary)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sizes(place: Path) -> tuple[str, ...]:
    """The student's vocabulary: the recipe's own where it is Google's."""
    size = load_tokenizer(place / GOOGLE).vocab_size
    return () if size == 21128 else ("--student.vocab_size", str(size))


@pytest.mark.large
@pytest.mark.usefixtures("graph_mode")
def test_the_documented_commands(place: Path, capsys: pytest.CaptureFixture) -> None:
    metrics = []
    for command in commands(0):
        run(command, *(sizes(place) if "run_general_distill" in command else ()))
        metrics += [read("metrics.json")["metrics"]] if "eval.py" in command else []
    teacher, student = load_model("output/chinese_bert"), load_model("output/distilbert_chinese/model")
    check_text(teacher)
    check_training(teacher, student)
    check_google(Path("distilbert-chinese-tf"), student)
    assert metrics[0]["tokens"] == metrics[1]["tokens"] > 0  # the same masks
    random_guess = teacher.config.encoder.vocab_size
    assert all(0.5 * random_guess < one["perplexity"] < 2 * random_guess for one in metrics)
    printed = capsys.readouterr().out
    assert printed.count("predicted tokens") == 2 and "starts from its teacher's layers [0, 3]" in printed


@pytest.mark.large
@pytest.mark.usefixtures("graph_mode")
@pytest.mark.parametrize("place", ["made"], indirect=True)
def test_a_student_that_was_cut_out_first(place: Path) -> None:
    """The second block of commands gives the same first student, but for the token types that are drawn."""
    for command in commands(0)[:4]:  # the text, the teacher, the records
        run(command)
    extract, train = commands(1)
    run(extract)
    run(train, *sizes(place), "--train_steps", "1")
    teacher, start = load_model("output/chinese_bert"), load_model("output/chinese_start")
    check_start(teacher, start, exactly=True)
    student = load_model("output/distilbert_chinese_extracted/model")
    assert student.config == start.config
    types = EMBEDDINGS.format("token_type")
    assert np.array_equal(student.parameters[types][1:], start.parameters[types][1:])
    assert not np.array_equal(student.parameters[types][0], start.parameters[types][0])


def test_options_of_the_reference_are_accepted() -> None:
    """Those that the table of docs/CHINESE.md lists, as the reference's page for a Chinese student has them."""
    recipe = ["--config_path", str(REPOSITORY / "configs/distilbert_chinese.yaml")]
    prepared = parse("prepare_data.py corpus", shlex.split(
        "--recipe distil --file_path raw.txt --tokenizer_name output/chinese_bert --dump_file binarized"))
    assert (prepared.objective, prepared.corpus.input, prepared.corpus.tokenizer, prepared.corpus.output_dir) == (
        "tokens", ("raw.txt",), "output/chinese_bert", "binarized")
    given = parse("run_general_distill.py", recipe + shlex.split(
        "--teacher_name output/chinese_bert --alpha_ce 5.0 --alpha_mlm 2.0 --alpha_cos 1.0 --alpha_clm 0.0 --mlm "
        "--freeze_pos_embs --batch_size 50 --gradient_accumulation_steps 50 --dump_path run --data_file binarized "
        "--token_counts counts.json --student_pretrained_weights start --initialization random --force"))
    plain = parse("run_general_distill.py", recipe)
    assert given.token_distill == replace(plain.token_distill, mlm="true", token_counts="counts.json")
    assert given.student == replace(plain.student, student_pretrained_weights="start", initialization="random")
    assert (given.teacher, given.data.data_dir, given.checkpoint.save_ckpt_path, given.checkpoint.resume) == (
        plain.teacher, "binarized", "run", False)


def read(path: str | Path) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def check_text(teacher: LoadedModel) -> None:
    """Every line is in train.txt or held_out.txt, and every token of train.txt in the records or counted as dropped."""
    texts = {name: Path(f"{name}.txt").read_text(encoding="utf-8").splitlines() for name in ("text", "train",
                                                                                           "held_out")}
    assert texts["held_out"] == texts["text"][99::100]
    assert sorted(texts["train"] + texts["held_out"]) == sorted(texts["text"])

    tokenizer = load_tokenizer(teacher.tokenizer_path)
    assert tokenizer.lower_case is True and tokenizer.tokens == load_tokenizer(GOOGLE).tokens
    lines = [line for line in map(str.strip, texts["train"]) if line]
    encoded = tokenizer.encode_batch(lines)
    kept, short, unknown = [], 0, 0
    for ids in encoded:  # the reference's rules, one line after the other
        whole = [tokenizer.cls_id, *ids, tokenizer.sep_id]
        for start in range(0, len(whole), LONGEST - 2) if len(whole) > LONGEST else [0]:
            part = whole[start:start + LONGEST - 2] if len(whole) > LONGEST else whole
            part = part if part[0] == tokenizer.cls_id else [tokenizer.cls_id, *part]
            part = part if part[-1] == tokenizer.sep_id else [*part, tokenizer.sep_id]
            if len(part) < 12:
                short += 1
            elif part.count(tokenizer.unk_id) / len(part) >= 0.5:
                unknown += 1
            else:
                kept.append(part)
    folder = Path("output/distilbert_chinese/records")
    rows = open_records(str(folder), load_config("configs/distilbert_chinese.yaml").data, "data_dir", "sequences")
    stored = [row[mask == 1].tolist() for chunk in read_rows(rows)
              for row, mask in zip(chunk[0], chunk[1], strict=True)]
    assert stored == kept
    assert unknown > 0 or len(tokenizer.tokens) == 21128

    counted = read(folder / "manifest.json")["summary"]
    tokens = sum(map(len, encoded))
    assert counted["sentences"] == len(lines) and counted["tokens"] == tokens
    assert counted["shortened"] == sum(len(ids) > LONGEST - 2 for ids in encoded) > 0
    assert (counted["dropped_short"], counted["dropped_unknown"]) == (short, unknown) and short > 0
    counts = read(folder / "token_counts.json")
    assert counts["vocab_size"] == tokenizer.vocab_size
    assert sum(counts["counts"]) == tokens + 2 * len(lines)


def check_training(teacher: LoadedModel, student: LoadedModel) -> None:
    """Three finite steps of the recipe's terms, from the teacher's first and last layer, positions frozen."""
    lines = [json.loads(line) for line in Path("output/distilbert_chinese/metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert len(steps) == 3 and np.isfinite([line["loss"] for line in steps]).all()
    for line in steps:
        terms = line["terms"]
        assert line["loss"] == pytest.approx(5 * terms["ce"] + 2 * terms["mlm"] + terms["cos"], rel=1e-5)
    check_start(teacher, student, exactly=False)
    assert not np.array_equal(student.parameters[EMBEDDINGS.format("word")],
                              teacher.parameters[EMBEDDINGS.format("word")])


def check_start(teacher: LoadedModel, student: LoadedModel, exactly: bool) -> None:
    """The student is its teacher's embeddings, first and last layer, pooler and head; a few steps move what is trained.

    Only positions, which are frozen, the second token type, which no row has, and the pooler stay to the bit.
    """
    encoder = student.config.encoder
    assert (encoder.num_hidden_layers, encoder.type_vocab_size, encoder.pooler) == (2, 8, "tanh")
    assert student.config.head.kind == "masked_lm"
    for name, value in student.parameters.items():
        its = teacher.parameters[name.replace("layers.1.", f"layers.{LAYERS - 1}.")]
        untouched = exactly or "position" in name or "pooler" in name
        if name == EMBEDDINGS.format("token_type"):
            assert value.shape == (8, WIDTH) and value[2:].any(axis=1).all()
            assert np.array_equal(value[1], its[1])
            value, its = value[:2], its
        assert np.abs(value - its).max() <= (0 if untouched else 3e-3), name


def check_google(folder: Path, student: LoadedModel) -> None:
    """What TensorFlow finds: configuration, vocabulary, the variables of Google's code and their shapes; and back."""
    tf = pytest.importorskip("tensorflow")

    settings = read(folder / "bert_config.json")
    text = (folder / "bert_config.json").read_text()
    assert '"type_vocab_size": 8' in text and '"num_hidden_layers": 2' in text
    source = read(Path(GOOGLE) / "bert_config.json")
    assert settings == {**source, "type_vocab_size": 8, "num_hidden_layers": 2}
    assert (folder / "vocab.txt").read_bytes() == (Path(GOOGLE) / "vocab.txt").read_bytes()
    assert tf.train.latest_checkpoint(str(folder)) == str(folder / "bert_model.ckpt")

    def dense(name: str, rows: int, columns: int) -> dict[str, list[int]]:
        return {f"{name}/kernel": [rows, columns], f"{name}/bias": [columns]}

    def norm(name: str) -> dict[str, list[int]]:
        return {f"{name}/LayerNorm/gamma": [WIDTH], f"{name}/LayerNorm/beta": [WIDTH]}

    size = settings["vocab_size"]
    expected = {"bert/embeddings/word_embeddings": [size, WIDTH], "bert/embeddings/position_embeddings": [64, WIDTH],
                "bert/embeddings/token_type_embeddings": [8, WIDTH], **norm("bert/embeddings"),
                **dense("bert/pooler/dense", WIDTH, WIDTH), "cls/predictions/output_bias": [size],
                **dense("cls/predictions/transform/dense", WIDTH, WIDTH), **norm("cls/predictions/transform")}
    for layer in ("bert/encoder/layer_0", "bert/encoder/layer_1"):
        for part in ("query", "key", "value"):
            expected |= dense(f"{layer}/attention/self/{part}", WIDTH, WIDTH)
        expected |= dense(f"{layer}/attention/output/dense", WIDTH, WIDTH) | norm(f"{layer}/attention/output")
        expected |= dense(f"{layer}/intermediate/dense", WIDTH, INNER)
        expected |= dense(f"{layer}/output/dense", INNER, WIDTH) | norm(f"{layer}/output")
    assert dict(tf.train.list_variables(str(folder / "bert_model.ckpt"))) == expected

    convert_checkpoint.main(["--from", "tf", "--to", "mindspore", str(folder), "back"])
    back = load_model("back")
    assert back.config == student.config
    assert back.parameters.keys() == student.parameters.keys()
    assert all(np.array_equal(back.parameters[name], value) for name, value in student.parameters.items())
