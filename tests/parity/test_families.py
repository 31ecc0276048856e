# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every family and head against transformers: the same outputs, and the same tensors on the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from safetensors.numpy import load_file, save_file

from convert_checkpoint import main
from src.checkpoints.checkpoint import LoadedModel, load_model, load_parameters
from src.common.errors import UserError
from src.convert.families import FAMILIES
from src.convert.formats import save_converted
from src.convert.huggingface import read_directory, write_huggingface
from src.convert.options import Converted, ReadOptions
from src.models.heads import build_model
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy
from tests.refusals import refused
from tests.small_vocabulary import GPT2, ROBERTA, write_byte_level, write_unigram, write_vocabulary

torch = Lazy("torch")
transformers = Lazy("transformers")

TOLERANCE = 1e-4
BERT = {"vocab_size": 41, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 20}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": ("BertConfig", BERT | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-7}),
    "DistilBert": ("DistilBertConfig", {"vocab_size": 41, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48,
                                        "max_position_embeddings": 20}),
    "Roberta": ("RobertaConfig", BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "XLMRoberta": ("XLMRobertaConfig", BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "Electra": ("ElectraConfig", BERT | {"embedding_size": 16}),
    "Albert": ("AlbertConfig", BERT | {"embedding_size": 16, "num_hidden_layers": 3, "layer_norm_eps": 1e-7}),
    "Ernie": ("ErnieConfig", BERT | {"use_task_id": False}),
    # Of double precision, eager attention of transformers gives NaN where a token sees no real one.
    "ModernBert": ("ModernBertConfig", {
        "vocab_size": 41, "hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 24,
        "max_position_embeddings": 20, "local_attention": 8, "pad_token_id": 0, "attn_implementation": "sdpa"}),
    "GPT2": ("GPT2Config", {"vocab_size": 41, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 20,
                            "bos_token_id": 40, "eos_token_id": 40, "pad_token_id": 0}),
}
LABELS = {"id2label": {0: "no", 1: "maybe", 2: "yes"}, "label2id": {"no": 0, "maybe": 1, "yes": 2}}
HEADS: dict[str, dict[str, Any]] = {
    "Model": {}, "ForMaskedLM": {}, "LMHeadModel": {}, "ForPreTraining": {}, "ForQuestionAnswering": {},
    "ForTokenClassification": LABELS,
    "ForSequenceClassification": LABELS | {"problem_type": "single_label_classification"},
}
CASES = [
    *(("Bert", head) for head in ("ForMaskedLM", "ForPreTraining", "ForTokenClassification", "ForQuestionAnswering")),
    *((family, head) for family in ("DistilBert", "Roberta", "XLMRoberta", "Electra", "Albert")
      for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                   "ForQuestionAnswering")),
    *(("Ernie", head) for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                                   "ForQuestionAnswering")),
    *(("ModernBert", head) for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                                        "ForQuestionAnswering")),
    *(("GPT2", head) for head in ("Model", "LMHeadModel", "ForSequenceClassification", "ForTokenClassification",
                                  "ForQuestionAnswering")),
]


def make_reference(family: str, head: str, **changes: Any) -> Any:
    """A tiny model of transformers, every weight, bias and LayerNorm of it away from its initial value."""
    torch.manual_seed(7)
    name, values = TINY[family]
    config = getattr(transformers, name)(**{"attn_implementation": "eager"} | values | HEADS[head] | changes)
    model = getattr(transformers, family + head)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def make_batch(pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask (4, 15): a full row, shorter ones, one of a single token; `pad` is at no real token."""
    mask = (np.arange(15) < np.array([15, 11, 4, 1])[:, None]).astype(np.int64)
    ids = np.random.default_rng(3).integers(2, 40, mask.shape)
    return np.where(mask == 1, ids, pad), mask


def run_reference(model: Any, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits (or the last hidden state) and hidden states, in double precision."""
    with torch.no_grad():
        outputs = model.double()(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask),
                                 output_hidden_states=True)
    if "start_logits" in outputs:
        first = torch.stack((outputs.start_logits, outputs.end_logits), dim=-1)
    else:
        first = next(outputs[name] for name in ("logits", "prediction_logits", "pooler_output", "last_hidden_state")
                     if outputs.get(name) is not None)
    return first.numpy(), [state.numpy() for state in outputs.hidden_states]


