# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The quick start without its models: its data, its baselines, and which stages run, are skipped or continue."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.pipeline import benchmark_model, driver
from experiments.pipeline.archives import unpack_files
from experiments.pipeline.stages import Stage
from experiments.pipeline.study import scaled
from experiments.quickstart import data as quickstart_data
from experiments.quickstart import probe, tfidf
from experiments.quickstart import run as quickstart
from experiments.quickstart.data import Package, RatedSentence
from src.common.errors import UserError
from src.common.files import alone, write_text
from src.config import load_config

REPOSITORY = Path(__file__).resolve().parents[3]


# --- data -------------------------------------------------------------------------------------------------------------


def sentences(count: int) -> list[RatedSentence]:
    return [RatedSentence(str(i), (i % 5) - 2.0, f"sentence number {i}") for i in range(count)]


def tar_of(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def source_distribution(path: Path, **replaced: bytes) -> Path:
    """A made package of the real one's form, with CRLF lines, entities, documents and a non-ASCII letter."""
    members = {
        "movieReviewSnippets_GroundTruth.txt":
            "1\t2.5\tA clich\u00e9,  but &amp; good.\r\n2\t-0.25\tDull.\r\n3\t0.0\tA film.\r\n".encode(),
        "tweets_GroundTruth.txt": b"1\t1.0\tYay &lt;3\r\n2\t-1.0\tMeh\r\n",
        "nytEditorialSnippets_GroundTruth.txt": b"1_1\t0.1\tFirst.\r\n1_2\t0.2\tSecond.\r\n2_1\t0.3\tThird.\r\n",
        "amazonReviewSnippets_GroundTruth.txt": b"1_1\t0.1\tA player.\r\n",
    } | replaced
    inner = tar_of(members, "hutto_ICWSM_2014")
    files = {"additional_resources/hutto_ICWSM_2014.tar.gz": inner, "setup.py": b"raise SystemExit"}
    path.write_bytes(tar_of(files, "p-1"))
    return path


def test_split_is_80_10_10_seeded_and_a_function_of_the_seed_alone():
    rows = sentences(1000)
    first = quickstart_data.split_sentences(rows, seed=42)
    assert {name: len(part) for name, part in first.items()} == {"train": 640, "dev": 80, "test": 80}
    assert quickstart_data.split_sentences(rows, seed=42) == first
    assert quickstart_data.split_sentences(rows, seed=43)["test"] != first["test"]
    texts = [text for part in first.values() for text, _ in part]
    assert len(set(texts)) == len(texts) == 800
    # Pinned: another Python version or a changed shuffle would silently measure on other rows.
    digest = hashlib.sha256(json.dumps(first["test"]).encode()).hexdigest()
    assert digest[:12] == "dc7230e21561"


def test_label_is_the_sign_of_the_mean_rating_and_zero_has_none():
    ratings = [-3.9, -0.05, 0.0, 0.05, 4.0]
    labels = [quickstart_data.label_of(RatedSentence("1", rating, "x")) for rating in ratings]
    assert labels == ["negative", "negative", None, "positive", "positive"]


def test_equal_texts_come_into_the_same_split():
    rows = sentences(400) + [replace(row, identifier=f"again{row.identifier}", text=row.text.upper())
                             for row in sentences(400)]
    for seed in range(5):
        splits = quickstart_data.split_sentences(rows, seed)
        seen = {name: {text.casefold() for text, _ in part} for name, part in splits.items()}
        assert not seen["train"] & seen["test"] and not seen["train"] & seen["dev"] and not seen["dev"] & seen["test"]


def test_archive_is_read_without_unpacking(tmp_path):
    package = source_distribution(tmp_path / "p.tar.gz")
    archive = quickstart_data.read_archive(package)
    assert [s.text for s in archive["movieReviewSnippets_GroundTruth.txt"]] == [
        "A clich\u00e9, but & good.", "Dull.", "A film."]
    assert archive["tweets_GroundTruth.txt"][0] == RatedSentence("1", 1.0, "Yay <3")
    rows = quickstart_data.make_data(package, tmp_path / "data", seed=1)
    assert rows == {"train": 2, "dev": 0, "test": 0, "corpus": 9}
    assert (tmp_path / "data/corpus.txt").read_text(encoding="utf-8") == textwrap.dedent("""\
        A clich\u00e9, but & good.

        Dull.

        A film.

        Yay <3

        Meh

        First.
        Second.

        Third.

        A player.
        """)
    train = (tmp_path / "data/task/train.tsv").read_text(encoding="utf-8").splitlines()
    assert train[0] == "text\tlabel"
    assert sorted(train[1:]) == ["A clich\u00e9, but & good.\tpositive", "Dull.\tnegative"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "p.tar.gz"]


@pytest.mark.parametrize(("content", "message"), [
    (b"1\t2.0\tgood\r\n2\tgood\r\n", r"movieReviewSnippets_GroundTruth.txt:2 has 2 columns"),
    (b"1\tgood\tgood\r\n", r"GroundTruth.txt:1 has 3 columns"),
    (b"1\t2.0\tclich\xe9\r\n", "not UTF-8"),
    (b"", "holds no sentence"),
])
def test_other_content_is_named_with_file_and_line(tmp_path, content, message):
    package = source_distribution(tmp_path / "p.tar.gz", **{"movieReviewSnippets_GroundTruth.txt": content})
    with pytest.raises(UserError, match=message):
        quickstart_data.read_archive(package)


def test_truncated_archive_is_one_clear_line(tmp_path):
    package = source_distribution(tmp_path / "p.tar.gz")
    package.write_bytes(package.read_bytes()[:-200])
    with pytest.raises(UserError, match="cannot be read .*delete it"):
        quickstart_data.read_archive(package)


def test_only_the_wanted_files_are_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("m/config.json", "m/other.json", "code/__init__.py", "../outside"):
            archive.writestr(name, "content")
    unpack_files(tmp_path / "a.zip", "m/", ["config.json"], tmp_path / "out")
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()) == [
        "a.zip", "out/config.json"]
    with pytest.raises(UserError, match="has no m/vocab.txt"):
        unpack_files(tmp_path / "a.zip", "m/", ["vocab.txt"], tmp_path / "out")
    assert (tmp_path / "out/config.json").is_file()


