# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a teacher must fulfil before anything is computed with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from src.checkpoints.checkpoint import LoadedModel
from src.checkpoints.labels import reordered
from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig
from src.config.labels import are_unnamed, as_option, listed, order_of, spelled_as
from src.config.model import INPUTS, POSITIVE_PAIRS
from src.dataset import longest_row, read_columns, read_rows
from src.dataset.unlabelled import WORDS
from src.distill.objectives import Objective
from src.records.columns import LABEL
from src.records.manifest import Manifest
from src.records.reading import RecordSource
from src.tasks.task import Task
from src.text.tokenization import SEPARATORS

_CROSS_ENTROPY = "cross_entropy"


def check_vocabulary(teacher: ModelConfig, student: ModelConfig) -> None:
    """Check that teacher and student can read the same ids; raise `UserError` where they differ in number."""
    size, own = teacher.encoder.vocab_size, student.encoder.vocab_size
    if size != own:
        raise UserError(f"the teacher's vocabulary has {size} tokens, the student's {own}; both must read the "
                        "same ids: leave student.vocab_size out, which then is the teacher's, or take another teacher; "
                        "where one's vocabulary was pruned, prune the other's with the same text and --keep, or give "
                        "the teacher records of its own (--teacher.train_data_dir)")


def check_language_models(teacher: ModelConfig, student: ModelConfig, mlm: str) -> None:
    """Check that teacher and student are language models of one kind, that of `mlm` unless it is `auto`, and read the
    same ids; raise `UserError` otherwise."""
    kind = "causal" if student.encoder.causal else "masked"
    if teacher.encoder.causal != student.encoder.causal:
        raise UserError(f"the teacher is a {'causal' if teacher.encoder.causal else 'masked'} language model and the "
                        f"student a {kind} one; set student.causal to the teacher's")
    if mlm != "auto" and (mlm == "true") == student.encoder.causal:
        raise UserError(f"mlm is {mlm}, but teacher and student are {kind} language models; leave mlm at auto")
    check_vocabulary(teacher, student)


def check_data(model: ModelConfig, start: LoadedModel | None, source: RecordSource, setting: str) -> None:
    """Check that the model that `setting` names can read the records; `start` is the checkpoint whose tokenizer it has,
    None when it is not known.

    Raises:
        UserError: rows longer than the model's positions, a vocabulary of other size or content, or pairs with another
            number of separators between them.
    """
    encoder, vocab_hash = model.encoder, start.vocab_hash if start else None
    longest = longest_row(source, encoder.max_length)
    if longest > encoder.max_length:
        raise UserError(f"the records hold rows of {longest} tokens, but the model of {setting} knows "
                        f"{encoder.max_length} positions; prepare them with --seq_length {encoder.max_length} or less")
    manifest = source.manifest
    if manifest is None:
        return
    # A table may have more rows than there are tokens (rounded up, or kept for tokens to come).
    is_larger = encoder.vocab_size > manifest.vocab_size and vocab_hash == manifest.vocab_hash
    if manifest.vocab_size != encoder.vocab_size and not is_larger:
        raise UserError(f"the records were made with a vocabulary of {manifest.vocab_size} tokens, but the model of "
                        f"{setting} has {encoder.vocab_size}; prepare them with the model's tokenizer (a "
                        "pruned vocabulary cuts texts into other tokens than the whole one)")
    if vocab_hash is not None and manifest.vocab_hash != vocab_hash:
        raise UserError(f"the records were made with another vocabulary than that of {setting} (same size, other "
                        "tokens); prepare them with the model's tokenizer")
    if start:
        _check_pairs(start, source, manifest, setting)


def _check_pairs(start: LoadedModel, source: RecordSource, manifest: Manifest, setting: str) -> None:
    """Check that pairs of texts have as many separators between them as the model reads. Records and checkpoints of
    versions that knew one separator alone do not name the number, and fit each other."""
    own, given = start.separators, manifest.settings.get(SEPARATORS, 1)
    # Pairs of several separators have no second segment, so that what has one is a pair of one separator.
    if own in (0, given) or given == 1 and not next(read_rows(source, limit=1)).segment_ids.any():
        return
    older = "records" if given < own else "model"
    raise UserError(f"the pairs of texts in {source.files[0].parent} have {given} separator{'s' * (given > 1)} between "
                    f"them, and the model of {setting} reads {own}; an earlier version made the {older}: " + (
                        "prepare the records again with the model's tokenizer" if given < own else
                        "convert the model again from its source, or prepare the records with its tokenizer"))