def run_ours(converted: Converted, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    model = build_model(converted.config)
    load_parameters(model, converted.parameters)
    batch = (ids, mask, np.zeros_like(ids))
    outputs = model.with_layers(*(Tensor(array.astype(np.int32)) for array in batch))
    return outputs["logits"].asnumpy(), [state.asnumpy() for state in outputs["hidden"]]


def largest(ours: np.ndarray, theirs: np.ndarray, mask: np.ndarray) -> float:
    """Maximum absolute difference; of arrays (B, S, ...) at real tokens."""
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    return float((difference[mask == 1] if difference.ndim == 3 else difference).max())


@pytest.mark.medium
@pytest.mark.parametrize(("family", "head"), CASES, ids=[family + head for family, head in CASES])
def test_both_ways(tmp_path: Path, family: str, head: str, record_property: Any) -> None:
    reference = make_reference(family, head)
    reference.save_pretrained(tmp_path / "hf")
    state = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    converted = read_directory(tmp_path / "hf", ReadOptions())
    pad = max(converted.config.encoder.position_offset - 1, 0)
    ids, mask = make_batch(pad)
    expected, expected_hidden = run_reference(reference, ids, mask)
    first, hidden = run_ours(converted, ids, mask)
    assert len(hidden) == len(expected_hidden)
    differences = [largest(first, expected, mask),
                   *(largest(ours, theirs, mask) for ours, theirs in zip(hidden, expected_hidden, strict=True))]
    record_property("difference", f"{max(differences):.1e}")
    assert max(differences) <= TOLERANCE
    assert min(first.std(), *(layer.std() for layer in hidden)) > 0.05  # what is compared is no constant

    loaded = LoadedModel(tmp_path, converted.config, converted.parameters, None)
    write_huggingface(loaded, tmp_path / "back")
    written = "ForMaskedLM" if head == "ForPreTraining" else head
    model, info = getattr(transformers, family + written).from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not any(info.values()), info
    lost = {name for name in state.keys() - model.state_dict().keys()}
    assert all("pooler" in name or "seq_relationship" in name for name in lost)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    if head in ("ForSequenceClassification", "ForTokenClassification"):
        assert model.config.id2label == reference.config.id2label
    theirs, ours = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("hf", "back"))
    same = {setting.foreign for setting in FAMILIES[theirs["model_type"]].settings} | {"model_type", "n_inner"}
    assert {name: ours.get(name) for name in same} == {name: theirs.get(name) for name in same}


@pytest.mark.medium
@pytest.mark.parametrize(("family", "classes"), [("DistilBert", "DistilBertTokenizer"), ("Roberta", "RobertaTokenizer"),
                                                 ("XLMRoberta", "XLMRobertaTokenizer"), ("GPT2", "GPT2Tokenizer")])
