# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What SECURITY.md promises: no file that is read runs code, or makes anything be written outside of its folder."""

from __future__ import annotations

import ast
import gzip
import io
import json
import os
import pickle
import sqlite3
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.pipeline import archives
from experiments.quickstart.tfidf import load_tfidf
from src.common.errors import UserError, one_line
from src.common.files import read_json
from src.config import load_config
from src.convert import google_bert, model_zoo
from src.convert.huggingface import read_directory
from src.convert.options import ReadOptions
from src.convert.tensors import read_huggingface_weights, read_torch
from src.corpus.word_vectors import word_vector_width
from src.evaluate.teacher_logits import DESCRIPTION, VALUES, _load
from src.records.reading import inspect
from src.records.token_counts import load_token_counts
from src.text.tokenization import load_tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for path in [*REPOSITORY.glob("*.py"), *(
    file for folder in ("src", "serving", "benchmarks") for file in (REPOSITORY / folder).rglob("*.py"))])


# The code

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "telnetlib",
                     "xmlrpc"}
FORBIDDEN_CALLS = {"pickle.load", "eval", "exec", "compile", "__import__", "os.system", "os.popen",
                   "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp", "shutil.unpack_archive",
                   "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "pandas.read_pickle",
                   "pd.read_pickle", "ssl._create_unverified_context"}
FORBIDDEN_METHODS = {"extractall"}
# A call by one of these names must have the argument.
REQUIRED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False),
            "numpy.load": ("allow_pickle", False)}
# No call at all may have one of these.
FORBIDDEN_ARGUMENTS = {"shell": True, "allow_pickle": True, "verify": False, "trust_remote_code": True,
                       "weights_only": False}

# Between the processes of one job, which run what they send each other anyway: no file is involved.
EXEMPT = {"src/parallel/cluster.py": {"import pickle"}, "src/parallel/worker.py": {"import pickle"},
          "src/parallel/shipping.py": {"import pickle", "files.extractall"}}


def dotted(node: ast.expr) -> str:
    """`np.load` of the function of a call, "" for what has no such name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def faults(text: str) -> list[str]:
    """What a program must not do, with the lines where it does."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            found += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if not isinstance(node, ast.Call):
            continue
        name, method = dotted(node.func), node.func.attr if isinstance(node.func, ast.Attribute) else ""
        values = {keyword.arg: getattr(keyword.value, "value", "not a constant") for keyword in node.keywords}
        if name in FORBIDDEN_CALLS or method in FORBIDDEN_METHODS:
            found.append(f"{node.lineno}: {name or method}")
        if name in REQUIRED and values.get(REQUIRED[name][0]) is not REQUIRED[name][1]:
            found.append(f"{node.lineno}: {name} without {REQUIRED[name][0]}={REQUIRED[name][1]}")
        found += [f"{node.lineno}: {argument}={value}" for argument, value in values.items()
                  if argument in FORBIDDEN_ARGUMENTS and value in (FORBIDDEN_ARGUMENTS[argument], "not a constant")]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_unpickles_evaluates_or_starts_a_shell(path: Path) -> None:
    exempt = EXEMPT.get(str(path.relative_to(REPOSITORY)), set())
    assert not [fault for fault in faults(path.read_text(encoding="utf-8")) if fault.split(": ")[1] not in exempt]


@pytest.mark.parametrize("text", [
    "import pickle", "pickle.load(x)", "from marshal import loads", "import xmlrpc.client", "eval(x)", "os.system(x)",
    "subprocess.run(x, shell=True)", "subprocess.run(x, shell=y)", "torch.load(x)", "torch.load(x, weights_only=False)",
    "np.load(x)", "np.load(x, allow_pickle=True)", "yaml.load(x)", "tar.extractall(x)",
    "AutoModel.from_pretrained(x, trust_remote_code=True)", "zipfile.ZipFile(x).extractall()"])
def test_the_search_finds(text: str) -> None:
    assert len(faults(text)) >= 1


# Malicious files


class Payload:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_the_payload_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed")))
    assert (tmp_path / "executed").is_dir()


def refused(read: Callable[[], object], executed: Path) -> str:
    """The message of the UserError that `read` raises, without having run the payload."""
    with pytest.raises(UserError) as raised:
        read()
    assert not executed.exists()
    message = one_line(raised.value)
    assert message and "Traceback" not in message
    return message


def pickled(executed: Path) -> bytes:
    return pickle.dumps({"weight": Payload(executed)}, protocol=2)  # the one that torch.save writes


