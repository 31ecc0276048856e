# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results in every kind of place, with what is there before, killed before each of their file operations."""

from __future__ import annotations

import ctypes
import os
import pickle
import stat
import traceback
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from src.common.files import atomic_file, atomic_folder, clear_folder, restore, write_text
from src.common.places import check_file, check_folder
from tests.killing import killed_at_each_instant, names_aside
from tests.refusals import refused

OLD = {"manifest.json": "old", "old.bin": "old"}
NEW = {"manifest.json": "new", "new.bin": "new", "sub/deep.bin": "new"}
FOREIGN = {"notes.txt": "mine", ".git/config": "mine"}
_NEW_NAMESPACE, _BIND, _REMOUNT, _READ_ONLY, _PRIVATE, _ALL = 0x20000, 4096, 32, 1, 1 << 18, 1 << 14


def mount(source: Path, target: Path, flags: int = _BIND) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for change in (flags, flags | _REMOUNT) if flags & _READ_ONLY else (flags,):
        if libc.mount(os.fsencode(source), os.fsencode(target), None, change, None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_mounts() -> None:
    """Let this process mount without anybody else seeing it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NAMESPACE) or libc.mount(None, b"/", None, _PRIVATE | _ALL, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def in_child(work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` returns in a process of its own, whose current folder and mounts are its own too."""
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            result = (True, work(*arguments))
        except BaseException as error:  # noqa: BLE001 - told to the parent
            result = (False, (error, traceback.format_exc()))
        os.write(write, pickle.dumps(result))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    is_good, value = pickle.loads(content)
    if not is_good:
        print(value[1])
        raise value[0]
    return value


def may_mount(folder: Path) -> bool:
    def attempt() -> None:
        own_mounts()
        mount(folder, folder)

    try:
        in_child(attempt)
    except OSError:
        return False
    return True


def enter(kind: str, root: Path) -> Path:
    """Go where the command is given, and return what is given as the output folder."""
    if kind == "mount":
        own_mounts()
        mount(root / "real", root / "out")
    elif kind == "current":
        os.chdir(root / "out")
        return Path(".")
    elif kind == "around":
        os.chdir(root / "out/.git")
        return Path("..")
    return root / "out"


def place(kind: str, root: Path) -> Path:
    """Where the result is then."""
    return root / {"mount": "real", "link": "disk/real", "dangling": "disk/real"}.get(kind, "out")


def build(kind: str, root: Path, files: dict[str, str]) -> None:
    root.mkdir()
    if kind in ("link", "dangling"):
        (root / "disk").mkdir()
        (root / "out").symlink_to("disk/real")
    if kind == "mount":
        (root / "out").mkdir()
    if kind not in ("plain", "dangling") or files:
        place(kind, root).mkdir()
    fill(place(kind, root), files)


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def write(kind: str, root: Path) -> None:
    with atomic_folder(enter(kind, root), replace=True, goes=lambda name: name not in ("notes.txt", ".git")) as aside:
        fill(aside, NEW)


def put_right(kind: str, root: Path) -> None:
    restore(enter(kind, root), lambda folder: (folder / "new.bin").is_file())


@pytest.mark.medium
@pytest.mark.parametrize(("kind", "before"), [
    ("plain", {}), ("plain", OLD), *product(("plain", "link", "current", "mount", "around"), (OLD | FOREIGN,)),
    *product(("dangling", "current"), ({},))])
def test_a_place_holds_the_old_or_the_new_at_every_instant(tmp_path, kind, before):
    if kind == "mount" and not may_mount(tmp_path):
        pytest.skip("this process may not mount")
    base = tmp_path / "base"
    build(kind, base, before)
    foreign = {name: text for name, text in before.items() if name in FOREIGN}
    # A fork of the tests' large process is what costs here.
    apart = in_child if kind in ("mount", "current", "around") else lambda work, *arguments: work(*arguments)
    seen = []
    for _, root in killed_at_each_instant(base, tmp_path / "copies", lambda root: write(kind, root)):
        folder = place(kind, root)
        apart(put_right, kind, root)
        found = {name: text for name, text in contents(folder).items() if not name.startswith(".~")}
        assert found in (before, NEW | foreign)
        seen.append(found == NEW | foreign)
        apart(write, kind, root)
        assert contents(folder) == NEW | foreign
        assert [name for name in names_aside(root) if name != ".git"] == []
        assert (root / "out").is_symlink() == (kind in ("link", "dangling"))
    assert seen == sorted(seen)
    assert seen[-1] and not seen[0]


@pytest.mark.parametrize("kind", ["plain", "link", "current", "mount"])
def test_an_error_or_a_faulty_result_leaves_what_was_there(tmp_path, kind):
    if kind == "mount" and not may_mount(tmp_path):
        pytest.skip("this process may not mount")
    build(kind, tmp_path / "root", OLD)

    def fail(is_late: bool) -> str:
        def check(folder: Path) -> None:
            assert {**OLD, **contents(folder)} != OLD
            raise OSError("faulty")

        try:
            with atomic_folder(enter(kind, tmp_path / "root"), replace=True, check=check) as aside:
                fill(aside, NEW)
                assert is_late, "early"
        except (OSError, AssertionError) as error:
            return str(error).splitlines()[0]
        return ""

    for is_late, message in ((False, "early"), (True, "faulty")):
        assert in_child(fail, is_late) == message
        assert contents(place(kind, tmp_path / "root")) == OLD
        assert names_aside(tmp_path) == []


def test_another_file_system_behind_a_link(tmp_path):
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system to write to")
    place = other / f"folders-{os.getpid()}"
    (tmp_path / "out").symlink_to(place)
    try:
        for _ in range(2):
            with atomic_folder(tmp_path / "out", replace=True) as aside:
                assert aside.parent == other
                fill(aside, NEW)
        assert contents(place) == NEW and os.path.islink(tmp_path / "out")
        clear_folder(tmp_path / "out")
        assert contents(place) == {} and os.path.islink(tmp_path / "out")
    finally:
        clear_folder(place)


def test_a_folder_that_says_only_late_that_it_stays(tmp_path, monkeypatch):
    """A system without a list of mount points."""
    if not may_mount(tmp_path):
        pytest.skip("this process may not mount")
    for before in ({}, OLD):
        root = tmp_path / str(len(before))
        build("mount", root, before)

        def late(root: Path = root) -> None:
            monkeypatch.setattr("src.common.files.is_fixed", lambda _: False)
            write("mount", root)

        in_child(late)
        assert contents(root / "real") == NEW
        assert names_aside(root) == []


@pytest.mark.parametrize("parent", ["", "new/", "new/newer/"])
def test_missing_folders_are_made_and_removed_again(tmp_path, parent):
    with pytest.raises(KeyError), atomic_folder(tmp_path / f"{parent}out"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(tmp_path / f"{parent}out/") as aside:
        fill(aside, NEW)
    assert contents(tmp_path / f"{parent}out") == NEW
    refused("is not empty", atomic_folder(tmp_path / f"{parent}out").__enter__)


def test_what_systems_leave_in_an_empty_folder_stays(tmp_path):
    fill(tmp_path / "out", {"lost+found/x": "", ".DS_Store": ""})
    with atomic_folder(tmp_path / "out") as aside:
        fill(aside, NEW)
    assert contents(tmp_path / "out") == NEW | {"lost+found/x": "", ".DS_Store": ""}


def test_leftovers_of_either_way_are_cleared(tmp_path):
    fill(tmp_path, {".out.partial/half": "", "out/.~partial/half": "", "out/manifest.json": "old"})
    (tmp_path / ".out.old").symlink_to("somewhere")  # what once replaced a link
    write("plain", tmp_path)
    assert contents(tmp_path / "out") == NEW
    assert names_aside(tmp_path) == []


def test_places_that_are_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to_file").symlink_to("file")
    for given, message in (("file", "is a file"), ("file/out", "file is a file"), ("file/a/b", "file is a file"),
                           ("loop", "leads back to itself"), ("loop/out", "cannot be written"),
                           ("to_file", "is a file"), ("x" * 300, "name too long")):
        refused(message, check_folder, tmp_path / given)
        refused(message, atomic_folder(tmp_path / given, replace=True).__enter__)
    for given in ("file/x", "loop"):
        refused("cannot be written", check_file, tmp_path / given, "figure")
    refused("is a folder", check_file, tmp_path, "figure")
    for url in ("s3://bucket/x", "file:///x", Path("hdfs://n/x")):
        refused("is a URL; give a path of this machine", check_folder, url)
        refused("is a URL", check_file, url, "figure")
    assert len(list(tmp_path.iterdir())) == 3
    with atomic_folder(tmp_path / ("é" * 127)) as aside:  # 254 bytes
        fill(aside, NEW)
    assert contents(tmp_path / ("é" * 127)) == NEW


def test_mounts_that_are_refused(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("this process may not mount")
    fill(tmp_path / "out", OLD | {"data/x": ""})

    def read_only() -> None:
        own_mounts()
        mount(tmp_path / "out", tmp_path / "out", _BIND | _READ_ONLY)
        refused("no permission to write to", check_folder, tmp_path / "out/new")
        refused("no permission to write to", check_folder, tmp_path / "out")

    def below() -> None:
        own_mounts()
        mount(tmp_path / "out", tmp_path / "out")
        mount(tmp_path / "out/data", tmp_path / "out/data")
        refused("out/data in it is a mount point", check_folder, tmp_path / "out")

    for work in (read_only, below):
        in_child(work)


def test_the_current_folder_is_gone(tmp_path):
    def work() -> None:
        os.chdir(tmp_path)
        tmp_path.rmdir()
        refused("current folder, which has been removed", check_folder, "out")
        refused("current folder, which has been removed", check_folder, ".")

    in_child(work)


def test_files_of_every_kind(tmp_path, capfd):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    for text in ("one", "two"):
        write_text(tmp_path / "link", text)
        assert (tmp_path / "real/file").read_text() == text
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(KeyError), atomic_file(tmp_path / "link") as aside:
        aside.write_text("half")
        raise KeyError
    assert contents(tmp_path / "real") == {"file": "two"}
    write_text(Path("/dev/null"), "nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    write_text(Path("/dev/stdout"), "shown")
    assert capfd.readouterr().out == "shown"
    write_text(tmp_path / ("x" * 255), "long")
    with pytest.raises(NotADirectoryError):
        write_text(tmp_path / "real/file/x", "")
    assert names_aside(tmp_path) == []


def test_a_file_that_is_mounted(tmp_path):
    """As containers mount single files."""
    if not may_mount(tmp_path):
        pytest.skip("this process may not mount")
    fill(tmp_path, {"host": "old and longer", "file": ""})

    def work() -> None:
        own_mounts()
        mount(tmp_path / "host", tmp_path / "file")
        write_text(tmp_path / "file", "new")

    in_child(work)
    assert contents(tmp_path) == {"host": "new", "file": ""}
