# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Token ids against transformers 5: combinations of files that agree and disagree, settings, and texts; through our
folder and `--to hf`."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import AddedToken, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from src.checkpoints.checkpoint import LoadedModel
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.huggingface import write_huggingface
from src.convert.parameters import parameter_shapes
from src.tasks.features import EncodeOptions
from src.tasks.span import SpanTask
from src.tasks.span_files import SpanExample
from src.tasks.text_encoding import encode_texts
from src.tasks.texts import TextExample
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy
from tests.refusals import refused
from tests.small_vocabulary import ALBERT, GPT2, ROBERTA, VOCABULARY, write_byte_level, write_modern, write_unigram

transformers = Lazy("transformers", minversion="5")

pytestmark = pytest.mark.medium

TEXTS = ("The cat sat on the mat.", "Café CAFÉ cafe\u0301 caf\u00e9 ÅNGSTRÖM", "我爱北京天安门。hello世界",
         "ＴＨＥ １２ ｃａｔ",
         "the[HL]cat [hl] [HL] x[E1]y [e1]", "a <e1>b<E1> <e1>  <e1>", "[CLS] the [MASK] sat[SEP]on [PAD] [UNK]",
         "<s>the <mask> cat</s> <pad>x<unk> <|endoftext|>", "http://x.y/z?a=1&b=2 1234 x@y.z",
         "😀 한국 a\u200bb\x00c\td\r\ne",
         "unwanted Running-lower", "北京 天x北京", "", " ", "  the  cat ", "the\u0301 i\u0307 ß ς", "[M][X] [bos] <x>")
PLACES = ("config", "special", "added", "model")
NAMES = {"config": "tokenizer_config.json", "special": "special_tokens_map.json", "added": "added_tokens.json",
         "model": "config.json"}
SIZE = len(VOCABULARY)


def entry(content: str, special: bool = True, **more: Any) -> dict[str, Any]:
    """A token as added_tokens_decoder lists it."""
    return {"content": content, "special": special, "lstrip": False, "rstrip": False, "normalized": not special,
            "single_word": False, **more}


# What a folder's tokenizer_config.json may say of BERT.
BERT_CONFIGS: tuple[dict[str, Any] | None, ...] = (
    None, {}, {"do_lower_case": False}, {"do_lower_case": True, "strip_accents": False},
    {"do_lower_case": False, "strip_accents": True}, {"tokenize_chinese_chars": False},
    {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False, "model_max_length": 512},
    {"tokenizer_class": "DistilBertTokenizer", "strip_accents": None},
    {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False},
    {"do_basic_tokenize": False, "never_split": ["the"], "clean_up_tokenization_spaces": True},
    {"mask_token": None}, {"mask_token": "the", "bos_token": "[bos]"},
    {"additional_special_tokens": ["[X]", "cat"]}, {"extra_special_tokens": {"image_token": "<x>"}},
    {"mask_token": {"__type": "AddedToken", **entry("[MASK]", lstrip=True)}},
    {"added_tokens_decoder": {str(SIZE): entry("[HL]"), str(SIZE + 1): entry("[E1]", False)}},
    {"added_tokens_decoder": {"0": entry("[PAD]"), str(SIZE): entry("[M]")}, "mask_token": "[M]"},
    {"added_tokens_decoder": {"7": entry("[MASK]"), str(SIZE): entry("北京", False, single_word=True)}},
    {"added_tokens_decoder": {str(SIZE): entry("[HL]", rstrip=True, lstrip=True)}},
)
BERT_SPECIAL: tuple[dict[str, Any] | None, ...] = (
    None, {"cls_token": "[CLS]", "mask_token": "[MASK]"}, {"unk_token": "the", "sep_token": "cat"},
    {"additional_special_tokens": ["[HL]"], "pad_token": entry("[PAD]")}, {"mask_token": "[M]"})
BERT_ADDED: tuple[dict[str, Any] | None, ...] = (
    None, {"[HL]": SIZE, "[E1]": SIZE + 1}, {"[E1]": SIZE + 1, "北京": SIZE}, {"cat": 7, "[HL]": SIZE},
    {"[HL]": SIZE + 3})
