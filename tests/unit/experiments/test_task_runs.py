# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Task runs: parts of data sets in the form of their files, and the commands that a table of tasks becomes."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convert_checkpoint
from experiments.pipeline import driver as stage_driver
from experiments.results import chinese_text, relations, small_model
from experiments.results import run as task_runs
from experiments.results import subset as task_subset
from experiments.results.run import plan_groups
from experiments.results.stages import Plan, task_commands
from experiments.results.subset import make_subset, part_of
from experiments.results.table import EVALUATIONS, PAIRS, TASKS, VARIANTS
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.config import parse, reading
from src.tasks import get_task
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def settings_read_once(monkeypatch):
    """Reading YAML takes a tenth of a second a command, and there are many of them."""
    read = functools.cache(reading.read_yaml)
    monkeypatch.setattr(reading, "read_yaml", lambda path: copy.deepcopy(read(path)))


def subset(folder: Path, train: Path, dev: Path, rows: int, **options) -> dict:
    settings = {"dev_rows": 0, "seed": 42, "header": True, "dev_articles": 0, **options}
    return make_subset(train, dev, folder / "data", rows, **settings)


def write_mrpc(folder: Path) -> None:
    """A file with a byte order mark, a header, bare quotes, an empty line, and no newline at the end."""
    for split, rows in (("train", 30), ("dev", 7)):
        lines = [f'{n % 2}\t{n}\t{n}\tsaid "{split} {n}\tor\u2028not' for n in range(rows)]
        text = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + "\n".join([*lines[:3], "", *lines[3:]])
        (folder / f"{split}.tsv").write_bytes(text.encode("utf-8"))


def test_lines_are_drawn_and_the_task_reads_them(tmp_path):
    write_mrpc(tmp_path)
    described = subset(tmp_path, tmp_path / "train.tsv", tmp_path / "dev.tsv", 11)
    assert described["train"] == {"examples": 11, "of": 30, "file": "train.tsv"} and described["seed"] == 42
    assert described["dev"]["examples"] == described["dev"]["of"] == 7
    task = get_task("MRPC")
    drawn = [example.text_a for example in task.read(tmp_path / "data", "train")]
    everything = [example.text_a for example in task.read(tmp_path, "train")]
    assert len(drawn) == 11 and [text for text in everything if text in drawn] == drawn  # in the order of the file
    assert [e.text_a for e in task.read(tmp_path / "data", "dev")] == [e.text_a for e in task.read(tmp_path, "dev")]
    assert (tmp_path / "data/train.tsv").read_bytes().startswith("\ufeffQuality".encode())
    assert json.loads((tmp_path / "data/subset.json").read_text()) == described


def test_the_seed_decides_and_a_larger_part_contains_a_smaller_one(tmp_path):
    write_mrpc(tmp_path)
    small, large, other = (set(part_of(tmp_path / "train.tsv", rows, seed, True)[0].split("\n"))
                           for rows, seed in ((8, 1), (20, 1), (8, 2)))
    assert small < large and small != other
    assert [part_of(tmp_path / "train.tsv", rows, 1, True)[1] for rows in (500, 0)] == [30, 30]