def package_for(content: bytes) -> Package:
    return Package("made==1.0", "made-1.0.tar.gz", hashlib.sha256(content).hexdigest(), source=True)


def test_a_file_of_the_wrong_hash_is_refused(tmp_path):
    package = package_for(b"right")
    (tmp_path / package.file_name).write_bytes(b"wrong")
    with pytest.raises(UserError, match="has sha256 .*expected .*made==1.0"):
        quickstart_data.download(package, tmp_path)
    (tmp_path / package.file_name).write_bytes(b"right")
    assert quickstart_data.download(package, tmp_path) == tmp_path / package.file_name


def test_without_network_the_message_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError) as raised:
        quickstart_data.download(package_for(b"right"), tmp_path / "download")
    message = str(raised.value)
    assert "\n" not in message and "cannot download made==1.0" in message and "check the network" in message
    assert list((tmp_path / "download").iterdir()) == []


def test_pip_itself_refuses_another_content_before_it_builds_anything(tmp_path, monkeypatch):
    links = tmp_path / "links"
    links.mkdir()
    marker = tmp_path / "setup-was-run"
    setup = f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='made', version='1.0')\n"
    (links / "made-1.0.tar.gz").write_bytes(tar_of({"setup.py": setup.encode()}, "made-1.0"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(UserError, match="whose sha256 is not .*it is not used"):
        quickstart_data.download(package_for(b"right"), tmp_path / "download")
    assert not marker.exists() and list((tmp_path / "download").iterdir()) == []


# --- baselines --------------------------------------------------------------------------------------------------------


@pytest.fixture
def task_folder(tmp_path):
    random = np.random.default_rng(0)
    words = {"positive": ["great", "lovely", "fine"], "negative": ["bad", "dull", "awful"]}
    for split, count in (("train", 120), ("dev", 40), ("test", 40)):
        rows = []
        for i in range(count):
            label = ("negative", "positive")[i % 2]
            rows.append((f"a {random.choice(words[label])} film {i}", label))
        quickstart_data.write_task({split: rows}, tmp_path / "task")
    return tmp_path / "task"


def test_tfidf_is_stored_and_predicts_a_line_per_row(task_folder, tmp_path, capsys):
    tfidf.main(["--data_dir", str(task_folder), "--output", str(tmp_path / "tfidf"), "--seed", "1",
                "--predictions_path", str(tmp_path / "p.jsonl")])
    assert "dev accuracy 1.0000" in capsys.readouterr().out
    pipeline, labels, _ = tfidf.fit_tfidf(task_folder, seed=1)
    loaded = tfidf.load_tfidf(tmp_path / "tfidf")
    texts, targets, _ = tfidf.read_split(task_folder, "test")
    assert labels == ("negative", "positive") and targets.tolist() == [0, 1] * 20
    np.testing.assert_allclose(loaded.predict_proba(texts), pipeline.predict_proba(texts), rtol=1e-12)
    np.testing.assert_array_equal(loaded.predict(texts), pipeline.predict(texts))
    assert tfidf.tfidf_size(tmp_path / "tfidf")[0] == pipeline[-1].coef_.size + 1
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(40))
    assert [line["label"] for line in lines] == ["negative", "positive"] * 20
    assert all(labels[int(np.argmax(line["logits"]))] == line["prediction"] == line["label"] for line in lines)


@pytest.mark.parametrize("classes", [2, 3])
def test_head_weights_are_the_logistic_regression_on_raw_features(classes):
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    features = random.normal(3.0, 5.0, (200, 6))
    targets = (np.digitize(features[:, 0], [3.0] if classes == 2 else [0.0, 6.0])).astype(int)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression().fit((features - mean) / scale, targets)
    weight, bias = probe.head_weights(model, mean, scale)
    assert weight.shape == (classes, 6) and weight.dtype == bias.dtype == np.float32
    logits = features @ weight.T + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, model.predict_proba((features - mean) / scale), atol=1e-5)


