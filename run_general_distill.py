# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""General distillation: a small model learns from a pretrained one on plain text.

python run_general_distill.py --load_teacher_ckpt_path DIR --data_dir RECORDS --save_ckpt_path RUN
python run_general_distill.py --config_path configs/distilbert_base_uncased.yaml

Objective layers learns the teacher's layers: attention scores and hidden states (TinyBERT), or the relations of one
layer, for a student of any size (MiniLMv2, configs/minilm_gd.yaml), and of a teacher that embeds texts its embeddings
(--terms embedding_mse=1,similarity_kl=1, on rows of one text each, or with --translations true on translations).
Objective tokens learns its predictions of masked or next tokens (DistilBERT, DistilRoBERTa, DistilGPT2, ...). The
student is RUN/model. `--help` lists all settings.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("run_general_distill")

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from src.checkpoints.checkpoint import LoadedModel, cell_of, cell_on_encoder_of, identity, load_model
from src.checkpoints.places import folder_of
from src.checkpoints.run_folder import RunFolder, check_run_folder
from src.common.errors import UserError
from src.common.files import sha256_of
from src.common.typed import fingerprint
from src.config import Config, HeadConfig, ModelConfig, StageConfig, StudentConfig, TokenDistillConfig, parse
from src.convert.families import FAMILIES, student_family
from src.convert.huggingface import read_language_model
from src.dataset import TeacherLogits, identity_of, open_records
from src.dataset.compatibility import check_data, check_language_models
from src.device import Device, set_up_device
from src.distill.cell import DistillationCell, freeze_parameters, make_projection
from src.distill.objectives import check_models, objective_of
from src.distill.terms import LOGITS, TEACHER, terms_help
from src.evaluate.language import evaluation_of_records, training_targets
from src.export.stored_outputs import stored_outputs
from src.records.reading import RecordSource
from src.records.token_counts import token_counts_file
from src.runs.architectures import with_head
from src.runs.embedding_student import reduced, stores_embeddings, student_head
from src.runs.fit import check_all, check_layers, pairs_of
from src.runs.student import check_new_student, new_student
from src.runs.translations import translation_stage
from src.train.loop import train
from src.train.stage import Stage, total_micro_steps

PURPOSE = "general distillation"


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("run_general_distill.py", argv,
                   f"{terms_help()}\nFamilies of --teacher_type and --student_type: {' | '.join(FAMILIES)}")
    path = Path(config.checkpoint.save_ckpt_path or "output/general_distill")
    if config.seeds:
        raise UserError(f"seeds {list(config.seeds)} is for fine-tuning and task distillation, whose metrics are "
                        "averaged; start general distillation for each: --seed N")
    device = set_up_device(config.device, config.seed, config.data.enable_data_sink,
                           f"{path}/compile_cache/{fingerprint(config)}", config.checkpoint.dry_run)
    teacher = load_model(config.teacher.load_teacher_ckpt_path, "load_teacher_ckpt_path")
    if device.rank == 0:
        start = config.student.student_pretrained_weights
        check_run_folder(path, config.checkpoint.resume, {
            "load_teacher_ckpt_path": teacher, "student_pretrained_weights": folder_of(start) if start else None},
            extend=config.checkpoint.extend)
    if config.objective == "tokens":
        learn_tokens(config, teacher, device, path)
    else:
        (learn_translations if config.general_distill.translations else learn_layers)(config, teacher, device, path)


def learn_layers(config: Config, teacher: LoadedModel, device: Device, path: Path) -> None:
    """TinyBERT's attention scores and hidden states, or MiniLMv2's relations, on packed rows; embeddings, on rows of
    one text each."""
    settings = config.general_distill
    rows = open_records(config.data.data_dir, config.data, "data_dir", "corpus")
    its = teacher.config.require_transformer(teacher.directory, PURPOSE)
    config = replace(config, student=config.student.of_teacher(its))
    encoder = config.student.encoder()
    student_config = with_head(ModelConfig(encoder, family=student_family(teacher.config, encoder)),
                               student_head(teacher.config, encoder, settings), "")
    encoder = student_config.require_transformer("the student", PURPOSE)
    check_layers(settings, config.student, teacher, student_config,
                 *record_checks(teacher, student_config, rows, settings, device))
    pairs = pairs_of(settings, config.student, encoder, its, head=student_config.head)
    objective = objective_of(settings, student_config.head, pairs)
    is_stored = stores_embeddings(settings, objective, rows, device.ranks)

    student = new_student(student_config, config.student, teacher, pairs, device)
    if student_config.head.dense_size and not teacher.config.head.dense_size:
        device.say(f"note: the student's texts have {encoder.hidden_size} numbers and the teacher's "
                   f"{teacher.config.output_size}: a dense layer from the one to the other is trained, and stays in it")
    if objective.need(TEACHER, LOGITS):
        teacher_cell = None if is_stored else cell_of(teacher, device.compute_type)
    else:
        teacher_cell = cell_on_encoder_of(teacher, ModelConfig(its), device)
    network = DistillationCell(student, objective, teacher_cell,
                               make_projection(objective, encoder, its, settings.projection), cached=is_stored)

    run_folder = RunFolder(path, config, ("seed", "device", "data", "student", "general_distill"),
                           inputs_of(teacher, rows, config.student), writer=device.rank == 0)

    def stored() -> TeacherLogits:
        embeddings = stored_outputs(teacher, rows, device, path, config)
        head = teacher.config.head
        return reduced(embeddings, encoder.vector_size, head.normalize) if settings.reduce_embeddings else embeddings

    stage = Stage(name="general_distill", settings=settings, network=network, model=student_config, source=rows,
                  tokenizer_path=teacher.tokenizer_path, teacher_logits=stored if is_stored else None,
                  stored_teacher=teacher.config if is_stored else None)
    if train(stage, config, device, run_folder):
        device.say(f"general student: {run_folder.model}")