def test_files_without_a_header_and_their_labels(tmp_path, capsys):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text("".join(f"text {n}\t{('negative', 'positive')[n % 2]}\r\n"
                                                       for n in range(9)), encoding="utf-8", newline="")
    (tmp_path / "labels.txt").write_text("negative\npositive\n")
    options = ["--train", str(tmp_path / "train.tsv"), "--dev", str(tmp_path / "dev.tsv"), "--output_dir",
               str(tmp_path / "data"), "--header", "false", "--dev_rows", "3"]
    task_subset.main([*options, "--rows", "4"])
    assert capsys.readouterr().out.startswith("train: 4 of 9 examples of train.tsv\ndev: 3 of 9")
    refused("--rows is -1", task_subset.main, [*options, "--rows", "-1"])
    assert (tmp_path / "data/train.tsv").read_bytes().count(b"\r\n") == 4
    assert (tmp_path / "data/dev.tsv").read_bytes().count(b"\r\n") == 3
    assert (tmp_path / "data/labels.txt").read_text() == "negative\npositive\n"
    examples = list(get_task("ChnSentiCorp").resolve(tmp_path / "data").read(tmp_path / "data", "train"))
    assert len(examples) == 4 and examples[0].text_a.startswith("text ")


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_are_copied_as_they_stand(tmp_path, indent):
    records = [{"text": f"第{n}个在上海{{", "label": {"address": {"上海": [[4, 5]]}}} for n in range(12)]
    text = "\n".join(json.dumps(record, ensure_ascii=False, indent=indent) for record in records)
    for split in ("train", "dev"):
        (tmp_path / f"{split}.json").write_text(text, encoding="utf-8")
    described = subset(tmp_path, tmp_path / "train.json", tmp_path / "dev.json", 5)
    assert described["train"] == {"examples": 5, "of": 12, "file": "train.json"}
    written = (tmp_path / "data/train.json").read_text(encoding="utf-8")
    assert all(block in text for block in written.rstrip("\n").split("\n}\n" if indent else "\n"))
    found = list(get_task("CLUENER").read(tmp_path / "data", "train"))
    assert len(found) == 5 and {example.text for example in found} < {record["text"] for record in records}


def squad(articles: int, questions: int) -> dict:
    return {"version": "1.1", "data": [{"title": f"t{a}", "paragraphs": [{
        "context": f"The answer of {a} is here.", "qas": [
            {"id": f"{a}-{q}", "question": "Where?", "answers": [{"text": "here", "answer_start": 19}]}
            for q in range(questions)]}]} for a in range(articles)]}


def test_one_file_is_divided_by_article(tmp_path):
    path = tmp_path / "both.json"
    path.write_text(json.dumps(squad(9, 4)), encoding="utf-8")
    described = subset(tmp_path, path, path, 0, dev_articles=2)
    assert (described["train"]["examples"], described["dev"]["examples"]) == (28, 8)
    titles = [{article["title"] for article in json.loads((tmp_path / f"data/{split}.json").read_text())["data"]}
              for split in ("train", "dev")]
    assert len(titles[0]) == 7 and len(titles[1]) == 2 and not titles[0] & titles[1]
    assert len(list(get_task("XQuAD").read(tmp_path / "data", "dev"))) == 8
    refused("are both .*; give --dev_articles", subset, tmp_path, path, path, 0)


@pytest.mark.parametrize("name, text, message", [
    ("a.tsv", "only a header\n", "has no examples to take"), ("a.json", '{"text": ', "is not what its name says"),
    ("a.json", '{"data": [{"title": 1}]}', "is not what its name says"), ("absent.tsv", None, "cannot read .*absent")])
