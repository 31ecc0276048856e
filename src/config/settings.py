# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a run: one frozen dataclass a section, each setting with its default and what `--help` says of it.

`python -m src.config` writes default_config.yaml of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from src.common.typed import require, setting
from src.config.compress import CompressConfig
from src.config.student import BiLstmStudentConfig, StudentConfig
from src.config.training import (
    FinetuneConfig,
    GeneralDistillConfig,
    MaskedLmConfig,
    StageConfig,
    TaskDistillConfig,
    TokenDistillConfig,
)

MAX_SEED = (1 << 32) - 1

LowerCase = Literal["auto", "true", "false"]

_TOKENIZER = "folder with tokenizer.json or vocab.txt, or one of these files"
_TASK_FILES = "folder with the task's files, or one file"
_LOWER_CASE = "auto (what the tokenizer says) | true | false"

PrecisionMode = Literal["", "force_fp16", "allow_fp32_to_fp16", "allow_mix_precision", "must_keep_origin_dtype",
                        "force_fp32", "allow_mix_precision_fp16"]
"""How Ascend may choose other types for operators than the graph says; bfloat16 is left out, as compute_type is."""


@dataclass(frozen=True)
class DeviceConfig:
    device_target: Literal["auto", "Ascend", "GPU", "CPU"] = setting(
        "auto", "auto | Ascend | GPU | CPU; auto takes Ascend, else GPU, else CPU")
    device_id: int = setting(0, "which device of this machine", least=0)
    device_num: int = setting(1, "number of devices of a distributed run", least=1)
    distribute: bool = setting(False, "data-parallel training; scripts/run_distributed_*.sh start it")
    compute_type: Literal["auto", "float16", "float32"] = setting(
        "auto", "auto | float16 | float32; auto is float16 on Ascend and GPU, float32 on CPU")
    jit_level: Literal["", "O0", "O1", "O2"] = setting(
        "", '"" (MindSpore chooses) | O0 (kernel by kernel) | O1 (fused operators) | O2 (Ascend only; deprecated)')
    compile_cache: bool = setting(
        True, "keep the compiled graphs of a sinking run beside it (not with buckets, not in task distillation)")
    max_device_memory: str = setting("", "most memory to take of an Ascend device or a GPU, as 30GB; empty: all of it")
    memory_optimize_level: Literal["", "O0", "O1"] = setting(
        "", '"" (MindSpore chooses) | O0 | O1 (use less memory of an Ascend device or a GPU)')
    precision_mode: PrecisionMode = setting(
        "", 'Ascend: "" (the types of the graph) | force_fp16 | allow_fp32_to_fp16 | allow_mix_precision | '
            "must_keep_origin_dtype | force_fp32 | allow_mix_precision_fp16")
    hccl_connect_timeout: int = setting(
        0, "Ascend: seconds that the processes wait for each other at the start, 120 to 7200; 0: HCCL's own 120")
    tflops: float = setting(
        0.0, "TFLOP/s that a device sustains, from which the summary tells hours; 0: a dry run on CPU measures it",
        least=0, most=1e6)
    check_memory: bool = setting(True, "refuse a training that is expected to take more memory than there is")

    def __post_init__(self) -> None:
        require(self.distribute or self.device_num == 1,
                f"device_num is {self.device_num} but distribute is false; set --distribute true")
        require(re.fullmatch(r"|([1-9]\d*(\.\d+)?|0\.\d*[1-9]\d*)GB", self.max_device_memory, re.ASCII) is not None,
                f"max_device_memory is {self.max_device_memory!r}; write it as 30GB or 3.5GB, or leave it empty")
        require(self.hccl_connect_timeout == 0 or 120 <= self.hccl_connect_timeout <= 7200,
                f"hccl_connect_timeout is {self.hccl_connect_timeout}; HCCL takes 120 to 7200 seconds, and 0 leaves it "
                "to HCCL")
        if self.device_target != "auto":
            self.require_supported(self.device_target)

    @property
    def memory_limit(self) -> int | None:
        """The bytes of `max_device_memory`, which counts in 2^30; None: not limited."""
        return int(float(self.max_device_memory.removesuffix("GB")) * (1 << 30)) if self.max_device_memory else None

    def require_supported(self, target: str) -> None:
        """Raise `UserError` where a setting has a value that the device does not know."""
        neither_cpu, ascend = ("Ascend", "GPU"), ("Ascend",)
        known_by = {"max_device_memory": neither_cpu, "memory_optimize_level": neither_cpu, "precision_mode": ascend,
                    "hccl_connect_timeout": ascend, "jit_level": ascend if self.jit_level == "O2" else ()}
        for name, devices in known_by.items():
            value = getattr(self, name)
            require(not value or not devices or target in devices, f"{name} is {value}, which {' and '.join(devices)} "
                    f"can take, and the device is {target}; leave {name} empty, or choose another device_target")