BPE_CONFIGS: tuple[dict[str, Any] | None, ...] = (
    None, {"add_prefix_space": True}, {"tokenizer_class": "RobertaTokenizerFast", "trim_offsets": False},
    {"mask_token": {"__type": "AddedToken", **entry("<mask>", lstrip=True)}}, {"pad_token": "<|endoftext|>"},
    {"additional_special_tokens": ["<x>", "[HL]"], "add_prefix_space": True}, {"bos_token": "[bos]"})
ALBERT_CONFIGS: tuple[dict[str, Any] | None, ...] = (
    None, {"tokenizer_class": "AlbertTokenizerFast", "do_lower_case": False}, {"keep_accents": True},
    {"add_prefix_space": False, "keep_accents": True, "do_lower_case": False, "additional_special_tokens": ["[HL]"]})
BPE_SPECIAL: tuple[dict[str, Any] | None, ...] = (
    None, {"eos_token": "</s>", "pad_token": "<pad>"}, {"pad_token": entry("[PAD]", normalized=True)})


def write_stored(folder: Path, **rules: Any) -> None:
    """A tokenizer.json of BERT with the tokens of VOCABULARY."""
    backend = tokenizers.Tokenizer(WordPiece({token: index for index, token in enumerate(VOCABULARY)},
                                             unk_token="[UNK]", max_input_chars_per_word=rules.pop("longest", 100)))
    backend.pre_tokenizer = rules.pop("pre_tokenizer", None) or pre_tokenizers.BertPreTokenizer()
    backend.normalizer = normalizers.BertNormalizer(**rules)
    backend.add_special_tokens([*VOCABULARY[:4], AddedToken("[MASK]", lstrip=True)])
    backend.add_tokens([AddedToken("[HL]", normalized=False)])
    backend.save(str(folder / "tokenizer.json"))


KINDS = ("txt", "json", "txt+json", "odd json", "roberta", "gpt2", "xlm-roberta", "albert")
WITHOUT_WORD_PIECE = KINDS[4:]


