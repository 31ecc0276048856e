# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of Ascend and GPU: which go together, and that MindSpore is told them. No device is needed."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import mindspore as ms
import pytest

from src import device
from src.config import DeviceConfig, load_config, parse
from src.device import local_device
from src.train.stage import steps_a_sink
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[2]


def settings(**changes: Any) -> DeviceConfig:
    return dataclasses.replace(load_config().device, **changes)


@pytest.mark.parametrize(("changes", "message"), [
    ({"device_target": "CPU", "max_device_memory": "30GB"},
     "max_device_memory is 30GB, which Ascend and GPU can take, and the device is CPU; leave max_device_memory empty"),
    ({"device_target": "CPU", "memory_optimize_level": "O0"}, "memory_optimize_level is O0, which Ascend and GPU"),
    ({"device_target": "GPU", "precision_mode": "force_fp16"}, "precision_mode is force_fp16, which Ascend can take"),
    ({"device_target": "GPU", "hccl_connect_timeout": 600}, "hccl_connect_timeout is 600, which Ascend can take"),
    ({"device_target": "GPU", "jit_level": "O2"}, "jit_level is O2, which Ascend can take, and the device is GPU"),
    ({"max_device_memory": "30"}, "write it as 30GB or 3.5GB"),
    ({"max_device_memory": "0GB"}, "write it as 30GB"),
    ({"max_device_memory": "0.0GB"}, "write it as 30GB"),
    ({"max_device_memory": "30gb"}, "write it as 30GB"),
    ({"max_device_memory": "30GB\n"}, "write it as 30GB"),
    ({"hccl_connect_timeout": 60}, "HCCL takes 120 to 7200 seconds"),
    ({"hccl_connect_timeout": 7201}, "HCCL takes 120 to 7200 seconds"),
])
def test_refused(changes: dict[str, Any], message: str) -> None:
    refused(message, settings, **changes)


@pytest.mark.parametrize("changes", [
    {"device_target": "Ascend", "max_device_memory": "30GB", "memory_optimize_level": "O1", "jit_level": "O2",
     "precision_mode": "allow_fp32_to_fp16", "hccl_connect_timeout": 120},
    {"device_target": "GPU", "max_device_memory": "0.5GB", "memory_optimize_level": "O0", "jit_level": "O1"},
    {"device_target": "CPU", "jit_level": "O1"},
    {"device_target": "auto", "max_device_memory": "30GB"},
])
def test_accepted(changes: dict[str, Any]) -> None:
    assert settings(**changes)


def test_what_auto_chose_is_asked_too() -> None:
    chosen = settings(device_target="auto", max_device_memory="30GB")
    chosen.require_supported("GPU")
    refused("and the device is CPU", chosen.require_supported, "CPU")


@pytest.mark.parametrize("memory", ["1GB", "30GB", "3.5GB", "0.25GB", "100.75GB"])
def test_sizes_are_those_that_mindspore_reads(memory: str) -> None:
    assert settings(max_device_memory=memory)
    ms.runtime.memory._check_memory_conf_valid(memory)


def test_mindspore_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(device.context, "set_context", lambda **values: told.append(("context", values)))
    monkeypatch.setattr(ms.runtime, "set_memory", lambda **values: told.append(("memory", values)))
    monkeypatch.setattr(ms.device_context.ascend.op_precision, "precision_mode",
                        lambda mode: told.append(("precision", mode)))
    monkeypatch.delenv("HCCL_CONNECT_TIMEOUT", raising=False)
    device._tune(settings())
    assert told == [] and "HCCL_CONNECT_TIMEOUT" not in os.environ

    device._tune(settings(jit_level="O1", max_device_memory="30GB", precision_mode="force_fp32"))
    assert told == [("context", {"jit_config": {"jit_level": "O1"}}), ("memory", {"max_size": "30GB"}),
                    ("precision", "force_fp32")]

    # monkeypatch removes the variable again, because it has seen it before.
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "1800")
    device._tune(settings(hccl_connect_timeout=600))
    assert os.environ["HCCL_CONNECT_TIMEOUT"] == "1800"
    monkeypatch.delenv("HCCL_CONNECT_TIMEOUT")
    device._tune(settings(hccl_connect_timeout=600))
    assert os.environ["HCCL_CONNECT_TIMEOUT"] == "600"