def test_faulty_files_are_told_in_one_line(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    refused(message, subset, tmp_path, tmp_path / name, tmp_path / f"other{Path(name).suffix}", 2)
    assert not (tmp_path / "data").exists()


def test_a_random_model(tmp_path):
    (tmp_path / "vocab").mkdir()
    (tmp_path / "vocab/vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n甲\n乙\n", encoding="utf-8")
    small_model.main(["--tokenizer", str(tmp_path / "vocab"), "--output_dir", str(tmp_path / "model")])
    loaded = load_model(tmp_path / "model")
    assert (loaded.config.encoder.vocab_size, loaded.config.encoder.num_hidden_layers) == (7, 4)
    refused("size '3x256': expected layers x width x heads", small_model.main, ["--tokenizer", "v", "--output_dir", "m",
                                                                               "--size", "3x256"])


def test_a_model_that_begins_with_the_embeddings_of_another(tmp_path):
    for name, more in (("vocab", ""), ("other", "丙\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.txt").write_text(f"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n甲\n乙\n{more}",
                                                   encoding="utf-8")
    given = ["--tokenizer", str(tmp_path / "vocab"), "--output_dir"]
    small_model.main([*given, str(tmp_path / "wide"), "--size", "1x8x2"])
    again = [*given, str(tmp_path / "narrow"), "--embeddings", str(tmp_path / "wide")]
    refused("are 128 wide, the teacher's 8", small_model.main, again)
    refused("has other tokens", small_model.main, [*again, "--tokenizer", str(tmp_path / "other"), "--size", "1x3x1"])
    assert not (tmp_path / "narrow").exists()
    small_model.main([*again, "--size", "1x3x1"])
    words = "encoder.embeddings.word_embeddings.embedding_table"
    wide, narrow = (load_model(tmp_path / name).parameters[words] for name in ("wide", "narrow"))
    assert np.square(narrow).sum() > 3 / 8 * np.square(wide - wide.mean(0)).sum()


PLAN = Plan(Path("data"), Path("out"), (1, 2))
ENTRIES = {entry.name: entry for entry in TASKS}


def commands_of(plan: Plan = PLAN) -> list[tuple[str, ...]]:
    groups = plan_groups(plan, TASKS, VARIANTS)
    return [command for stages in groups.values() for stage in stages for command in stage.commands]


def options_of(command: tuple[str, ...]):
    """The settings that an entry point makes of a command; None of a tool's."""
    words = list(command[1:])
    if words[0] == "-m":
        return None
    entry = " ".join(words[:2]) if words[0] == "prepare_data.py" else words[0]
    return parse(entry, words[2 if words[0] == "prepare_data.py" else 1:])


@pytest.mark.medium
def test_all_commands_are_accepted_by_the_entry_points():
    # One of each form: commands of the same options and recipe differ in their values alone.
    forms = {tuple(word for word in command if word.startswith("--") or word.endswith((".py", ".yaml"))): command
             for command in commands_of()}
    names = []
    for command in forms.values():
        names.append(command[1])
        if command[1:3] == ("convert_checkpoint.py", "extract"):
            convert_checkpoint.build_extract_parser().parse_args(list(command[3:]))
        elif command[1] == "convert_checkpoint.py":
            convert_checkpoint.build_parser().parse_args(list(command[2:]))
        elif command[1] == "-m":
            source = (REPOSITORY / (command[2].replace(".", "/") + ".py")).read_text(encoding="utf-8")
            assert all(f'"{word}"' in source for word in command if word.startswith("--"))
        else:
            assert options_of(command).seed == 42
    assert set(names) == {"-m", "convert_checkpoint.py", "prepare_data.py", "run_finetune.py", "run_task_distill.py",
                          "run_compress.py", "eval.py"}


def test_chinese_text_is_that_of_training_rows(tmp_path):
    for name, rows in {"chnsenticorp/train.tsv": "很 好\tpositive\n见过的\tpositive\n差\tnegative\n",
                       "chnsenticorp/dev.tsv": "见过的\tpositive\n", "chnsenticorp/labels.txt": "negative\npositive\n",
                       "tnews/train.tsv": "标题\tnews_car\n", "tnews/dev.tsv": "别的\tnews_car\n",
                       "zh_wiki_text/a.txt": "百科\n标题\n\n别的\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(rows, encoding="utf-8")
    for split, text in (("train", "实体在上海"), ("dev", "验证在北京")):
        (tmp_path / "cluener").mkdir(exist_ok=True)
        (tmp_path / f"cluener/{split}.json").write_text(json.dumps(
            {"text": text, "label": {"address": {text[3:]: [[3, 4]]}}}, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "cmrc2018").mkdir()
    for name in ("cmrc2018_dev", "cmrc2018_trial"):
        (tmp_path / f"cmrc2018/{name}.squad-style.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": [{
            "context": f"{name}在此。", "qas": [{"id": "1", "question": f"{name}在哪？", "answers": [
                {"text": name, "answer_start": 0}]}]}]}]}, ensure_ascii=False), encoding="utf-8")
    lines = list(chinese_text.lines_of(tmp_path))
    assert lines == ["很 好", "差", "标题", "实体在上海", "cmrc2018_dev在此。", "cmrc2018_dev在哪？", "百科"]
    (tmp_path / "zh_wiki_text/a.txt").unlink()
    refused("there is no .*zh_wiki_text", list, chinese_text.lines_of(tmp_path))