def vocabulary_text(tokens: tuple[str, ...] = VOCABULARY) -> str:
    return "".join(f"{token}\n" for token in tokens)


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each kind, with the vocabulary alone."""
    place = tmp_path_factory.mktemp("vocabularies")
    for kind in ("txt", "json", "txt+json", "odd json"):
        (place / kind).mkdir()
    for kind in ("txt", "txt+json"):
        (place / kind / "vocab.txt").write_text(vocabulary_text(), encoding="utf-8")
    for kind in ("json", "txt+json"):
        write_stored(place / kind, lowercase=False, strip_accents=False)
    write_stored(place / "odd json", lowercase=True, handle_chinese_chars=False, longest=5,
                 pre_tokenizer=pre_tokenizers.Whitespace())
    for kind, special in (("roberta", ROBERTA), ("gpt2", GPT2)):
        write_byte_level(place / kind, special)
    write_unigram(place / "xlm-roberta")
    write_unigram(place / "albert", ALBERT)
    return place


def cases(kind: str) -> list[dict[str, Any]]:
    """What lies beside a vocabulary of this kind: all combinations, of kinds that differ little every seventh."""
    if kind in WITHOUT_WORD_PIECE:
        pairs = product(ALBERT_CONFIGS, BPE_SPECIAL[:2]) if kind == "albert" else product(BPE_CONFIGS, BPE_SPECIAL)
        return [{"config": config, "special": special, "model": {"model_type": kind}} for config, special in pairs]
    rows = [{"config": config, "special": special, "added": added, "model": {"model_type": "bert"}}
            for config, special, added in product(BERT_CONFIGS, BERT_SPECIAL, BERT_ADDED)]
    return rows[::7] if kind in ("txt+json", "odd json") else rows


def make(folder: Path, vocabulary: Path, files: dict[str, Any]) -> Path:
    """A folder with a vocabulary and what lies beside it."""
    folder.mkdir()
    for file in vocabulary.iterdir():
        (folder / file.name).hardlink_to(file)
    for place, values in files.items():
        if values is not None:
            (folder / NAMES[place]).write_text(json.dumps(values), encoding="utf-8")
    return folder


def refusal(kind: str, files: dict[str, Any]) -> str:
    """Why a combination is refused, "" where it is read."""
    config = files["config"] or {}
    named = str(config.get("tokenizer_class"))
    if "PreTrained" in named and kind == "txt":
        return "tokenizer_class is 'PreTrainedTokenizerFast'"
    if "Roberta" in named and kind == "gpt2":
        return "has no <s>"
    if "Roberta" in named and kind == "xlm-roberta":
        return "holds a Unigram, but transformers reads this folder with RobertaTokenizer"
    # transformers gives it another id than the file: one of the two is not what the model was trained with.
    if "added_tokens_decoder" not in config and (files.get("added") or {}).get("[HL]") == SIZE + 3 and kind == "txt":
        return r"the added token '\[HL\]' the id"
    return ""


def check_same(folder: Path, ids: list[list[int]], reference: Any) -> None:
    tokenizer = load_tokenizer(folder)
    ours = tokenizer.encode_batch(TEXTS)
    assert [text for text, own, its in zip(TEXTS, ours, ids, strict=True) if own != its] == []
    assert tokenizer.vocab_size == max(reference.get_vocab().values()) + 1
    for role in ("cls", "sep", "pad", "mask", "unk"):
        named = getattr(reference, f"{role}_token_id")
        # A tokenizer.json by itself, and GPT-2, name no roles; BPE of bytes needs no unknown token.
        if named is not None and (role, reference.__class__.__name__) != ("unk", "GPT2Tokenizer"):
            assert getattr(tokenizer, f"{role}_id") == named


@pytest.mark.parametrize("kind", KINDS)
def test_combinations_of_files(vocabularies: Path, tmp_path: Path, kind: str) -> None:
    for number, files in enumerate(cases(kind)):
        folder = make(tmp_path / str(number), vocabularies / kind, files)
        why = refusal(kind, files)
        if why:
            refused(why, load_tokenizer, folder)
            continue
        reference = transformers.AutoTokenizer.from_pretrained(str(folder))
        check_same(folder, reference(list(TEXTS), add_special_tokens=False)["input_ids"], reference)


def write_model(own: Path, target: Path, family: str) -> None:
    """`--to hf` of a tiny random model with the tokenizer in `own`."""
    tokenizer = load_tokenizer(own)
    encoder = EncoderConfig(tokenizer.vocab_size, 8, 2, 2, 6, "gelu", 0.1, 0.1, 600, 2, 0.02, 1e-12)
    offset = replace(encoder, position_offset=tokenizer.pad_id + 1)
    encoder = {"roberta": offset, "xlm-roberta": offset,
               "albert": replace(encoder, embedding_size=4, share_layers=True),
               "modernbert": replace(encoder, type_vocab_size=0, pooler="none", layer_class="modernbert"),
               "gpt2": replace(encoder, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)
               }.get(family, encoder)
    config = ModelConfig(encoder, HeadConfig(), family=family)
    parameters = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(config).items()}
    write_huggingface(LoadedModel(own, config, parameters, own), target)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_survive_our_folder_and_the_way_back(vocabularies: Path, tmp_path: Path, kind: str) -> None:
    chosen = [files for files in cases(kind) if not refusal(kind, files)][::1 if kind in WITHOUT_WORD_PIECE else 11]
    for number, files in enumerate(chosen):
        folder = make(tmp_path / str(number), vocabularies / kind, files)
        reference = transformers.AutoTokenizer.from_pretrained(str(folder))
        ids = reference(list(TEXTS), add_special_tokens=False)["input_ids"]
        own, back = tmp_path / f"{number}.own", tmp_path / f"{number}.back"
        own.mkdir()
        load_tokenizer(folder).save(own)
        assert load_tokenizer(own).special_ids == load_tokenizer(folder).special_ids
        write_model(own, back, kind if kind in WITHOUT_WORD_PIECE else "bert")
        for place in (own, back):
            check_same(place, ids, reference)
        again = transformers.AutoTokenizer.from_pretrained(str(back))
        assert again(list(TEXTS), add_special_tokens=False)["input_ids"] == ids
        assert len(again) == len(reference)


@pytest.mark.parametrize(("kind", "separators"), [("txt", 1), ("roberta", 2), ("xlm-roberta", 2), ("albert", 1)])
def test_rows_of_pairs(vocabularies: Path, tmp_path: Path, kind: str, separators: int) -> None:
    """Whole and cut; through our folder and the way back too."""
    family = "bert" if kind == "txt" else kind
    folder = make(tmp_path / "hub", vocabularies / kind, {"model": {"model_type": family}})
    own, back = tmp_path / "own", tmp_path / "back"
    own.mkdir()
    load_tokenizer(folder).save(own)
    write_model(own, back, family)
    reference = transformers.AutoTokenizer.from_pretrained(str(folder))
    pairs = [("the cat sat on the mat, the dog ran. " * times, text) for times, text in enumerate(TEXTS[:4], 1)]
    for place in (folder, own, back):
        tokenizer = load_tokenizer(place)
        assert tokenizer.separators == pickle.loads(pickle.dumps(tokenizer)).separators == separators
        for length in (6, 7, 14, 15, 40, 128):
            rows = encode_texts([TextExample(*pair, None, 1) for pair in pairs], tokenizer, length).values
            its = reference(*zip(*pairs, strict=True), truncation=True, max_length=length, padding="max_length",
                            return_tensors="np", return_token_type_ids=True)
            assert np.array_equal(rows["input_ids"], its["input_ids"]), length
            assert np.array_equal(rows["input_mask"], its["attention_mask"]), length
            assert np.array_equal(rows["segment_ids"], its["token_type_ids"] * rows["input_mask"]), length
        question = SpanTask("x").encode([SpanExample("1", "the cat", pairs[3][0], None)], tokenizer,
                                        EncodeOptions(20, 5, 12))
        its = reference("the cat", pairs[3][0], truncation="only_second", max_length=20, padding="max_length",
                        return_offsets_mapping=True, return_tensors="np")
        assert np.array_equal(question.values["input_ids"][0], its["input_ids"][0])
        context = [place for place, owner in enumerate(its.sequence_ids(0)) if owner == 1]
        assert np.array_equal(np.flatnonzero(question.values["token_begins"][0] >= 0), context)


def test_pairs_of_an_earlier_checkpoint_stay(vocabularies: Path, tmp_path: Path) -> None:
    """Its tokenizer has RoBERTa's template, and its rows had one separator."""
    load_tokenizer(vocabularies / "roberta").save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"encoder": {}, "head": {}}), encoding="utf-8")
    assert load_tokenizer(tmp_path).separators == 2
    settings = tmp_path / "tokenizer_config.json"
    settings.unlink()
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.separators == 1 and "an earlier version made this checkpoint" in tokenizer.notes[-1]
    settings.write_text(json.dumps({"pair_separators": "two"}), encoding="utf-8")
    refused("pair_separators is 'two'; expected a whole number", load_tokenizer, tmp_path)