def fitted_to(loaded: LoadedModel, head: HeadConfig, setting: str, say: Callable[[str], None] = print) -> LoadedModel:
    """Return the model that `setting` names with its classes in the order of a task's, which are matched by name.

    Raises:
        UserError: the model has no such head, or predicts other classes; both are named, and what makes them the same.
    """
    own, model = loaded.config.head, f"{setting} {loaded.directory}"
    if own.kind != head.kind:
        folder = ("; convert_checkpoint.py reads a folder with modules.json as a model that embeds texts: --head drop "
                  "takes its encoder alone, to be fine-tuned") if own.kind == "embedding" else ""
        raise UserError(f"the model of {model} has {own.title}, but the task needs {head.kind}; fine-tune it on the "
                        f"task first: run_finetune.py{folder}")
    order = order_of(own.labels, head.labels)
    if order is None:
        raise UserError(f"the model of {model} predicts {listed(own.labels)}; the task's labels are "
                        f"{listed(head.labels)}; {_remedy(own.labels, head.labels)}")
    if own.labels == head.labels:
        return loaded
    say(f"note: labels reordered: the model of {model} has {listed(own.labels)}; it is used with the rows of its "
        f"classifier in the order of the task, {listed(head.labels)}")
    return reordered(loaded, order)


def _remedy(own: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """What can be done about a model that predicts other classes than the task has."""
    convert = "convert the model again with --labels"
    if (respelled := spelled_as(own, wanted)) is not None:
        return (f"they differ in spelling only: {convert} {as_option(respelled)}, which are the same classes in the "
                "order of the model's outputs")
    if are_unnamed(own) and len(own) == len(wanted):
        if sorted(wanted) == sorted(str(number) for number in range(len(own))):
            return (f"the model's classes have no names of their own: where LABEL_0 stands for 0, {convert} "
                    f"{as_option([label.removeprefix('LABEL_') for label in own])}")
        return (f"the model's classes have no names of their own: {convert} and the task's labels in the order of the "
                "model's outputs, which only who trained it can tell (not necessarily the order above)")
    lacking, unknown = ([label for label in one if label not in other] for one, other in ((own, wanted), (wanted, own)))
    if not unknown:
        return (f"the task's lack {listed(lacking)}: prepare the records with --labels_of and this model, which gives "
                "them its labels")
    differ = f"only the task has {listed(unknown)}" + (f", only the model {listed(lacking)}" if lacking else "")
    renamed = (f"; where the model has the same classes under other names, {convert} and the task's name of each, in "
               f"the order {listed(own)}" if len(own) == len(wanted) else "")
    return f"{differ}: use a model of this task, or fine-tune it on these labels: run_finetune.py{renamed}"


def check_same_labels(head: HeadConfig, source: RecordSource, setting: str) -> None:
    """Check that records have the classes of those that are trained on, in the same order; raise `UserError`."""
    manifest = source.manifest
    if manifest is not None and manifest.labels and manifest.labels != head.labels:
        order = " in another order" if order_of(manifest.labels, head.labels) else ""
        raise UserError(f"the records of {setting} {source.files[0].parent} have the labels "
                        f"{listed(manifest.labels)}, those that are trained on {listed(head.labels)}{order}; prepare "
                        "both with one command, or both with the same --labels_of")


def check_same_examples(student: RecordSource, teacher: RecordSource, head: HeadConfig) -> None:
    """Check that row n of the training records of two models is the same example, tokenised with two vocabularies.

    Raises:
        UserError: a task that says something of each token, records without a manifest, or made from other files,
            of another task, split or number of rows, with other labels, or dealt out to another number of shards.
    """
    where = f"{student.files[0].parent} and {teacher.files[0].parent}"
    if not head.is_of_row:
        raise UserError(f"teacher.train_data_dir is for tasks with one output a row: two vocabularies cut a text into "
                        f"other tokens, and a {head.kind} head has an output for each; leave it empty, and prepare the "
                        "records with the teacher's tokenizer")
    if student.manifest is None or teacher.manifest is None:
        raise UserError(f"{where} must hold the same examples, which only records of prepare_data.py task can show "
                        "(one of the two has no manifest.json); prepare both from the same files")
    for what, given in (("task", lambda m: m.task_name), ("split", lambda m: m.split), ("rows", lambda m: m.rows),
                        ("labels", lambda m: list(m.labels)), ("input files (SHA-256)", _inputs)):
        own, its = given(student.manifest), given(teacher.manifest)
        if own != its:
            raise UserError(f"{where} must hold the same examples, but their {what} differ: {own} and {its}; prepare "
                            "both from the same files, each with its own tokenizer")
    shards = len(student.files), len(teacher.files)
    if shards[0] != shards[1]:  # rows are dealt out to them in turn, and read one file after the other
        raise UserError(f"{where} must hold the same examples in the same order, but have {shards[0]} and {shards[1]} "
                        "record files; prepare both with the same --num_shards")


def _inputs(manifest: Manifest) -> list[str]:
    return [entry["sha256"][:16] for entry in manifest.settings.get("inputs", [])]


def check_unlabelled(labelled: RecordSource, unlabelled: RecordSource, held_out: RecordSource | None, task: Task
                     ) -> None:
    """Check that rows without labels can stand beside labelled training rows of a task.

    Raises:
        UserError: they are of another task, vocabulary, length or number of texts, are the training or dev rows
            themselves, do not tell which tokens have tags, or the task's rows are lists.
    """
    own, its = (source.files[0].parent for source in (labelled, unlabelled))
    if task.keeps_lists:
        raise UserError(f"unlabelled_data_dir is for tasks of single rows, but those of {task.name} are lists of "
                        "documents, whose order needs labels or scores; leave it out")
    if own == its or held_out is not None and held_out.files[0].parent == its:
        raise UserError(f"unlabelled_data_dir {its} holds the {'training' if own == its else 'dev'} rows themselves; "
                        "give other ones, or leave it out")
    lengths = [source.columns[INPUTS[0]].shape[0] for source in (labelled, unlabelled)]
    if lengths[0] != lengths[1]:
        raise UserError(f"the unlabelled rows of {its} have {lengths[1]} tokens, the training rows of {own} "
                        f"{lengths[0]}; prepare them with --seq_length {lengths[0]}")
    is_of_tokens = labelled.columns[LABEL].shape == (lengths[0],)
    if is_of_tokens and not {LABEL, WORDS} & set(unlabelled.columns):
        raise UserError(f"{its} has no column {WORDS}, which says which tokens have tags; prepare the records with "
                        "prepare_data.py task")
    one, other = labelled.manifest, unlabelled.manifest
    if one is None or other is None:
        return
    for what, given in (("task", lambda m: m.task_name), ("vocabulary", lambda m: f"{m.vocab_size} tokens"),
                        ("vocabulary's hash", lambda m: m.vocab_hash), ("number of texts a row", _texts)):
        if given(one) != given(other):
            raise UserError(f"unlabelled rows must be like the training rows, but the {what} of {its} is "
                            f"{given(other)}, and that of {own} {given(one)}; prepare them with the same --task_name, "
                            "--tokenizer and columns")


def _texts(manifest: Manifest) -> int:
    return 1 + ("text_b" in manifest.understood.get("columns", {}))


def list_size_of(task: Task, rows: RecordSource) -> int:
    """Return how many rows each list of the training rows has; 0 where the task has no lists.

    Raises:
        UserError: the rows are lists that are not filled up to one size.
    """
    if task.keeps_lists and not rows.list_size:
        raise UserError(f"{rows.files[0].parent} holds lists of documents that are not filled up to one size, as those "
                        "of a training split are; prepare them as one: train.jsonl")
    return rows.list_size if task.keeps_lists else 0


def check_relevance(objective: Objective, rows: RecordSource) -> None:
    """Check that the labels of lists are probabilities, where the objective takes the cross-entropy with them.

    Raises:
        UserError: one is not between 0 and 1.
    """
    if not objective.options.get("list_size") or _CROSS_ENTROPY not in objective.names:
        return
    labels = read_columns(rows, [LABEL])[LABEL][:, 0]
    outside = labels[(labels < 0) | (labels > 1)]
    if len(outside):
        raise UserError(f"{len(outside)} of {len(labels)} documents in {rows.files[0].parent} have a relevance (or, "
                        f"without one, a score) outside of 0 to 1, such as {outside[0]:g}; binary cross-entropy needs "
                        "probabilities: rescale them, or learn scores with run_task_distill.py (score_mse, margin_mse, "
                        "list_kl)")


def check_batch_of_pairs(task: Task, rows: RecordSource, batch_size: int) -> None:
    """Check that a batch has texts of other pairs, where the right one is to be told from them; raise `UserError`."""
    if task.learns == POSITIVE_PAIRS and batch_size < 2 * rows.list_size:
        raise UserError(f"batch_size is {batch_size} texts, and the right one is to be told from those of other "
                        f"{task.name}; set it to {2 * rows.list_size} or more")


def check_widths(widths: Sequence[int], model: ModelConfig) -> None:
    """Check that an embedding has the widths that it is to learn for; raise `UserError`."""
    if widths and model.head.kind != "embedding":
        raise UserError(f"matryoshka_dims is {list(widths)}, but the model has {model.head.title} and embeds no texts; "
                        "leave it out")
    if widths and max(widths) > model.output_size:
        raise UserError(f"matryoshka_dims is {list(widths)}, but the model's vectors have {model.output_size} numbers; "
                        "set widths up to that")