def test_batches_by_length_cover_every_row_once_within_the_token_limit():
    lengths = np.random.default_rng(0).integers(2, 65, 500).tolist()
    batches = list(probe.batches_by_length(lengths, tokens=512))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 512 for batch in batches)
    assert [len(b) for b in probe.batches_by_length([900, 3], tokens=512)] == [1, 1]


def test_benchmark_takes_turns_and_reports_medians(tmp_path, monkeypatch):
    order: list[str] = []
    now = [0.0]

    def call(name: str, cost: float):
        def run() -> None:
            order.append(name)
            now[0] += cost
        return run

    calls = {"slow": call("slow", 0.4), "fast": call("fast", 0.1)}
    monkeypatch.setattr(benchmark_model.time, "perf_counter", lambda: now[0])
    summary = benchmark_model.benchmark({name: {1: call, 32: call} for name, call in calls.items()}, 64, 4.0,
                                        tmp_path / "benchmark.json")
    warm = 2 * benchmark_model.WARM_UP_CALLS
    assert order[warm:warm + 4] == ["slow", "fast", "fast", "slow"]
    assert summary["slow"]["rounds_batch1"] == summary["fast"]["rounds_batch32"] == 8
    assert summary["slow"]["latency_ms_batch1"] == pytest.approx(400)
    assert summary["fast"]["sentences_per_second_batch32"] == pytest.approx(320)
    stored = json.loads((tmp_path / "benchmark.json").read_text())
    assert stored["models"] == summary and stored["seq_length"] == 64


# --- stages -----------------------------------------------------------------------------------------------------------


