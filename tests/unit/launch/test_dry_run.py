# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What --dry_run prints of commands and ranks, word for word: golden/dry_run_*.txt.

In those of the scripts ROOT stands for the repository, TABLE for the rank table, BIN for the folder of this Python.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from src.launch import launch
from src.launch.hosts import Host, hosts_of_list, hosts_of_table
from src.launch.rank_table import generate, merge, parse
from tests.unit.launch.test_launch import REPOSITORY, run_script

GOLDEN = Path(__file__).parent / "golden"
TABLE = "/path/hccl.json"


def ascend(*servers: tuple[int, ...]) -> tuple[Host, ...]:
    """The hosts of a table whose servers have the given devices."""
    tables = [(f"server{s}.json", generate(f"10.0.0.{s + 1}", {d: f"192.{s + 1}.27.{d + 6}" for d in devices}))
              for s, devices in enumerate(servers)]
    table = merge(tables) if len(tables) > 1 else tables[0][1]
    return hosts_of_table(parse(table, TABLE), TABLE)


EIGHT, ODD = tuple(range(8)), (2, 5, 7)
HOSTS = {
    "ascend_1x8": ("Ascend", lambda: ascend(EIGHT)),
    "ascend_2x8": ("Ascend", lambda: ascend(EIGHT, EIGHT)),
    "ascend_1x3": ("Ascend", lambda: hosts_of_list("127.0.0.1", "Ascend", 3, "2,5,7")),
    "ascend_2x3": ("Ascend", lambda: ascend(ODD, (0, 1, 2))),
    "gpu_1x8": ("GPU", lambda: hosts_of_list("127.0.0.1", "GPU", 8, None)),
    "gpu_2x8": ("GPU", lambda: hosts_of_list("10.0.0.1,10.0.0.2", "GPU", 16, None)),
    "gpu_1x3": ("GPU", lambda: hosts_of_list("127.0.0.1", "GPU", 3, "2,5,7")),
    "gpu_2x3": ("GPU", lambda: hosts_of_list("node-a,node-b", "GPU", 6, "2,5,7,1")),
}


@pytest.mark.parametrize("name", HOSTS)
def test_description(name: str) -> None:
    target, hosts = HOSTS[name][0], HOSTS[name][1]()
    has_table = target == "Ascend" and hosts[0].address != "127.0.0.1"
    job = launch.Job(target, sum(host.local_worker_num for host in hosts), "train.py", ("--epoch_size", "1"), "out/log",
                     8118, TABLE if has_table else None, bind=True)
    inherited = {"PATH": "/usr/bin:/bin", "HOME": "/root", "NCCL_SOCKET_IFNAME": "eth 0", "HCCL_CONNECT_TIMEOUT": "600"}
    printed = launch.describe(job, hosts, "/venv/bin/python", inherited)
    assert printed == (GOLDEN / f"dry_run_{name}.txt").read_text().rstrip("\n")


SCRIPTS = {
    "gd_ascend": (("16", "1", TABLE, "--dry_run", "--offline", "--no_bind"), {}),
    "td_ascend": (("16", "3", TABLE, "--no_bind", "--dry_run", "--offline", "--", "--task_name", "SST-2"),
                  {"DEVICE_CONFIG": "none"}),
    "gd_cpu": (("2", "--dry_run", "--offline", "3", "/data/", "/schema.json", "/teacher", "--", "--batch_size", "4"),
               {}),
    "td_cpu": (("2", "3", "--offline", "--dry_run"), {}),
    "gd_gpu": (("8", "1", "/path/data/", "/path/schema.json", "/path/teacher", "--no_bind", "--dry_run", "--offline"),
               {}),
    "finetune_gpu": (("6", "3", "--dry_run", "--offline", "--no_bind", "--", "--task_name", "MRPC"),
                     {"HOSTS": "10.0.0.1,10.0.0.2", "CUDA_VISIBLE_DEVICES": "2,5,7"}),
}


@pytest.mark.medium
@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, tmp_path: Path) -> None:
    arguments, environment = SCRIPTS[name]
    table = tmp_path / "hccl.json"
    table.write_text(json.dumps(merge([
        (f"server{s}.json", generate(f"10.0.0.{s}", {d: f"192.{s}.27.{d + 6}" for d in EIGHT}))
        for s in (1, 2)])))
    result = run_script(f"run_distributed_{name}.sh", *(str(table) if a == TABLE else a for a in arguments),
                        cwd=tmp_path, MASTER_PORT="8118", **environment)
    assert result.returncode == 0, result.stderr
    own = REPOSITORY / ".venv/bin"
    folder = own if own.is_dir() else Path(sys.executable).parent
    printed = result.stdout
    for text, name_of_it in ((table, "TABLE"), (folder, "BIN"), (REPOSITORY, "ROOT")):
        printed = printed.replace(str(text), name_of_it)
    assert printed == (GOLDEN / f"dry_run_script_{name}.txt").read_text()


@pytest.mark.medium
def test_what_looks_like_shell_stays_text(tmp_path: Path) -> None:
    """Paths and settings reach the command as they are, whatever a shell would make of them."""
    folder = tmp_path / "it's a \"$(touch hacked)\" `touch hacked`; touch hacked"
    folder.mkdir()
    names = [str(folder / name) for name in ("data", "schema $HOME.json", "teacher\n2")]
    Path(names[1]).touch()  # else its $HOME would be taken for a mistake
    recipe = folder / "my $(touch hacked).yaml"
    recipe.write_text("seed: 1\n")
    settings = ["--save_ckpt_path", "$(touch hacked)", "--teacher.load_teacher_ckpt_path", "a; touch hacked",
                "--student_pretrained_weights", "*"]
    result = run_script("run_distributed_gd_gpu.sh", "1", "1", *names, "--no_bind", "--dry_run", "--offline", "--",
                        *settings, cwd=folder, CONFIG=recipe.name, DEVICE_CONFIG="none")
    assert result.returncode == 0, result.stderr
    command = shlex.split(result.stdout.partition("\ncommand: ")[2].partition("\nenvironment: ")[0])
    command = command[command.index("run_general_distill.py"):]
    assert command[1:3] == ["--config_path", str(recipe)]
    assert command[command.index("--data_dir"):] == [
        "--data_dir", names[0], "--schema_dir", names[1], "--load_teacher_ckpt_path", names[2], *settings]
    assert not [path for path in tmp_path.rglob("*") if path.name == "hacked"]
    assert {*folder.iterdir()} == {recipe, Path(names[1])}