def test_compiled_graphs_of_other_settings_sources_and_devices_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MS_COMPILER_CACHE_ENABLE", "MS_COMPILER_CACHE_PATH"):
        monkeypatch.setenv(name, "")  # so that monkeypatch removes it again
    device._use_compile_cache("run/compile_cache/0123", "GPU")
    assert re.fullmatch(rf"run/compile_cache/0123-[0-9a-f]{{12}}-{re.escape(ms.__version__)}-GPU",
                        os.environ["MS_COMPILER_CACHE_PATH"])


@pytest.mark.parametrize(("environment", "number"), [
    ({"DEVICE_ID": "3"}, 3), ({"OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2), ({}, None), ({"DEVICE_ID": ""}, None),
    ({"DEVICE_ID": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2), ({"DEVICE_ID": "x"}, None),
])
def test_each_process_takes_its_own_device(environment: dict[str, str], number: int | None) -> None:
    assert local_device(environment) == number


@pytest.mark.parametrize(("left", "most", "steps"), [
    (1000, 100, 100), (1186, 100, 2), (90, 100, 90), (97, 100, 97), (101, 100, 1), (7, 1, 1), (0, 100, 1),
])
def test_a_sink_leaves_no_rest(left: int, most: int, steps: int) -> None:
    assert steps_a_sink(left, most) == steps


RECIPES = {"run_general_distill.py": "tinybert_gd", "run_task_distill.py": "tinybert_td",
           "run_finetune.py": "tinybert_finetune"}


@pytest.mark.parametrize("target", ["Ascend", "GPU"])
@pytest.mark.parametrize("entry", RECIPES)
def test_recipes_of_a_device(entry: str, target: str) -> None:
    """What the distributed scripts give: a recipe, the device's settings over it, and the command line."""
    paths = [REPOSITORY / "configs" / f"{name}.yaml" for name in (RECIPES[entry], target.lower())]
    config = parse(entry, [*(f"--config_path={path}" for path in paths), "--distribute", "true", "--device_num", "8",
                           "--device_target", target, "--save_ckpt_path", "x", "--epoch_size", "4"])
    assert (config.device.device_target, config.device.device_num) == (target, 8)
    assert config.device.compute_type == "float16" and config.data.enable_data_sink
    assert config.data.data_sink_steps == 100
    stages = {"run_general_distill.py": config.general_distill, "run_finetune.py": config.finetune,
              "run_task_distill.py": config.task_distill.phase1}
    assert stages[entry].epoch_size == 4


@pytest.mark.parametrize("name", ["ascend", "gpu"])
def test_the_head_says_what_has_not_been_run(name: str) -> None:
    head = (REPOSITORY / f"configs/{name}.yaml").read_text().partition("\ndevice:")[0]
    assert "None of it has been run" in head and "MindSpore 2.10" in head


def test_a_line_is_printed_once_for_all_processes(capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (1, 0):
        device.Device("CPU", ms.float32, sink=False, rank=rank, ranks=2).say(f"of rank {rank}")
    assert capsys.readouterr().out == "of rank 0\n"


def test_what_mindspore_says_of_cann_is_shown_by_one_process(monkeypatch: pytest.MonkeyPatch,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(device, "_choose", lambda *_: "Ascend")
    monkeypatch.setattr(device.context, "set_context", lambda **_: None)
    monkeypatch.setattr(device, "cann_warning", lambda: "another CANN")
    for rank in (1, 0):
        monkeypatch.setattr(device, "_join", lambda number, rank=rank: (rank, number))
        device.set_up_device(settings(device_target="Ascend", distribute=True, device_num=2), seed=1)
    assert capsys.readouterr().out == "MindSpore warns: another CANN\n"