def test_tokenizers_both_ways(tmp_path: Path, family: str, classes: str, caplog: pytest.LogCaptureFixture) -> None:
    """The folder that is written makes the ids of the folder that was read, with the class of its family."""
    source = tmp_path / "hf"
    if family == "DistilBert":
        source.mkdir()
        write_vocabulary(source / "vocab.txt")
        (source / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    elif family == "XLMRoberta":
        write_unigram(source)
    else:
        write_byte_level(source, ROBERTA if family == "Roberta" else GPT2)
        (source / "tokenizer_config.json").write_text('{"add_prefix_space": true}')
    ours = load_tokenizer(source)
    sizes = {"vocab_size": ours.vocab_size, "bos_token_id": None, "eos_token_id": None, "pad_token_id": ours.pad_id}
    torch.manual_seed(1)
    name, values = TINY[family]
    head = "LMHeadModel" if family == "GPT2" else "ForMaskedLM"
    getattr(transformers, family + head)(getattr(transformers, name)(**values | sizes)).save_pretrained(source)
    main(["--from", "hf", "--to", "mindspore", str(source), str(tmp_path / "own")])
    main(["--from", "mindspore", "--to", "hf", str(tmp_path / "own"), str(tmp_path / "back")])
    logger = transformers.utils.logging.get_logger("transformers")
    logger.addHandler(caplog.handler)
    try:
        written = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
        config = transformers.AutoConfig.from_pretrained(tmp_path / "back")
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records, [record.getMessage() for record in caplog.records]
    assert type(written).__name__ == classes
    texts = ["The cat sat on the mat .", "  café  hello, 1 2", "我爱北京"]
    assert written(texts, add_special_tokens=False)["input_ids"] == ours.encode_batch(texts)
    files = {"DistilBert": ["vocab.txt"], "XLMRoberta": ["tokenizer.json"]}.get(family, ["vocab.json", "merges.txt"])
    assert all((tmp_path / "back" / file).is_file() for file in files)
    assert written.model_max_length == (18 if "Roberta" in family else 20)
    ids = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
    assert ids == {"DistilBert": (None, None, ours.pad_id),
                   "GPT2": (ours.cls_id, ours.sep_id, None)}.get(family, (ours.cls_id, ours.sep_id, ours.pad_id))
    if family != "GPT2":
        assert written("x")["input_ids"] == [ours.cls_id, *ours.encode_batch(["x"])[0], ours.sep_id]
        assert (written.pad_token_id, written.mask_token_id) == (ours.pad_id, ours.mask_id)


@pytest.mark.medium
def test_task_types_of_ernie(tmp_path: Path) -> None:
    """Type 0 is that of every text; what is written has no types, and computes the same."""
    reference = make_reference("Ernie", "ForMaskedLM", use_task_id=True)
    reference.save_pretrained(tmp_path / "hf")
    ids, mask = make_batch(0)
    expected, _ = run_reference(reference, ids, mask)
    converted = read_directory(tmp_path / "hf", ReadOptions())
    assert any("type 0 of ernie.embeddings.task_type_embeddings.weight is added to the pos" in note
               for note in converted.notes)
    assert largest(run_ours(converted, ids, mask)[0], expected, mask) <= TOLERANCE
    write_huggingface(LoadedModel(tmp_path, converted.config, converted.parameters, None), tmp_path / "back")
    back, _ = run_reference(transformers.ErnieForMaskedLM.from_pretrained(tmp_path / "back").eval(), ids, mask)
    assert largest(back, expected, mask) <= TOLERANCE
    without = saved(tmp_path / "without", "Ernie", "ForMaskedLM", use_task_id=True)
    refused("use_task_id is true, and the checkpoint holds none as task_type", read_directory, without, ReadOptions())


@pytest.mark.medium
@pytest.mark.parametrize(("name", "sizes"), [
    ("hfl/chinese-roberta-wwm-ext", {}), ("hfl/rbtl3", {"num_hidden_layers": 3, "hidden_size": 64,
                                                        "num_attention_heads": 8, "intermediate_size": 256})])
def test_berts_of_other_names(tmp_path: Path, name: str, sizes: dict[str, int]) -> None:
    """The files that HFL's Chinese models come in, chinese-roberta-wwm-ext, MacBERT, RBT3 and RBTL3: BERTs all."""
    write_vocabulary(tmp_path / "vocab.txt")
    torch.manual_seed(2)
    rows = load_tokenizer(tmp_path).vocab_size
    config = transformers.BertConfig(**BERT | {"vocab_size": rows} | sizes)
    model = transformers.BertForPreTraining(config).eval()
    state = {**model.state_dict(), "bert.embeddings.position_ids": torch.arange(20)[None]}
    torch.save({re.sub("LayerNorm.(weight|bias)$", lambda each: "LayerNorm." + {"weight": "gamma", "bias": "beta"}[
        each[1]], key): value for key, value in state.items()}, tmp_path / "pytorch_model.bin")
    hub = {"architectures": ["BertForMaskedLM"], "directionality": "bidi", "bos_token_id": 0, "eos_token_id": 2,
           "output_past": True, "pooler_fc_size": 768, "pooler_num_fc_layers": 3, "gradient_checkpointing": False,
           "pooler_type": "first_token_transform", "model_type": "bert", "_name_or_path": name, "pad_token_id": 0}
    files = {"config.json": {name: getattr(config, name) for name in BERT} | hub, "added_tokens.json": {},
             "tokenizer_config.json": {"init_inputs": []}, "special_tokens_map.json": {
                 f"{role}_token": f"[{role.upper()}]" for role in ("unk", "sep", "pad", "cls", "mask")}}
    for file, values in files.items():
        (tmp_path / file).write_text(json.dumps(values))
    converted = read_directory(tmp_path, ReadOptions())
    assert (converted.config.family, converted.config.head.kind) == ("bert", "masked_lm")
    ids, mask = make_batch(0)
    with torch.no_grad():
        expected = model(torch.tensor(ids), attention_mask=torch.tensor(mask)).prediction_logits.numpy()
    assert largest(run_ours(converted, ids, mask)[0], expected, mask) <= TOLERANCE
    texts = ["我爱北京天安门。Café the 1 2", "😀 the\x00cat\u200b ＴＨＥ [MASK]门"]
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)(texts, add_special_tokens=False)["input_ids"]
    assert load_tokenizer(tmp_path).encode_batch(texts) == theirs