@dataclass(frozen=True)
class DataConfig:
    dataset_type: Literal["tfrecord", "mindrecord"] = setting("tfrecord", "tfrecord | mindrecord")
    data_dir: str = setting(
        "", "records of general distillation (folder, file, glob); of a task: records with train and dev, or its files",
        is_path=True)
    train_data_dir: str = setting("", "training records of a task; empty: those of data_dir", is_path=True)
    eval_data_dir: str = setting("", "evaluation records of a task; empty: those of data_dir", is_path=True)
    schema_dir: str = setting("", "schema.json of the records; empty: the one beside them", is_path=True)
    seq_length: int = setting(128, "longest sequence, in tokens", least=3)
    do_shuffle: bool = setting(True, "a new order of the rows in each epoch")
    shuffle_buffer_size: int = setting(100000, "rows that are shuffled together", least=1)
    buckets: tuple[int, ...] = setting(
        (32, 64, 96, 128), "lengths that batches are padded to (one compilation each); [] = seq_length only", least=1)
    bucket_window: int = setting(50, "batches whose rows are sorted by length together before they are cut", least=1)
    enable_data_sink: bool = setting(
        True, "run data_sink_steps steps a call on the device; CPU has no sinking and ignores it")
    data_sink_steps: int = setting(
        1, "most steps a call; a call runs the largest number up to it that divides the steps left", least=1)
    verify_records: bool = setting(True, "compare the records' sha256 with their manifest once a run")

    @cached_property
    def given(self) -> set[str]:
        """Names of the settings of this section that the command line gives, or a recipe otherwise than by default."""
        return set()

    def __post_init__(self) -> None:
        require(list(self.buckets) == sorted(set(self.buckets)),
                f"data.buckets {list(self.buckets)} must be in rising order without repetition")


@dataclass(frozen=True)
class CheckpointConfig:
    save_ckpt_path: str = setting("", "folder of the run; empty: output/<stage>", is_path=True)
    save_checkpoint_step: int = setting(1000, "optimiser steps between two resumable checkpoints", least=1)
    max_ckpt_num: int = setting(1, "how many of them are kept", least=1)
    resume: bool = setting(True, "continue from the run's latest checkpoint where there is one")
    dry_run: bool = setting(False, "check all that a run needs, print what it would do, and write nothing")
    extend: Literal["", "continue", "restart"] = setting(
        "", "how a run is made longer, by train_steps or epoch_size: continue (optimiser kept, schedule of the new "
            "length) | restart (fresh optimiser and warm-up over the steps that are added)")
    max_rewinds: int = setting(
        3, "returns to the last good checkpoint after a loss that is not finite, before the stage stops", least=0)
    rewind_factor: float = setting(
        0.5, "a return multiplies the learning rate by this, with float16 the loss scale first", above=0, most=1)

    def __post_init__(self) -> None:
        require(self.resume or not self.extend, f"extend is {self.extend}, which goes on with a run, and resume is "
                "false, which starts over; leave one of them out")