class Fake:
    """Three stages a -> b -> c, each of which writes a file; counts its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.failing = ""
        (root / "source").mkdir(parents=True)
        (root / "source/manifest.json").write_text("{}")

    def stages(self, setting: int = 1) -> list[Stage]:
        return [
            Stage("a", "A", (("a",),), inputs=(self.root / "source",), outputs=(self.root / "a",)),
            Stage("b", "B", (("b", str(setting)),), outputs=(self.root / "b",), results=(self.root / "b/model",),
                  resumable=True),
            Stage("c", "C", (("c",),), outputs=(self.root / "c",), settings={"x": 1}),
        ]

    def __call__(self, stage: Stage, log: Path) -> None:
        self.ran.append(stage.name)
        write_text(log, "running\n")
        for path in stage.outputs:
            (path / "model").mkdir(parents=True, exist_ok=True)
            if stage.name == self.failing:
                raise SystemExit(7)
            (path / "model/manifest.json").write_text(stage.name)

    def run(self, setting: int = 1) -> list[str]:
        self.ran.clear()
        driver.run_stages(self.stages(setting), self.root / "out")
        return list(self.ran)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    made = Fake(tmp_path)
    monkeypatch.setattr(driver, "run_stage", made)
    return made


def test_finished_stages_are_skipped(fake, capsys):
    assert fake.run() == ["a", "b", "c"]
    assert fake.run() == []
    assert capsys.readouterr().out.count("skipped") == 3


def test_a_changed_command_runs_its_stage_and_those_after_it(fake):
    fake.run()
    assert fake.run(setting=2) == ["b", "c"]
    assert fake.run(setting=2) == []


def test_a_changed_input_runs_everything_that_depends_on_it(fake):
    fake.run()
    (fake.root / "source/manifest.json").write_text('{"other": 1}')
    assert fake.run() == ["a", "b", "c"]


def test_a_result_that_is_gone_is_made_again_with_all_after_it(fake):
    fake.run()
    (fake.root / "b/model/manifest.json").unlink()
    fake.failing = "b"
    with pytest.raises(SystemExit):
        fake.run()
    fake.failing = ""
    # c was not reached in the failed call, and is out of date all the same.
    assert fake.run() == ["b", "c"]


def test_what_a_stage_leaves_beside_its_results_does_not_matter(fake):
    fake.run()
    (fake.root / "b/compile_cache").write_text("made later by another command")
    assert fake.run() == []


def test_only_a_resumable_stage_with_the_same_key_continues(fake, capsys):
    for failing, setting, continues in (("a", 1, False), ("b", 1, True), ("b", 3, False)):
        fake.failing = failing
        with pytest.raises(SystemExit):
            fake.run()
        (fake.root / failing / "checkpoint").write_text("half way")
        fake.failing = ""
        capsys.readouterr()
        assert fake.run(setting)[0] == failing
        assert ("continues after" in capsys.readouterr().out) == continues
        assert (fake.root / failing / "checkpoint").exists() == continues
        (fake.root / failing / "model/manifest.json").unlink()


def test_a_stage_that_writes_nothing_is_an_error(tmp_path):
    stage = Stage("a", "A", ((sys.executable, "-c", ""),), outputs=(tmp_path / "missing",))
    with pytest.raises(UserError, match="did not write"):
        driver.run_stages([stage], tmp_path)


def test_a_damaged_stamp_counts_as_none(fake):
    fake.run()
    (fake.root / "out/stamps/c.json").write_text('{"key": ')
    assert fake.run() == ["c"]


def python_stage(tmp_path: Path, code: str, name: str = "work") -> Stage:
    command = (sys.executable, "-c", textwrap.dedent(code))
    return Stage(name, "Work", (command,), outputs=(tmp_path / name,), resumable=True)


def test_output_is_streamed_and_logged_without_the_states_of_progress_bars(tmp_path, capfdbinary):
    code = r"""
        import sys
        print("first")
        for i in range(50):
            print(f"\rstep {i}", end="", file=sys.stderr)
        print(file=sys.stderr)
        print("\x1b[1mlast", end="")
        """
    driver.run_stage(python_stage(tmp_path, code), tmp_path / "log.txt")
    log = (tmp_path / "log.txt").read_text()
    assert log.splitlines()[0].startswith("$ ") and log.splitlines()[-3:] == ["first", "step 49", "\x1b[1mlast"]
    streamed = capfdbinary.readouterr().out
    assert b"step 0" in streamed and b"step 49" in streamed


def test_failure_keeps_the_status_and_names_the_log(tmp_path, capsys):
    for code, status in (("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", 137)):
        with pytest.raises(SystemExit) as raised:
            driver.run_stage(python_stage(tmp_path, code), tmp_path / "log.txt")
        message = capsys.readouterr().err
        assert raised.value.code == status and "stage work failed" in message and "log.txt" in message


TRAINING = """
    import os, sys, time
    from pathlib import Path
    run = Path({run!r})
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / "checkpoint"
    start = int(checkpoint.read_text()) if checkpoint.exists() else 0
    print("starts at", start, flush=True)
    for step in range(start, 40):
        with open(run / "steps", "a") as file:
            file.write(f"{{step}}\\n")
        (run / ".next").write_text(str(step + 1))
        os.replace(run / ".next", checkpoint)
        time.sleep(0.02 if start else 0.1)
    (run / "model").mkdir()