def saved(folder: Path, family: str, head: str, change: Callable[[dict[str, Any]], Any] | None = None,
          **values: Any) -> Path:
    """Save a tiny model, its state changed by `change` and its config by `values`."""
    model = make_reference(family, head)
    model.save_pretrained(folder)
    if change is not None:
        tensors = load_file(str(folder / "model.safetensors"))
        change(tensors)
        save_file(tensors, str(folder / "model.safetensors"))
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("family", "head", "values", "message"), [
    ("GPT2", "LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
    ("GPT2", "LMHeadModel", {"scale_attn_weights": False}, "scale_attn_weights is False"),
    ("GPT2", "LMHeadModel", {"activation_function": "silu"}, "activation_function is 'silu'"),
    ("GPT2", "LMHeadModel", {"architectures": ["GPT2DoubleHeadsModel"]}, "GPT2DoubleHeadsModel.*--head drop"),
    ("GPT2", "LMHeadModel", {"tie_word_embeddings": False}, "tie_word_embeddings is false.*no lm_head.weight"),
    ("GPT2", "LMHeadModel", {"n_inner": 64}, r"mlp.c_fc.*expected \(64, 32\)"),
    ("Roberta", "ForMaskedLM", {"hidden_act": "relu"}, "hidden_act is relu, and RobertaForMaskedLM's head"),
    ("Roberta", "ForMaskedLM", {"pad_token_id": None}, "pad_token_id is None; RoBERTa's positions"),
    ("Roberta", "ForMaskedLM", {"position_embedding_type": "relative_key"}, "position_embedding_type is 'rel"),
    ("Roberta", "ForSequenceClassification", {"problem_type": "multi_label_classification"}, "multi_label"),
    ("DistilBert", "Model", {"n_heads": 5}, "not a multiple of num_attention_heads 5"),
    ("DistilBert", "Model", {"pruned_heads": {"1": [0]}}, "pruned_heads is"),
    ("DistilBert", "Model", {"model_type": "xlnet"}, "model_type is 'xlnet', .*one of bert, distilbert, rob"),
    ("Electra", "ForMaskedLM", {"hidden_act": "gelu_new"}, "hidden_act is gelu_tanh, and ElectraForMaskedLM's head"),
    ("Electra", "Model", {"embedding_size": 32}, "no place for: embeddings_project"),
    ("Albert", "Model", {"num_hidden_groups": 3}, "num_hidden_groups is 3; .* num_hidden_groups 1 only"),
    ("Albert", "Model", {"inner_group_num": 2}, "inner_group_num is 2"),
    ("Albert", "Model", {"embedding_size": 32}, "embedding_size and hidden_size are both 32, and ALBERT projects"),
    *(("ModernBert", "Model", {name: True}, f"{name} is True; .* {name} False only")
      for name in ("norm_bias", "attention_bias", "mlp_bias")),
    ("ModernBert", "ForMaskedLM", {"hidden_activation": "gelu_new"}, "hidden_act is gelu_tanh, and ModernBertForMa"),
    ("ModernBert", "Model", {"hidden_activation": "silu"}, "hidden_activation is 'silu'; expected one of gelu"),
    ("ModernBert", "Model", {"layer_types": ["full_attention"] * 4}, "layer_types names 4 layers; .* each of 5"),
    ("ModernBert", "Model", {"layer_types": ["chunked_attention"] * 5}, "expected full_attention or sliding_attention"),
    ("ModernBert", "Model", {"layer_types": None, "global_attn_every_n_layers": 0}, "global_attn_every_n_layers is 0"),
    ("ModernBert", "Model", {"rope_scaling": {"rope_type": "yarn"}}, "rope_scaling is .*without scaling"),
    ("ModernBert", "Model", {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}},
     "rope_parameters of full_attention is .*rope_type default"),
    ("ModernBert", "ForSequenceClassification", {"classifier_pooling": "max"}, "classifier_pooling.*'max'"),
    ("DistilBert", "Model", {"model_type": "roberta"}, "is a DistilBertModel, .*those of roberta are: RobertaModel, "),
])
@pytest.mark.medium
def test_settings_that_are_refused(tmp_path: Path, family: str, head: str, values: dict[str, Any],
                                   message: str) -> None:
    refused(message, read_directory, saved(tmp_path, family, head, **values), ReadOptions())