@dataclass(frozen=True)
class LoggingConfig:
    log_interval: int = setting(10, "steps between two lines of metrics.jsonl, TensorBoard and the log", least=1)
    tensorboard: bool = setting(True, "write event files")
    progress: bool = setting(True, "show a progress bar with loss and remaining time")


@dataclass(frozen=True)
class TaskConfig:
    task_name: str = setting("", "SST-2, TNEWS, tsv or another task that python prepare_data.py task --help lists")
    text_column: str = setting(
        "", "the texts' column, where its name is not known; without a header its number, from 1")
    text_columns: tuple[str, ...] = setting(
        (), "tsv: title,body,...: columns whose texts are joined, with a blank between, in place of text_column")
    text_b_column: str = setting("", "the same of the second texts of pairs")
    label_column: str = setting("", "the same of the labels, of the scores, or of the third texts of triplets")
    score_scale: float = setting(5.0, "sts: the highest score; scores are from 0 to it, and are divided by it", above=0)
    encoding: str = setting("utf-8", "of the task's files: utf-8, gb18030 (GBK), utf-16, ...")
    tag_names: tuple[str, ...] = setting(
        (), "tagging: O,B-PER,I-PER,...: what numbers in ner_tags stand for, in order; empty: dataset_info.json")
    dev_share: float = setting(
        0.0, "tsv: share of the training rows that become the dev split; 0: it has its own file", least=0, below=1)
    pooled_activation: Literal["none", "relu"] = setting(
        "none", "none | relu: activation between pooler and classifier (relu: TinyBERT's code)")
    doc_stride: int = setting(
        128, "tokens between the windows that a long text is cut into (question answering, tagging)", least=1)
    max_query_length: int = setting(64, "a longer question is cut (question answering)", least=1)
    bad_rows: Literal["fail", "skip"] = setting(
        "fail", "fail | skip (and count) rows with an unknown label, a missing column, an answer not in the text")
    n_best_size: int = setting(20, "starts and ends that are combined (question answering)", least=1)
    max_answer_length: int = setting(30, "longest answer, in tokens", least=1)
    null_score_threshold: float = setting(
        0.0, "no answer is given where its score exceeds that of the best answer by more than this")


@dataclass(frozen=True)
class TeacherConfig:
    load_teacher_ckpt_path: str = setting(
        "", "checkpoint directory of the teacher; task distillation: of several teachers, with commas", is_path=True)
    teacher_outputs: tuple[str, ...] = setting(
        (), "files with a teacher's outputs for the training rows (JSON lines, Parquet), a teacher each", is_path=True)
    unlabelled_outputs: tuple[str, ...] = setting(
        (), "the same for the rows of unlabelled_data_dir: a file for each of teacher_outputs, in this order",
        is_path=True)
    teacher_weights: tuple[float, ...] = setting(
        (), "weight of each checkpoint, then of each file, in the mean of their predictions; []: all alike", least=0)
    missing_outputs: Literal["refuse", "labels"] = setting(
        "refuse", "training rows that a file of outputs lacks: refuse | labels (their label takes the place)")
    train_data_dir: str = setting(
        "", "the training rows in the teacher's vocabulary; empty: as the student reads; several teachers: A,B",
        is_path=True)
    eval_data_dir: str = setting(
        "", "the evaluation rows in the teacher's vocabulary; empty: the same; several teachers: A,B", is_path=True)
    unlabelled_data_dir: str = setting(
        "", "the unlabelled rows in the teacher's vocabulary, where train_data_dir is given; several teachers: A,B",
        is_path=True)