@pytest.mark.parametrize(("size", "heads", "attention"), [("3x256x8", 32, 0.0), ("2x96x12", 48, 1.0)])
def test_narrow_students_take_as_many_steps_with_each_objective(size, heads, attention):
    commands = relations.arm_commands(PLAN, ENTRIES["STS-B"], size, 41)
    assert "unlabelled" not in commands
    labels, related, hidden = map(options_of, commands.values())
    assert labels.finetune.train_steps == 41 and labels.finetune.load_ckpt_path == f"out/start-{size}"
    for each in (related, hidden):
        phases = each.task_distill
        assert phases.phase1.train_steps + phases.phase2.train_steps == 41
        assert phases.load_gd_ckpt_path == f"out/start-{size}" and each.seeds == labels.seeds
        assert phases.phase2.learning_rate == labels.finetune.learning_rate
    first = related.task_distill.phase1
    assert (first.relation_heads, first.attention_weight, first.hidden_weight) == (heads, 0.0, 0.0)
    first = hidden.task_distill.phase1
    assert (first.relation_weight, first.attention_weight, first.hidden_weight) == (0.0, attention, 1.0)
    commands = relations.arm_commands(PLAN, ENTRIES["Editorials"], size, 41)
    first, second = (options_of(commands[name]).task_distill for name in ("relations", "unlabelled"))
    assert second.unlabelled_data_dir == "out/english/data/others/editorials.txt" and not first.unlabelled_data_dir
    assert first.phase1 == second.phase1 and first.phase2 == second.phase2


def test_the_table_of_narrow_students(tmp_path):
    folder = tmp_path / "STS-B"
    (folder / "teacher").mkdir(parents=True)
    (folder / "teacher/dev.json").write_text('{"metrics": {"spearman": 0.8}}')
    for name, values in (("labels", [0.1, 0.3]), ("relations", [0.5, 0.7]), ("tinybert", [0.2, 0.4])):
        score = {"mean": sum(values) / 2, "std": 0.2 / 2 ** 0.5, "values": values}
        (folder / f"{name}-3x256x8").mkdir()
        (folder / f"{name}-3x256x8/seeds.json").write_text(json.dumps({"metrics": {"spearman": score}}))
    rows = relations.table(tmp_path, [ENTRIES["STS-B"]], "3x256x8").splitlines()[2:]
    assert rows[0] == "| STS-B | spearman | 0.8000 | labels | 0.2000 | 0.1000 | - | - | - |"
    assert [row.split(" | ")[6:] for row in rows[1:]] == [["+0.4000", "0.1414", "better |"],
                                                          ["+0.1000", "0.1414", "no difference shown |"]]
    (folder / "labels-3x256x8/seeds.json").unlink()  # --arms relations,tinybert
    rows = relations.table(tmp_path, [ENTRIES["STS-B"]], "3x256x8").splitlines()[2:]
    assert rows[0] == "| STS-B | spearman | 0.8000 | relations | 0.6000 | 0.1000 | - | - | - |" and len(rows) == 2


def test_some_data_come_with_the_base_model():
    assert PLAN.source(ENTRIES["Tweets"]) == Path("out/english/data/tweets")
    assert PLAN.source(ENTRIES["MRPC"]) == Path("data/glue/MRPC")
    task_runs.check_data(Path("absent"), [ENTRIES["Tweets"], ENTRIES["Reviews"]])


