# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""One compression from its settings to its results; see run_compress.py.

    RUN/augmented/            the task's files with copies of the training rows, where these are asked for
    RUN/teacher_logits/       of the training rows, where these cannot take them
    RUN/search.json           what was measured, chosen and found so far
    RUN/starts/NAME/          each candidate as it is cut out of the teacher
    RUN/vocabularies/N/       the rows in a smaller vocabulary
    RUN/candidates/NAME/      its distillation, a run like others
    RUN/pareto.json           the candidates
    RUN/model/, model.onnx    the winner
    RUN/results.json          teacher and winner; written last
    RUN/report.md, pareto.png
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel, identity, load_model
from src.checkpoints.run_folder import RunFolder, check_run_folder
from src.common.errors import UserError, fail
from src.common.files import read_json, write_json
from src.compress import report, winner
from src.compress.augmented import with_copies
from src.compress.budget import Budget
from src.compress.candidates import Candidate, candidates_of, make_starts, rows_of
from src.compress.reach import reachable
from src.compress.rungs import TRAINING, Ground, added_steps, affordable, climb, expected_cost
from src.compress.search import Facts, Search, rung_sizes
from src.compress.spelling import Spelling
from src.compress.vocabularies import VOCABULARIES, possible_vocabularies
from src.config import Config
from src.dataset import identity_of, longest_row, open_records, read_rows
from src.dataset.compatibility import check_data, check_same_labels, check_unlabelled, fitted_to
from src.device import Device
from src.distill.objectives import objective_of
from src.distill.terms import LOGITS
from src.evaluate.by_row import open_by_row
from src.evaluate.tasks import head_of
from src.export.stored_outputs import stored_outputs
from src.pruning.counted_text import CountedText, count_records
from src.records.reading import RecordSource, has_records
from src.runs.records import TaskRecords
from src.runs.results import check_metric

MADE = ("search.json", "starts", "vocabularies", "teacher_logits", "candidates", "model.onnx", "pareto.json",
        "pareto.png", "report.md", "results.json")
"""What a run makes in its folder beside its model."""
SECTIONS = ("seed", "device", "data", "task", "compress")
_PREPARATION_SECONDS = 60.0
"""Expected of importance and vocabularies."""
_END_FILES, _END_ROWS = 10, 3
"""What follows the distillation is expected to take as long as measuring so many files has, and as running the
teacher's file twice on so many times the dev rows, where there are test rows, too."""


@dataclass(frozen=True)
class Opened:
    """All that a compression reads, checked."""

    ground: Ground
    stored: LoadedModel  # the teacher with its classes as they are stored
    text: CountedText | None  # whose tokens are counted; None: the vocabulary stays
    places: dict[str, tuple[str, str]]  # see winner.Places; "" where the winner's are made of the teacher's
    budget: Budget


def compress(config: Config, run: Path, device: Device) -> None:
    """Run a compression, or what is left of it.

    Raises:
        UserError: something does not fit, no shape is within the budget, or there is no time for it.
    """
    began = time.monotonic()
    opened = open_all(config, run, device)
    folder = RunFolder(run, config, SECTIONS, inputs_of(opened), parts=MADE)
    search = Search.found_in(run) if folder.continues else None
    if search is None:
        facts = plan(opened)
        tell(opened, facts)
        if device.dry_run:
            return
        search = Search(run, facts)
        search.add_seconds(time.monotonic() - began)
    elif device.dry_run:
        tell(opened, search.facts)
        return
    candidates = candidates_of(search.facts.candidates)
    with folder.open():
        if not (run / "results.json").is_file():
            search.save()
            finish(opened, search, candidates)
        conclude(run, config, opened.budget)


def open_all(config: Config, run: Path, device: Device) -> Opened:
    """Open teacher and rows, and check that they fit each other.

    Raises:
        UserError: what does not.
    """
    settings = config.compress
    budget = Budget(settings.max_latency_ms, settings.min_speedup, settings.max_size_mb)
    stored = load_model(config.teacher.load_teacher_ckpt_path, "load_teacher_ckpt_path")
    if stored.config.require_transformer(stored.directory, "compression").share_layers:
        raise UserError(f"all layers of {stored.directory} are one (share_layers), which compression cannot choose "
                        "from; distil it with run_task_distill.py, or cut it with convert_checkpoint.py prune")
    if device.writes:
        check_run_folder(run, config.checkpoint.resume, {"load_teacher_ckpt_path": stored}, ("run.json",),
                         ("model", *MADE))
    config = with_copies(config, run, device)
    settings = config.compress
    records = TaskRecords(config, run, stored, device, needs_labels=True)
    train, held_out = records.training(settings.distill), records.held_out()
    task, head = head_of(train, config.task)
    if task.keeps_lists:
        other = "run_general_distill.py" if task.kind == "embedding" else "run_task_distill.py"
        raise UserError(f"run_compress.py does not compress models of task {task.name}; make a smaller one with "
                        f"{other}")
    head_of(held_out, replace(config.task, task_name=task.name))
    check_same_labels(head, held_out, "eval_data_dir")
    check_metric(task, settings.distill.metric)
    teacher = fitted_to(stored, head, "load_teacher_ckpt_path", device.say)
    # Of its students, that is: the teacher is not trained.
    teacher = replace(teacher, config=teacher.config.with_dropout(settings.distill.student_dropout))
    for rows in (train, held_out):
        check_data(teacher.config, teacher, rows, "load_teacher_ckpt_path")
    if set(objective_of(settings.distill, head).teacher_outputs) - {LOGITS}:
        raise UserError("the terms compare more than logits, which are all that candidates of other widths and "
                        "vocabularies have in common with the teacher; leave them out")
    unlabelled = records.unlabelled(settings.unlabelled_data_dir, train)
    if unlabelled:
        check_unlabelled(train, unlabelled, held_out, task)
    ground = Ground(config, run, device, teacher, task, head, train, held_out, unlabelled)
    return Opened(ground, stored, _countable(ground), _places(ground, stored), budget)