@dataclass(frozen=True)
class EvaluateConfig:
    checkpoint: str = setting("", "checkpoint directory to evaluate", is_path=True)
    data_dir: str = setting("", "folder with the task's TSV files, or records", is_path=True)
    split: str = setting("dev", "train | dev | test (MNLI: dev_matched, dev_mismatched)")
    batch_size: int = setting(32, "rows a step", least=1)
    predictions_path: str = setting("", "file to write, JSON lines: index, logits, prediction, label", is_path=True)
    write_teacher_outputs: str = setting(
        "", "file to write, JSON lines or .parquet, that run_task_distill.py --teacher_outputs reads", is_path=True)
    metrics_path: str = setting("", "file to write, JSON: the metrics and the number of rows", is_path=True)
    similarity: Literal["none", "cosine"] = setting(
        "none", "of a model that embeds texts: cosine scores a pair by that of its two texts' embeddings")
    submit: str = setting("", "folder for the benchmark's submission files of an unlabelled test set", is_path=True)


@dataclass(frozen=True)
class ExportConfig:
    checkpoint: str = setting("", "checkpoint directory to export", is_path=True)
    file_format: str = setting("MINDIR", "one of those at the end of this list")
    output: str = setting("", "file (HF, BUNDLE, ASCEND, TRITON: folder) to write", is_path=True)
    seq_length: int = setting(
        0, "longest sequence that is compared, AIR's fixed length, and a length of ASCEND; 0 = the model's longest",
        least=0)
    batch_size: int = setting(1, "AIR's fixed batch size", least=1)
    batches: tuple[int, ...] = setting(
        (1, 8), "ASCEND: rows of the gears (their lengths: data.buckets); TRITON: rows of a batch, the last the most",
        least=1)
    queue_delay: int = setting(1000, "TRITON: how long a request waits for others, in microseconds", least=0)
    instances: int = setting(1, "TRITON: copies of the model that run side by side", least=1)
    max_difference: float = setting(
        1e-4, "largest accepted difference of logits when the artefact is run again", above=0)
    optimize: bool = setting(
        False, "ONNX: operators that ONNX Runtime alone has (attention, gelu), none that slow it down")
    quantize: Literal["none", "int8", "int8-static"] = setting(
        "none", "ONNX: none | int8 (activations by the range of each call) | int8-static (by ranges of rows given)")
    eval_data_dir: str = setting(
        "", "quantize: labelled rows that it is verified on (records, or the task's files); a language model: text",
        is_path=True)
    calibration_data_dir: str = setting("", "int8-static: rows whose ranges are taken, labelled or not", is_path=True)
    max_drop: float = setting(0.01, "quantize: most that the task's metric may lose against float32", least=0)
    license: str = setting("", "BUNDLE: licence that the model card names, such as apache-2.0; empty: unknown")
    language: tuple[str, ...] = setting(
        (), "BUNDLE: languages that the model card names, such as en,zh; empty: those of the task, where it is known")
    push_to_hub: str = setting("", "BUNDLE: repository of the Hugging Face hub that it is uploaded to, OWNER/NAME")

    def __post_init__(self) -> None:
        require(bool(self.batches) and list(self.batches) == sorted(set(self.batches)),
                f"export.batches {list(self.batches)} must be numbers of rows in rising order without repetition")