def test_modernbert(tmp_path: Path) -> None:
    """A thousand lines of mixed text, through our folder and `--to hf`."""
    folder = write_modern(tmp_path / "hub")
    parts = (*TEXTS, "a    b     c  d", "|||IP_ADDRESS||| [unused0][MASK]  x", "e\u0301\u0301 \u1e9b\u0323",
             "\x01\x7f\u2028")
    chosen = np.random.default_rng(0).integers(0, len(parts), (1000, 3))
    lines = ["".join(parts[place] for place in row) for row in chosen]
    ids = transformers.AutoTokenizer.from_pretrained(str(folder))(lines, add_special_tokens=False)["input_ids"]
    assert load_tokenizer(folder).encode_batch(lines) == ids
    own = tmp_path / "own"
    own.mkdir()
    load_tokenizer(folder).save(own)
    write_model(own, tmp_path / "back", "modernbert")
    for place in (own, tmp_path / "back"):
        assert load_tokenizer(place).encode_batch(lines) == ids
    again = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "back"))
    assert again(lines, add_special_tokens=False)["input_ids"] == ids
    assert again("x", "y")["input_ids"][0] == again.cls_token_id == load_tokenizer(folder).cls_id
    assert (again.pad_token, again.mask_token, again.sep_token) == ("[PAD]", "[MASK]", "[SEP]")


ODD_VOCABULARIES = {
    "as it is": vocabulary_text(), "CRLF": vocabulary_text().replace("\n", "\r\n"),
    "no last line end": vocabulary_text().removesuffix("\n"),
    "trailing blanks": vocabulary_text().replace("\n", " \t\n"),
    "blank line at the end": vocabulary_text() + "\n",
    "blank lines inside": vocabulary_text().replace("cat", "\n\ncat", 1),
    "a token twice": vocabulary_text() + "the\nof\n", "a wide blank": vocabulary_text() + "\u3000\nof\n",
    "upper case alone": vocabulary_text(tuple(token.upper() for token in VOCABULARY)),
}