def legacy_tar(executed: Path) -> bytes:
    """The form of PyTorch before 0.1.10, a tar archive of pickles."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            info = tarfile.TarInfo(name)
            info.size = len(pickled(executed))
            archive.addfile(info, io.BytesIO(pickled(executed)))
    return buffer.getvalue()


def zip_form(executed: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(executed))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


@pytest.mark.parametrize("form", [pickled, legacy_tar, zip_form])
def test_pytorch_file(form: Callable[[Path], bytes], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "pytorch_model.bin").write_bytes(form(tmp_path / "executed"))
    message = refused(lambda: read_huggingface_weights(tmp_path), tmp_path / "executed")
    assert "pytorch_model.bin cannot be read as a PyTorch state dict of plain tensors" in message


def test_compressed_pytorch_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    message = refused(lambda: read_torch(tmp_path / "pytorch_model.bin"), tmp_path / "executed")
    assert "is compressed (archive/data.pkl), which torch.save never does" in message


def test_torch_that_reads_unsafely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "pytorch_model.bin").write_bytes(pickled(tmp_path / "executed"))
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    message = refused(lambda: read_torch(tmp_path / "pytorch_model.bin"), tmp_path / "executed")
    assert "torch 2.9.1+cpu does not read safely" in message and "2.10 or newer" in message


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_pickle_under_another_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / name).write_bytes(pickled(tmp_path / "executed"))
    assert name in refused(lambda: read_directory(tmp_path, ReadOptions()), tmp_path / "executed")


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "vocab.json"])
def test_pickle_as_a_tokenizer(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickled(tmp_path / "executed"))
    (tmp_path / "merges.txt").write_bytes(pickled(tmp_path / "executed"))
    refused(lambda: load_tokenizer(tmp_path), tmp_path / "executed")


@pytest.mark.parametrize("read", [
    read_json, load_config, word_vector_width, lambda path: load_token_counts(path, 3, None),
    lambda path: inspect(path), lambda path: inspect(path, "mindrecord")],
    ids=["JSON", "config", "word vectors", "token counts", "TFRecord", "MindRecord"])
@pytest.mark.parametrize("name", ["file", "file.pickle"])
def test_pickle_for_every_other_reader(read: Callable[[Path], object], name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(pickled(tmp_path / "executed"))
    refused(lambda: read(file), tmp_path / "executed")


def test_model_zoo_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(pickled(tmp_path / "executed"))
    (tmp_path / "bert_config.json").write_text("{}")
    message = refused(lambda: model_zoo.read_checkpoint(tmp_path / "model.ckpt", ReadOptions()), tmp_path / "executed")
    assert "cannot be read as a MindSpore checkpoint" in message


@pytest.mark.medium
def test_tensorflow_checkpoint(tmp_path: Path) -> None:
    config = {"vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1,
              "intermediate_size": 4}
    (tmp_path / "bert_config.json").write_text(str(config).replace("'", '"'))
    for ending in ("index", "data-00000-of-00001"):
        (tmp_path / f"bert_model.ckpt.{ending}").write_bytes(pickled(tmp_path / "executed"))
    message = refused(lambda: google_bert.read_checkpoint(tmp_path, ReadOptions()), tmp_path / "executed")
    assert "cannot be read as a TensorFlow checkpoint" in message


def test_mindrecord_with_an_index_of_another_form(tmp_path: Path) -> None:
    file = tmp_path / "a.mindrecord"
    file.write_bytes(pickled(tmp_path / "executed"))
    for content in (pickled(tmp_path / "executed"), b""):
        Path(f"{file}.db").write_bytes(content)
        assert "header cannot be read" in refused(lambda: inspect(file, "mindrecord"), tmp_path / "executed")
    header = b'{"schema": [{"schema": {"a": {"type": "int64"}}}], "header_size": 0, "page_size": 1, "page": []}'
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    Path(f"{file}.db").unlink()
    with sqlite3.connect(f"{file}.db") as connection:
        connection.execute("CREATE TABLE SHARD_NAME (NAME BLOB)")
        connection.execute("CREATE TABLE INDEXES (ROW BLOB)")
        connection.execute("INSERT INTO SHARD_NAME VALUES (?)", ("../../elsewhere.mindrecord",))
    connection.close()
    assert "its index belongs to '../../elsewhere.mindrecord'" in refused(lambda: inspect(file, "mindrecord"),
                                                                          tmp_path / "executed")


def test_numpy_objects_are_not_loaded(tmp_path: Path) -> None:
    objects = np.array([Payload(tmp_path / "executed")], object)
    np.save(tmp_path / VALUES, objects, allow_pickle=True)
    (tmp_path / DESCRIPTION).write_text(json.dumps({"shape": [1], "bytes": (tmp_path / VALUES).stat().st_size}))
    assert _load(tmp_path, {"shape": [1]}, contents=False) is None
    np.savez(tmp_path / "model.npz", allow_pickle=True, idf=objects, coefficients=objects, intercept=objects)
    (tmp_path / "vocabulary.json").write_text('{"terms": ["a"], "labels": ["b"]}')
    assert "allow_pickle=False" in refused(lambda: load_tfidf(tmp_path), tmp_path / "executed")


@pytest.mark.parametrize("text", [
    "seed: !!python/object/apply:os.mkdir [{executed}]", "seed: !!python/name:os.system", "!!python/module:os"])
def test_yaml_makes_no_objects(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text.format(executed=tmp_path / "executed"))
    message = refused(lambda: load_config(tmp_path / "config.yaml"), tmp_path / "executed")
    assert "could not determine a constructor for the tag" in message


# Archives


def zip_of(path: Path, *members: zipfile.ZipInfo | str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, content, compress_type=zipfile.ZIP_DEFLATED)
    return path


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_zip_writes_only_what_is_asked_for(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    specials = [special(f"m/{name}", kind) for name, kind in (("device", stat.S_IFCHR), ("link", stat.S_IFLNK))]
    archive = zip_of(inside / "a.zip", "m/good", "m/../../escaped", "m//absolute", "/absolute", "m/..\\escaped",
                     *specials)
    archives.unpack_files(archive, "m/", ["good", "link"], inside / "out")
    written = [path for path in tmp_path.rglob("*") if not path.is_dir()]
    assert sorted(path.name for path in written) == ["a.zip", "good", "link"]
    other = inside / "other"
    assert "has no m/absent" in refused(lambda: archives.unpack_files(archive, "m/", ["absent"], other), other)
    assert all(path.is_file() and not path.is_symlink() for path in written)


def test_zip_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zip_of(tmp_path / "ratio.zip", "m/zeros", content=bytes(8 << 20))
    assert bomb.stat().st_size < 20_000
    out, names = tmp_path / "out", [str(number) for number in range(30)]
    assert "would unpack" in refused(lambda: archives.unpack_files(bomb, "m/", ["zeros"], out), out)
    many = zip_of(tmp_path / "many.zip", *(f"m/{name}" for name in names), content=os.urandom(100))
    for name, limit, message in (("MAX_MEMBERS", 29, "has 30 members"), ("MAX_UNPACKED", 2999, "would unpack")):
        with monkeypatch.context() as patched:
            patched.setattr(archives, name, limit)
            assert message in refused(lambda: archives.unpack_files(many, "m/", names, out), out)
    archives.unpack_files(many, "m/", names, out)
    assert len(list(out.iterdir())) == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.zip", "out", "ratio.zip"]


@pytest.mark.parametrize("harm", ["size", "content", "encrypted", "method"])
def test_damaged_zip_leaves_nothing(harm: str, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", "m/good", content=b"words " * 20)
    raw = bytearray(archive.read_bytes())
    entry = raw.index(b"PK\1\2")
    place, value = {"size": (entry + 24, 200), "content": (40, raw[40] ^ 0x55), "encrypted": (entry + 8, 1),
                    "method": (entry + 10, 99)}[harm]
    raw[place] = value
    if harm == "encrypted":
        raw[6] = 1
    archive.write_bytes(raw)
    message = refused(lambda: archives.unpack_files(archive, "m/", ["good"], tmp_path / "out"), tmp_path / "out")
    assert "is not a readable zip archive" in message
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def tar_of(*members: tuple[str, bytes, str]) -> bytes:
    """A tar.gz archive of (name, type, target of a link)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"text"))
    return buffer.getvalue()