@dataclass(frozen=True)
class CorpusConfig:
    input: tuple[str, ...] = setting(
        (), "files, folders, globs or URLs, also compressed (bz2, gz, zst, xz)", is_path=True)
    input_format: Literal["auto", "text", "wiki", "wikiextractor", "jsonl"] = setting(
        "auto", "auto | text (a sentence a line) | wiki (XML dump) | wikiextractor | jsonl")
    text_field: str = setting("text", "jsonl: the field that holds the text")
    language: str = setting("auto", "rules that split sentences, such as en or zh; auto = what dump and script say")
    split_sentences: Literal["auto", "true", "false"] = setting(
        "auto", "auto (yes, but for format text, whose lines are sentences) | true | false")
    simplify_chinese: bool = setting(False, "traditional characters become simplified ones")
    min_document_length: int = setting(
        100, "shorter documents are dropped, in characters; not of format text", least=0)
    tokenizer: str = setting("", _TOKENIZER, is_path=True)
    tokenizer_type: Literal["", "bert", "roberta", "gpt2"] = setting(
        "", "bert | roberta | gpt2; empty: that of its files")
    lower_case: LowerCase = setting("auto", _LOWER_CASE)
    output_dir: str = setting("", "folder of the records, or its URL", is_path=True)
    num_shards: int = setting(1, "number of record files", least=1)
    num_workers: int = setting(2, "worker processes of this machine (Dask's); small inputs need none", least=1)
    scheduler: str = setting("", "Dask scheduler whose workers are taken instead, such as tcp://10.0.0.1:8786")
    deduplicate: Literal["none", "documents"] = setting(
        "none", "none | documents: only the first of equal documents; case, punctuation, white space do not count")
    masked_lm_prob: float = setting(
        0.0, "share of masked tokens; 0 = unmasked text, as TinyBERT distils", least=0, below=1)
    max_predictions_per_seq: int = setting(20, "most masked tokens a sequence", least=1)
    whole_word_mask: bool = setting(False, "mask all pieces of a word together")
    dupe_factor: int = setting(1, "differently masked copies of the text", least=1)
    one_text_a_row: bool = setting(
        False, "objective layers: a row for each sentence, cut at seq_length, for embeddings; false: rows are filled")
    min_length: int = setting(12, "objective tokens: drop shorter sequences, in tokens with the special ones", least=3)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens, 1 = any; objective tokens drops the sequences that have it", above=0)
    force: bool = setting(False, "replace records that are there already")


@dataclass(frozen=True)
class PrepareTaskConfig:
    data_dir: str = setting(
        "", "folder with train.tsv, dev.tsv, test.tsv (MNLI: its own names), or one file", is_path=True)
    tokenizer: str = setting("", _TOKENIZER, is_path=True)
    lower_case: LowerCase = setting("auto", _LOWER_CASE)
    output_dir: str = setting("", "folder of the records; one subfolder a split", is_path=True)
    unlabelled: bool = setting(
        False, "data_dir is one file of rows whose labels, if it has some, are not read (.txt: one text a line)")
    labels_of: str = setting(
        "", "checkpoint directory, or run, of a model whose labels the records get, in its order; empty: their own",
        is_path=True)
    num_shards: int = setting(1, "number of record files a split", least=1)
    num_workers: int = setting(2, "worker processes", least=1)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens: with more the tokenizer cannot read the text", above=0, most=1)
    force: bool = setting(False, "replace records that are there already")


@dataclass(frozen=True)
class AugmentConfig:
    """Data augmentation of TinyBERT (method tinybert) and of Tang et al. (rules)."""

    method: Literal["tinybert", "rules"] = setting(
        "tinybert", "tinybert (masked LM and nearest words) | rules (masks, same part of speech, n-grams)")
    data_dir: str = setting("", _TASK_FILES, is_path=True)
    output_dir: str = setting("", "folder for train_aug.tsv; empty: data_dir", is_path=True)
    load_ckpt_path: str = setting("", "checkpoint directory of a masked language model (tinybert)", is_path=True)
    language: Literal["auto", "english", "chinese"] = setting(
        "auto", "auto (that of the training text) | english | chinese (words by jieba)")
    copies: int = setting(0, "copies of each text; 0 = the method's own number for the task", least=0)
    candidates: int = setting(15, "words that a word may be replaced by", least=1)
    replace_probability: float = setting(
        0.4, "probability that a word is replaced, in each copy (tinybert)", least=0, most=1)
    glove_path: str = setting(
        "", "word vectors for words of several pieces; empty: the model's input embeddings", is_path=True)
    glove_words: int = setting(100000, "words that are read of it", least=1)
    mask_probability: float = setting(0.1, "probability that a word is masked (rules)", least=0, most=1)
    pos_probability: float = setting(
        0.1, "probability that a word is replaced by one of the same part of speech (rules)", least=0, most=1)
    ngram_probability: float = setting(
        0.25, "probability that a copy is cut to an n-gram of 1 to 5 words (rules)", least=0, most=1)
    words_a_pass: int = setting(
        6, "words of a sentence that are masked at once; more is faster; 1 as TinyBERT does", least=1)
    batch_size: int = setting(32, "rows a step of the masked language model", least=1)
    num_workers: int = setting(2, "worker processes; the result does not depend on it", least=1)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens (tinybert): with more the model cannot read the text", above=0, most=1)
    force: bool = setting(False, "replace what is there already")

    def __post_init__(self) -> None:
        require(self.mask_probability + self.pos_probability <= 1,
                "augment.mask_probability and augment.pos_probability add up to more than 1; lower one of them")