@pytest.mark.parametrize("name", ["MRPC", "ChnSentiCorp"])
def test_both_students_begin_alike_and_take_as_many_steps(name):
    entry = ENTRIES[name]
    commands = task_commands(PLAN, entry)
    runs = {name: options_of(commands[name]) for name in entry.variants}
    for without, with_teacher in (pair for pair in PAIRS if pair[0] in runs):
        alone, distilled = runs[without], runs[with_teacher]
        phases = distilled.task_distill
        steps = [phases.phase2.train_steps]
        if "bilstm" in without:
            assert phases.phases == "2" and alone.bilstm == distilled.bilstm
            assert alone.teacher == distilled.teacher and alone.bilstm.embeddings == "teacher"
            assert alone.finetune.learning_rate == phases.phase2.learning_rate
        else:
            steps.append(phases.phase1.train_steps)
            assert alone.finetune.load_ckpt_path == phases.load_gd_ckpt_path == f"out/{entry.base}/student"
        assert alone.finetune.train_steps == sum(steps) > 100
        for training in (alone.finetune, phases.phase2):
            assert -(-training.train_steps // training.eval_interval) == EVALUATIONS
        assert alone.data == distilled.data and alone.seeds == distilled.seeds == (1, 2)
        assert alone.finetune.batch_size == phases.phase1.batch_size == phases.phase2.batch_size


@pytest.mark.medium
def test_stages_write_below_the_output_and_survive_stored_logits():
    for stages in plan_groups(PLAN, TASKS, ()).values():
        for stage in stages:
            assert all(path.is_relative_to("out") for path in stage.outputs)
            assert all(any(path.is_relative_to(output) for output in stage.outputs) for path in stage.results)
            # Distillation writes the teacher's logits into the folder of the records.
            watched = [path for path in (*stage.inputs, *stage.results) if "records" in path.as_posix()]
            assert all(path.name == "manifest.json" for path in watched), stage.name


@pytest.mark.medium
def test_scale_changes_steps_and_nothing_else():
    pairs = zip(commands_of(), commands_of(replace(PLAN, scale=0.01)), strict=True)
    for full, small in pairs:
        changed = {full[place - 1] for place in range(len(full)) if full[place] != small[place]}
        assert changed <= {"--train_steps", "--eval_interval", "--task_distill.phase1.train_steps",
                           "--task_distill.phase2.train_steps", "--rung_steps"}


def test_a_dry_run_prints_commands_and_makes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stage_driver, "run_stage", lambda *_: pytest.fail("a command was run"))
    task_runs.main(["--data_dir", str(tmp_path), "--output", str(tmp_path / "out"), "--tasks", "RTE,TNEWS",
                    "--variants", "distilled", "--seeds", "7", "--dry_run"])
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert sum("run_task_distill.py" in line and "--seeds 7" in line for line in lines) == 2
    assert not any("bilstm" in line for line in lines) and not (tmp_path / "out").exists()


def test_groups_run_once(tmp_path, monkeypatch):
    write_mrpc(tmp_path)
    (tmp_path / "glue").mkdir()
    (tmp_path / "glue/MRPC").symlink_to(tmp_path)
    ran = []

    def runner(stage, log):
        ran.append(stage.name)
        for path in (*stage.outputs, *stage.results):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}") if path.suffix else path.mkdir(exist_ok=True)

    monkeypatch.setattr(stage_driver, "run_stage", runner)
    command = ["--data_dir", str(tmp_path), "--output", str(tmp_path / "out"), "--tasks", "mrpc", "--variants"]
    task_runs.main([*command, "finetuned"])
    assert ran == ["fetch", "convert", "student", "data", "records", "teacher", "finetuned"]
    task_runs.main([*command, "finetuned,distilled"])
    assert ran[7:] == ["distilled"]
    conditions = json.loads((tmp_path / "out/conditions.json").read_text())
    assert conditions["seeds"] == [42, 43, 44] and conditions["data_dir"] == str(tmp_path)


@pytest.mark.parametrize("options, message", [
    (["--tasks", "MRCP"], "'MRCP' is none of .*did you mean 'MRPC'"),
    (["--variants", "distil"], "did you mean 'distilled'"), (["--seeds", "1,1"], "expected different whole numbers"),
    (["--seeds", "a"], "expected different whole numbers"),
    (["--scale", "0"], "--scale is 0"), ([], "task MRPC needs .*MRPC/train.tsv, which is not there")])
def test_what_the_driver_refuses(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        task_runs.main(["--data_dir", str(tmp_path), "--output", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()