"""

DRIVER = """
    import sys
    sys.path.insert(0, {repository!r})
    from pathlib import Path
    from experiments.pipeline.driver import drive
    from experiments.pipeline.stages import Stage
    from src.common.errors import run

    root = Path({root!r})
    stage = Stage("train", "Train", ((sys.executable, "-c", {code!r}),), outputs=(root / "run",), resumable=True)
    run(lambda argv: drive([stage], root, False))
"""


def start_driver(tmp_path: Path) -> subprocess.Popen:
    code = textwrap.dedent(TRAINING).format(run=str(tmp_path / "run"))
    program = textwrap.dedent(DRIVER).format(repository=str(REPOSITORY), root=str(tmp_path), code=code)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def wait_for_steps(tmp_path: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    steps = tmp_path / "run/steps"
    while time.monotonic() < deadline:
        if steps.exists() and len(found := steps.read_text().splitlines()) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError("the training stage did not start")


@pytest.mark.skipif(sys.platform != "linux", reason="the death of a parent reaches its child on Linux only")
def test_killed_quick_start_takes_its_stage_along_and_continues(tmp_path):
    first = start_driver(tmp_path)
    wait_for_steps(tmp_path, 3)
    first.kill()
    first.communicate(timeout=20)
    time.sleep(0.3)
    before = (tmp_path / "run/steps").read_text().splitlines()
    time.sleep(0.5)
    assert (tmp_path / "run/steps").read_text().splitlines() == before, "the stage still runs"
    second = start_driver(tmp_path)
    output, errors = second.communicate(timeout=30)
    assert second.returncode == 0, errors
    steps = [int(step) for step in (tmp_path / "run/steps").read_text().split()]
    assert steps[-1] == 39 and sorted(set(steps)) == list(range(40)) and len(steps) <= 41
    assert "continues after" in output and "starts at 0" not in output
    stamp = json.loads((tmp_path / "stamps/train.json").read_text())
    assert stamp["finished"] and stamp["seconds"] > 0.3
    assert (tmp_path / "logs/train.txt").read_text().count("\nstarts at ") == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_is_passed_on_and_says_how_to_continue(tmp_path, number, status):
    process = start_driver(tmp_path)
    wait_for_steps(tmp_path, 2)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert errors.strip().splitlines()[-1].startswith("error: interrupted in stage train; run the same command again")
    assert json.loads((tmp_path / "stamps/train.json").read_text())["finished"] is False


def test_two_quick_starts_do_not_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with alone(tmp_path, tmp_path, "folder"), pytest.raises(UserError, match="another process is writing"):
        driver.drive([], tmp_path, fresh=False)


def test_fresh_keeps_the_downloads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("download", "finetune"):
        (tmp_path / name).mkdir()
    driver.drive([], tmp_path, fresh=True)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [".lock", "download"]


# --- the real stages --------------------------------------------------------------------------------------------------


def test_minutes_scale_the_training_steps_and_nothing_else():
    config = load_config(REPOSITORY / quickstart.RECIPE)
    default, half = (quickstart.quickstart_stages(config, share, "CPU") for share in (1.0, 0.5))
    changed = [a.name for a, b in zip(default, half, strict=True) if a != b]
    assert changed == ["finetune", "general_distill", "task_distill"]
    finetune = next(stage for stage in default if stage.name == "finetune").commands[0]
    assert finetune[finetune.index("--train_steps") + 1] == str(config.finetune.train_steps)
    assert scaled(3, 0.001) == 1


def test_everything_is_written_below_the_output_folder():
    config = load_config(REPOSITORY / quickstart.RECIPE)
    for stage in quickstart.quickstart_stages(config, 1.0, "CPU"):
        assert stage.outputs and all(path.is_relative_to("output/quickstart") for path in stage.outputs)
        assert all(any(path.is_relative_to(output) for output in stage.outputs) for path in stage.results)


def test_the_driver_imports_no_framework():
    code = ("import sys; import experiments.quickstart.run, experiments.quickstart.report; "
            "print(*(name for name in ('mindspore', 'tensorflow', 'sklearn', 'matplotlib') if name in sys.modules))")
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@pytest.mark.parametrize("minutes", ["0", "-3", "nan"])
def test_minutes_must_be_positive(minutes):
    with pytest.raises(UserError, match="--minutes"):
        quickstart.main(["--minutes", minutes])