def learn_translations(config: Config, teacher: LoadedModel, device: Device, path: Path) -> None:
    """Embeddings of texts and of their translations, both drawn to the teacher's of the text."""
    stage, inputs = translation_stage(config, teacher, device, path)
    run_folder = RunFolder(path, config, ("seed", "device", "data", "student", "general_distill"), inputs,
                           writer=device.rank == 0)
    if train(stage, config, device, run_folder):
        device.say(f"multilingual student: {run_folder.model}")


def learn_tokens(config: Config, teacher: LoadedModel, device: Device, path: Path) -> None:
    """The Distil* family: predictions of masked or next tokens and the last hidden states, on sequences."""
    settings, data = config.token_distill, config.data
    teacher.config.require_transformer(teacher.directory, PURPOSE)
    rows = open_records(data.data_dir, data, "data_dir", "sequences")
    if not settings.student_config:
        config = replace(config, student=config.student.of_teacher(teacher.config.encoder))
    student_config = student_of_tokens(settings, config.student, teacher.config, device)
    encoder = student_config.require_transformer("the student", PURPOSE)
    check_all(
        lambda: check_types(settings, teacher.config, student_config),
        lambda: check_language_models(teacher.config, student_config, settings.mlm),
        lambda: check_models(objective_of(settings, student_config.head), teacher.config, student_config),
        lambda: check_new_student(student_config, config.student, teacher.config, None),
        *record_checks(teacher, student_config, rows, settings, device))
    objective = objective_of(settings, student_config.head)
    only_predicted = settings.restrict_ce_to_mask or not objective.need(TEACHER, LOGITS)
    targets = training_targets(settings, rows, encoder, config.seed, device, settings.token_counts, only_predicted)
    evaluation = None
    if data.eval_data_dir:
        held_out = open_records(data.eval_data_dir, data, "eval_data_dir", "sequences")
        check_data(student_config, teacher, held_out, "student")
        evaluation = evaluation_of_records(student_config, held_out, config.mlm, data,
                                           config.evaluate.batch_size, config.seed, device)

    student = new_student(student_config, config.student, teacher, None, device)
    if settings.freeze_pos_embs:
        freeze_parameters(student, "encoder.embeddings.position_embeddings.")
    if settings.freeze_token_type_embds:
        freeze_parameters(student, "encoder.embeddings.token_type_embeddings.")
    # Training on the tokens alone is spared the teacher's forward pass.
    teacher_cell = cell_of(teacher, device.compute_type) if objective.need(TEACHER) else None
    network = DistillationCell(student, objective, teacher_cell)

    inputs = inputs_of(teacher, rows, config.student)
    if settings.token_counts:
        inputs["token_counts"] = sha256_of(token_counts_file(settings.token_counts))
    if settings.student_config:
        inputs["student_config"] = sha256_of(Path(settings.student_config))
    sections = ("seed", "objective", "device", "data", "student", "token_distill")
    run_folder = RunFolder(path, config, sections, inputs, writer=device.rank == 0)
    stage = Stage(name="distil", settings=settings, network=network, model=student_config, source=rows,
                  tokenizer_path=teacher.tokenizer_path, evaluate=evaluation,
                  evaluate_between=evaluation and partial(evaluation, rows=settings.eval_rows),
                  eval_interval=settings.eval_interval, keep_best=False, targets=targets,
                  group_by_size=settings.group_by_size)
    if train(stage, config, device, run_folder):
        device.say(f"distilled student: {run_folder.model}")


def student_of_tokens(settings: TokenDistillConfig, student: StudentConfig, teacher: ModelConfig,
                      device: Device) -> ModelConfig:
    """The language model that is the student: that of a config.json, or of the sizes in section student."""
    if not settings.student_config:
        encoder = student.encoder()
        return ModelConfig(encoder, HeadConfig("causal_lm" if encoder.causal else "masked_lm"),
                           family=student_family(teacher, encoder))
    model, notes = read_language_model(Path(settings.student_config), settings.student_type)
    for note in notes:
        device.say(f"note: {note}")
    return model


def check_types(settings: TokenDistillConfig, teacher: ModelConfig, student: ModelConfig) -> None:
    """Check that teacher and student are what they are said to be."""
    for name, model in (("teacher_type", teacher), ("student_type", student)):
        given, found = getattr(settings, name), model.family
        if given not in ("", found):
            raise UserError(f"{name} is {given}, but the {name.removesuffix('_type')} is a {found}, as its settings "
                            "tell; correct the one or the other")


def record_checks(teacher: LoadedModel, student: ModelConfig, rows: RecordSource, settings: StageConfig,
                  device: Device) -> tuple[Callable[[], object], ...]:
    """What says whether teacher and student can read the records, and these fill an optimiser step."""
    return (lambda: check_data(teacher.config, teacher, rows, "load_teacher_ckpt_path"),
            lambda: check_data(student, teacher, rows, "student"),
            lambda: total_micro_steps(settings, rows, device.ranks))


def inputs_of(teacher: LoadedModel, rows: RecordSource, student: StudentConfig) -> dict[str, str]:
    """What a resumed run must find unchanged."""
    start = student.student_pretrained_weights
    return {"teacher": identity(teacher.directory), "data": identity_of(rows),
            **({"student": identity(folder_of(start))} if start else {})}