def _countable(ground: Ground) -> CountedText | None:
    """The training rows (labelled or unlabelled ones, of which there are more) as text whose tokens are counted, where
    the vocabulary can be cut: of one vector a row, whose records are this repository's."""
    manifests = [source.manifest for source in (*ground.training, ground.held_out)]
    if not ground.head.is_pooled or None in manifests or ground.teacher.tokenizer_path is None:
        ground.device.say("note: the vocabulary stays whole: it is cut for tasks with one answer a text, with records "
                          "that have a manifest.json, and a teacher that has a tokenizer")
        return None
    largest = max(ground.training, key=lambda source: source.rows)
    return count_records(str(largest.files[0].parent), ground.teacher)


def _places(ground: Ground, stored: LoadedModel) -> dict[str, tuple[str, str]]:
    """Where the rows are that files are compared on."""
    config = ground.config
    dev = str(ground.held_out.files[0].parent)
    test = config.compress.test_data_dir or config.data.data_dir
    places = {"dev": (dev, "")}
    if not test:
        ground.device.say("note: there are no test rows: give --test_data_dir DIR, or --data_dir with a test split")
        return places
    try:
        open_by_row(stored, test, "test_data_dir", "test", config, ground.device).check_labelled()
    except UserError as error:
        if config.compress.test_data_dir:
            raise
        ground.device.say(f"note: no test rows: {error}")
        return places
    return {**places, "test": (test, "" if has_records(test, "test") else test)}


def inputs_of(opened: Opened) -> dict[str, str]:
    """What a run depends on beside its settings."""
    ground = opened.ground
    return {"teacher": identity(opened.stored.directory), "train": identity_of(ground.train),
            "dev": identity_of(ground.held_out),
            **({"unlabelled": identity_of(ground.unlabelled)} if ground.unlabelled else {})}


def plan(opened: Opened) -> Facts:
    """Measure what files of the shapes take, and choose the candidates.

    Raises:
        UserError: nothing is within the budget, or there is no time for a first rung.
    """
    ground, began = opened.ground, time.monotonic()
    settings = ground.config.compress
    reached = reachable(ground.teacher, _lengths(opened), opened.budget, settings.candidates)
    for line in reached.lines():
        ground.device.say(line)
    chosen = candidates_of(reached.candidates)
    costs = {each.name: expected_cost(ground, each.shape.config(ground.teacher.config)) for each in chosen}
    facts = Facts(reached.teacher, reached.candidates, costs, file_seconds=reached.seconds / len(reached.measured))
    rows = sum(source.rows for source in ground.training)
    before = _PREPARATION_SECONDS + rows * 1e-3 * reached.teacher.latency_ms  # of its logits
    left = settings.minutes * 60 - reserve(opened, facts) - before - (time.monotonic() - began)
    if not settings.rung_steps and (count := affordable(list(costs), costs, left)) < len(chosen):
        ground.device.say(f"note: there is time to compare {count} of these {len(chosen)} candidates: the first "
                          f"{'ones' if count > 1 else 'one'}; give it more --minutes")
        facts = replace(facts, candidates=facts.candidates[:count])
    names = [each.name for each in candidates_of(facts.candidates)]
    added_steps(settings, facts, names, 0, len(rung_sizes(len(names))), left)
    return facts


def _lengths(opened: Opened) -> dict[int, list[int]]:
    """The lengths of the dev rows by the size of the vocabulary."""
    ground, teacher = opened.ground, opened.ground.teacher
    chunks = list(read_rows(ground.held_out))
    lengths = {teacher.config.encoder.vocab_size: [length for chunk in chunks for length in chunk.lengths.tolist()]}
    wanted = ground.config.compress.vocabularies
    found = possible_vocabularies(teacher, opened.text, wanted or VOCABULARIES) if opened.text else {}
    if other := [size for size in wanted if size not in found]:
        raise UserError(f"vocabularies has {other[0]}, which the teacher's {teacher.config.encoder.vocab_size} tokens "
                        "cannot be cut to: special tokens and single characters stay, and rows of an answer for each "
                        "token keep all; leave it out, or give another size")
    for size, smaller in found.items():
        spelling = Spelling(teacher.tokenizer(), smaller)
        lengths[size] = [len(ids) for chunk in chunks for ids in spelling(chunk)[0]]
    return lengths