@pytest.mark.medium
def test_layers_of_modernbert(tmp_path: Path) -> None:
    """Of a config.json of transformers 4; each layer that is kept sees what it saw."""
    reference = make_reference("ModernBert", "ForMaskedLM", rope_parameters={
        kind: {"rope_type": "default", "rope_theta": base} for kind, base in (
            ("full_attention", 5000.0), ("sliding_attention", 100.0))},
        layer_types=["full_attention", "sliding_attention"] * 2 + ["full_attention"])
    reference.save_pretrained(tmp_path / "hf")
    values = json.loads((tmp_path / "hf/config.json").read_text())
    assert [values.pop(name) is None for name in ("rope_parameters", "layer_types")] == [False, False]
    values |= {"global_rope_theta": 5000.0, "local_rope_theta": 100.0, "global_attn_every_n_layers": 2}
    (tmp_path / "hf/config.json").write_text(json.dumps(values))
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "own")])
    refused("whose layer 0 alone has no norm", main, ["extract", str(tmp_path / "own"), str(tmp_path / "x"), "--layers",
                                                     "1,2"])
    for name, kept, every in (("rule", (0, 3, 4), 2), ("none", (0, 2, 3), None)):
        main(["extract", str(tmp_path / "own"), str(tmp_path / name), "--layers", ",".join(map(str, kept))])
        main(["--from", "mindspore", "--to", "hf", str(tmp_path / name), str(tmp_path / f"{name}_hf")])
        written = json.loads((tmp_path / f"{name}_hf/config.json").read_text())
        assert written["global_attn_every_n_layers"] == every
        cut = transformers.ModernBertForMaskedLM.from_pretrained(tmp_path / "hf", attn_implementation="sdpa").eval()
        cut.model.layers = torch.nn.ModuleList([cut.model.layers[layer] for layer in kept])
        ids, mask = make_batch(0)
        expected, _ = run_reference(cut, ids, mask)
        found, _ = run_reference(transformers.ModernBertForMaskedLM.from_pretrained(
            tmp_path / f"{name}_hf", attn_implementation="sdpa").eval(), ids, mask)
        loaded = load_model(tmp_path / name)
        ours, _ = run_ours(Converted(loaded.config, loaded.parameters, ()), ids, mask)
        assert max(largest(found, expected, mask), largest(ours, expected, mask)) <= TOLERANCE