@dataclass(frozen=True)
class VocabularyConfig:
    """A word or character vocabulary for students that read other tokens than their teacher."""

    data_dir: str = setting("", _TASK_FILES, is_path=True)
    output_dir: str = setting("", "folder of the tokenizer", is_path=True)
    segment: Literal["words", "characters", "jieba"] = setting("words", "words | characters | jieba (Chinese words)")
    vocab_size: int = setting(30000, "most tokens", above=10)
    min_count: int = setting(1, "rarer words are unknown", least=1)
    lower_case: bool = setting(True, "upper and lower case are the same")


@dataclass(frozen=True)
class ListsConfig:
    """Lists of documents for rerankers, of questions and their paragraphs."""

    input: tuple[str, ...] = setting((), "files of questions in SQuAD's JSON (XQuAD, CMRC2018)", is_path=True)
    output_dir: str = setting("", "folder for train.jsonl, dev.jsonl, test.jsonl", is_path=True)
    candidates: int = setting(10, "paragraphs of a question, its own one among them", least=2)
    train_candidates: int = setting(
        0, "the same in train.jsonl, where few of them let more questions into a batch; 0: candidates", least=0)
    dev_share: float = setting(0.1, "share of the articles whose questions are dev.jsonl; 0: none", least=0, below=1)
    test_share: float = setting(0.1, "the same of test.jsonl", least=0, below=1)

    def __post_init__(self) -> None:
        require(self.train_candidates != 1, "lists.train_candidates is 1, which is no choice; set at least 2")
        require(self.dev_share + self.test_share < 1,
                f"lists.dev_share {self.dev_share} and lists.test_share {self.test_share} leave no training lists; "
                "lower one of them")


@dataclass(frozen=True)
class Config:
    seed: int = setting(42, "seed of weights, shuffling, masking and dropout", least=0, most=MAX_SEED)
    seeds: tuple[int, ...] = setting(
        (), "seeds of several runs (fine-tuning, task distillation), each in <save_ckpt_path>/seed-N; seeds.json has "
            "mean and deviation", least=0, most=MAX_SEED)
    objective: Literal["layers", "tokens"] = setting(
        "layers", "layers (TinyBERT, on packed rows) | tokens (the Distil* family, on sequences)")
    device: DeviceConfig = field(default_factory=DeviceConfig)
    data: DataConfig = field(default_factory=DataConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    bilstm: BiLstmStudentConfig = field(default_factory=BiLstmStudentConfig)
    training: StageConfig = field(default_factory=StageConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    mlm: MaskedLmConfig = field(default_factory=MaskedLmConfig)
    general_distill: GeneralDistillConfig = field(default_factory=GeneralDistillConfig)
    token_distill: TokenDistillConfig = field(default_factory=TokenDistillConfig)
    task_distill: TaskDistillConfig = field(default_factory=TaskDistillConfig)
    compress: CompressConfig = field(default_factory=CompressConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    prepare_task: PrepareTaskConfig = field(default_factory=PrepareTaskConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    lists: ListsConfig = field(default_factory=ListsConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