def reserve(opened: Opened, facts: Facts) -> float:
    """Seconds that the end of a run takes, the export and the comparison, by what was measured on this machine."""
    rows = opened.ground.held_out.rows * (_END_ROWS if "test" in opened.places else 1)
    seconds = _END_FILES * facts.file_seconds + 2e-3 * rows * facts.teacher.latency_ms
    return min(seconds, 0.2 * 60 * opened.ground.config.compress.minutes)


def tell(opened: Opened, facts: Facts) -> None:
    """Print what will be done."""
    ground, settings = opened.ground, opened.ground.config.compress
    sizes = rung_sizes(len(facts.candidates))
    ground.device.say(
        f"plan: {ground.described_rows}, {ground.held_out.rows} dev rows; candidates of the rungs: "
        f"{', '.join(map(str, sizes))}; " + (f"steps: {', '.join(map(str, settings.rung_steps))}" if settings.rung_steps
                                             else f"as many steps as fit into {settings.minutes:g} minutes"))


def finish(opened: Opened, search: Search, candidates: Sequence[Candidate]) -> None:
    """Distil, choose, export, compare; results.json is written last."""
    ground, config = opened.ground, opened.ground.config
    run, device = ground.run, ground.device
    make_starts(run, candidates, ground.teacher, ground.train, opened.text, device, config.seed)
    for rows in ground.training:
        stored_outputs(ground.teacher, rows, device, run, config)
    for candidate in candidates:  # here, where what it takes is no candidate's cost
        for name, rows in zip(TRAINING, ground.training, strict=False):
            rows_of(run, candidate, rows, name, ground.task, ground.teacher, config.data)
    search.save()

    def write_pareto() -> None:
        report.write_pareto(run, candidates, search.facts)

    chosen = climb(ground, search, candidates, reserve(opened, search.facts), write_pareto)
    model = winner.settle(run, chosen)
    places = {split: (its, own or _winners(ground, chosen, split, its)) for split, (its, own) in opened.places.items()}
    longest = longest_row(ground.train, model.config.encoder.max_length)
    notes = winner.export(run, chosen, places["dev"][1], longest, config, device)
    for note in notes:
        device.say(note)
    found = winner.compare(run, opened.stored, model, places, config, device)
    results: dict[str, Any] = {
        "task": ground.task.name, "metric": config.compress.distill.metric or ground.task.primary_metric,
        **found, "seed": config.seed}
    results["winner"] |= {"name": chosen.name, "promised_latency_ms": chosen.measured.latency_ms}
    search.save()
    report.write_report(run, report.pareto(candidates, search.facts), search.facts, results, opened.budget, notes)
    write_json(run / "results.json", {**results, "seconds": round(search.seconds, 1)})


def _winners(ground: Ground, chosen: Candidate, split: str, place: str) -> str:
    """Where the winner's rows of a split are: the teacher's, or these in its vocabulary."""
    source: RecordSource = ground.held_out if split == "dev" else open_records(
        place, ground.config.data, "test_data_dir", "task", split)
    return str(rows_of(ground.run, chosen, source, split, ground.task, ground.teacher,
                       ground.config.data).files[0].parent)


def conclude(run: Path, config: Config, budget: Budget) -> None:
    """Print the results; leave with status 1 where the winner does not keep the metric."""
    results: dict[str, Any] = read_json(run / "results.json")
    print(f"\n{report.text_table(results)}\n\nreport: {run / 'report.md'}; model: {run / 'model.onnx'}", flush=True)
    its, teacher = results["winner"], results["teacher"]
    most = budget.most_milliseconds(teacher["onnx_latency_ms"])
    if its["onnx_latency_ms"] > most:
        print(f"note: the winner's file took {its['onnx_latency_ms']:.3f} ms a row in the end, and the budget is "
              f"{most:.3f}; {its['promised_latency_ms']:.3f} were promised before; other work on the machine "
              "changes both", flush=True)
    metric, drop = results["metric"], config.compress.max_drop
    before, after = teacher["dev"][metric], its["dev"][metric]
    if not before - after <= drop + 1e-9:  # true of NaN too
        fail(f"no candidate keeps max_drop {drop:g}: the nearest, {its['name']}, has the {metric} "
             f"{after:.4f} on dev, the teacher {before:.4f}; it is kept in {run / 'model.onnx'}: raise --max_drop, "
             "give it more --minutes, or a larger budget", 1)