@pytest.mark.parametrize("name", [*ODD_VOCABULARIES, "byte order mark"])
def test_odd_vocabularies(tmp_path: Path, name: str) -> None:
    text = ODD_VOCABULARIES.get(name, ODD_VOCABULARIES["as it is"])
    (tmp_path / "vocab.txt").write_text(text, encoding="utf-8", newline="")
    reference = transformers.BertTokenizer.from_pretrained(str(tmp_path))
    if name == "byte order mark":  # which transformers takes for a part of the first token
        (tmp_path / "vocab.txt").write_text(text, encoding="utf-8-sig")
    ids = reference(list(TEXTS), add_special_tokens=False)["input_ids"]
    assert load_tokenizer(tmp_path).encode_batch(TEXTS) == ids


def test_ids_of_added_tokens_with_gaps_are_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text(vocabulary_text() + "the\n", encoding="utf-8")
    config = tmp_path / "tokenizer_config.json"
    for values, message in (({"additional_special_tokens": ["[X]"]}, "which is that of 'the'"),
                            ({"added_tokens_decoder": {str(SIZE + 1): entry("[X]")}}, f"the id {SIZE + 1}"),
                            ({"added_tokens_decoder": {"x": entry("[X]")}}, "has the id 'x'"),
                            ({"added_tokens_decoder": {"9": {"special": True}}}, "a token declared in"),
                            ({"cls_token": 7}, "is 7; expected a text"),
                            ({"do_lower_case": "no"}, "'no'; expected true")):
        config.write_text(json.dumps(values), encoding="utf-8")
        refused(message, load_tokenizer, tmp_path)


@pytest.mark.parametrize(("files", "message"), [
    ({"config": {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}}, "word_tokenizer_type"),
    ({"config": {"tokenizer_class": "BertJapaneseTokenizer"}}, "tokenizer_class is 'BertJapaneseTokenizer'"),
    ({"model": {"model_type": "bert", "tokenizer_class": "RoFormerTokenizer"}}, "tokenizer_class is 'RoFormer"),
    ({"config": {"split_special_tokens": True}}, "split_special_tokens is True"),
    ({"config": {"subword_tokenizer_type": "character"}}, "subword_tokenizer_type is 'character'"),
    ({"config": {"tokenizer_class": "AlbertTokenizer"}}, "vocab.txt is not what AlbertTokenizer reads.*tokenizer.json"),
    ({"model": {"model_type": "roberta"}}, "vocab.txt is not what RobertaTokenizer reads.*model_type bert"),
    ({"model": {"model_type": "xlm-roberta"}}, "vocab.txt is not what XLMRobertaTokenizer reads.*tokenizer.json"),
    ({"model": {"model_type": "xlnet"}}, "model_type is 'xlnet', whose tokenizer is not known"),
])
def test_rules_that_are_not_known(vocabularies: Path, tmp_path: Path, files: dict[str, Any], message: str) -> None:
    refused(message, load_tokenizer, make(tmp_path / "folder", vocabularies / "txt", files))


def test_chinese_alberts_have_the_vocabulary_of_bert(vocabularies: Path, tmp_path: Path) -> None:
    """Also where nothing names BertTokenizer."""
    files = {"model": {"model_type": "albert"}}
    assert "BertTokenizer" in load_tokenizer(make(tmp_path / "folder", vocabularies / "txt", files)).describe()


def test_sentencepiece_is_named(tmp_path: Path) -> None:
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"x")
    refused("holds sentencepiece.bpe.model: sentencepiece and tiktoken are not.*tokenizer.json.*save_pretr",
            load_tokenizer, tmp_path)


def test_description_says_what_was_understood(vocabularies: Path, tmp_path: Path) -> None:
    files = {"config": {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False},
             "added": {"[HL]": SIZE}}
    described = load_tokenizer(make(tmp_path / "folder", vocabularies / "txt", files)).describe()
    assert (f"BertTokenizer, {SIZE + 1} tokens; lower case, accents kept, Chinese characters not apart; added tokens "
            f"[HL] {SIZE}; special tokens cls [CLS] 2, sep [SEP] 3, pad [PAD] 0") in described