@pytest.mark.parametrize(("family", "head", "decoder", "words"), [
    ("GPT2", "LMHeadModel", "lm_head.weight", "transformer.wte.weight"),
    ("DistilBert", "ForMaskedLM", "vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),
    ("Roberta", "ForMaskedLM", "lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
])
def test_stored_decoders(tmp_path: Path, family: str, head: str, decoder: str, words: str) -> None:
    """Equal to the word embeddings, in place of them, and one of its own."""
    plain = read_directory(saved(tmp_path / "plain", family, head), ReadOptions())
    twice = saved(tmp_path / "twice", family, head, lambda tensors: tensors.update({decoder: tensors[words].copy()}))
    moved = saved(tmp_path / "moved", family, head, lambda tensors: tensors.update({decoder: tensors.pop(words)}))
    for folder in (twice, moved):
        read = read_directory(folder, ReadOptions())
        assert read.config == plain.config
        assert all(np.array_equal(read.parameters[name], plain.parameters[name]) for name in plain.parameters)
    untied = saved(tmp_path / "untied", family, head, lambda tensors: tensors.update({decoder: tensors[words] + 1}))
    refused(f"{decoder}.*differs from {words}.*--head drop", read_directory, untied, ReadOptions())
    assert read_directory(untied, ReadOptions(head="drop")).config.head.kind == "none"


def test_tensors_that_are_refused_or_left_out(tmp_path: Path) -> None:
    mask = np.tril(np.ones((1, 1, 20, 20), np.float32))
    old = saved(tmp_path / "old", "GPT2", "LMHeadModel", lambda tensors: tensors.update(
        {f"transformer.h.{layer}.attn.{name}": mask for layer in range(3) for name in ("bias", "masked_bias")}))
    notes = read_directory(old, ReadOptions()).notes
    assert any(note.startswith("left out on purpose: transformer.h.0.attn.bias, ") for note in notes)
    with pytest.raises(UserError, match=r"1 tensor\(s\) this model has no place for: transformer.h.0.crossattention"):
        read_directory(saved(tmp_path / "more", "GPT2", "LMHeadModel", lambda tensors: tensors.update(
            {"transformer.h.0.crossattention.bias": mask})), ReadOptions())
    name = "transformer.h.1.attn.c_attn.weight"
    with pytest.raises(UserError, match=rf"3 tensor\(s\).*{name} \(32, 31\), expected \(32, 32\)"):
        read_directory(saved(tmp_path / "cut", "GPT2", "LMHeadModel", lambda tensors: tensors.update(
            {name: tensors[name][:31].copy()})), ReadOptions())
    with pytest.raises(UserError, match="--pooler random: a causal model has no pooler"):
        read_directory(old, ReadOptions(pooler="random", head="drop"))


def test_what_is_not_kept_is_told(tmp_path: Path) -> None:
    classifier = saved(tmp_path / "distilbert", "DistilBert", "ForSequenceClassification", sinusoidal_pos_embds=True)
    notes = read_directory(classifier, ReadOptions()).notes
    assert any("seq_classif_dropout 0.2 is not kept: dropout 0.1" in note for note in notes)
    assert any("sinusoidal_pos_embds is true: the stored table" in note for note in notes)
    alone = read_directory(classifier, ReadOptions(head="drop"))
    assert any("left out on purpose: classifier.bias, classifier.weight, pre_classifier.b" in n for n in alone.notes)
    drawn = read_directory(classifier, ReadOptions(head="drop", pooler="random"))
    assert (alone.config.encoder.pooler, drawn.config.encoder.pooler) == ("none", "relu")
    stray = {f"roberta.pooler.dense.{name}": np.ones(shape, np.float32) for name, shape in (("weight", (32, 32)),
                                                                                           ("bias", 32))}
    roberta = saved(tmp_path / "roberta", "Roberta", "ForSequenceClassification", lambda tensors: tensors.update(stray))
    read = read_directory(roberta, ReadOptions())
    assert read.parameters["encoder.pooler.bias"].std() > 0
    assert any("left out on purpose: roberta.pooler.dense.bias" in note for note in read.notes)
    assert (read_directory(roberta, ReadOptions(head="drop")).parameters["encoder.pooler.bias"] == 1).all()
    gpt2 = read_directory(saved(tmp_path / "gpt2", "GPT2", "Model", embd_pdrop=0.3), ReadOptions())
    assert any("embd_pdrop 0.3 is not kept: resid_pdrop 0.1" in note for note in gpt2.notes)


def test_tokenizer_that_pads_with_another_token(tmp_path: Path) -> None:
    source = saved(write_byte_level(tmp_path / "hf"), "Roberta", "ForMaskedLM", vocab_size=400)
    with pytest.raises(UserError, match="tokens and the model 41 word embeddings"):
        save_converted(read_directory(saved(source, "Roberta", "ForMaskedLM"), ReadOptions()), source, tmp_path / "own")
    sizes = {"pad_token_id": 0, "vocab_size": load_tokenizer(source).vocab_size}
    model = transformers.RobertaForMaskedLM(transformers.RobertaConfig(**TINY["Roberta"][1] | sizes))
    model.save_pretrained(source)
    with pytest.raises(UserError, match="pads with token 1, and the model counts its positions from padding token 0"):
        save_converted(read_directory(source, ReadOptions()), source, tmp_path / "own")