def test_tar_is_read_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = tar_of(("../escaped", tarfile.REGTYPE, ""), (f"{tmp_path}/absolute", tarfile.REGTYPE, ""),
                     ("p/link", tarfile.SYMTYPE, "/etc/passwd"), ("p/hard", tarfile.LNKTYPE, "../escaped"),
                     ("p/pipe", tarfile.FIFOTYPE, ""), ("p/device", tarfile.CHRTYPE, ""), ("p/a", tarfile.REGTYPE, ""))
    assert archives.read_tar(content, ["a"], "a.tar.gz") == {"a": b"text"}
    for name in ("link", "hard", "pipe", "device", "absent"):
        assert f"has 0 files {name}" in refused(lambda name=name: archives.read_tar(content, [name], "a.tar.gz"),
                                                tmp_path / "escaped")
    assert not list(tmp_path.iterdir()) and not (tmp_path.parent / "escaped").exists()


def test_tar_bombs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archives, "MAX_TAR", 1 << 20)
    nothing = tmp_path / "nothing"

    def message(content: bytes) -> str:
        return refused(lambda: archives.read_tar(content, ["a"], "a.tar.gz"), nothing)

    zeros = gzip.compress(bytes(8 << 20))
    assert "unpacks to more than" in message(zeros)
    many = tar_of(*[("p/a", tarfile.REGTYPE, "")] * 40)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 39)
    assert "more than 39 members" in message(many)
    sparse = tarfile.TarInfo("p/sparse")
    sparse.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40), "GNU.sparse.name": "p/sparse"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(sparse)
    assert "more than 39 members or" in message(buffer.getvalue())
    for content in (many[:-20], many[:30], b"", b"\x1f\x8b", pickled(nothing)):
        assert "cannot be read" in message(content)
