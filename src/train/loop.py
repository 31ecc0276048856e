# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""One training stage from its first step, or the last checkpoint, to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from src.checkpoints.run_folder import RunFolder
from src.common.errors import Diverged, Interrupted, NotSaved, TrainingError, UserError, one_line
from src.config import Config
from src.device import Device, barrier
from src.train.callbacks import Progress
from src.train.session import Session
from src.train.signals import stop_on_signal
from src.train.stage import Stage


def train(stage: Stage, config: Config, device: Device, run: RunFolder) -> Progress:
    """Run a stage, or what is left of it after its last checkpoint; the result is `run.model`.

    Of several processes the first one reads and writes the run's folder; what it leaves is there when any returns.

    Raises:
        UserError: the data is smaller than a batch or has a bad record, no checkpoint fits or can be read, or the
            place cannot be written from the start.
        TrainingError: the run diverged again and again, MindSpore failed, or something could not be saved; the last
            checkpoint can be continued.
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    with run.open():
        barrier(device)
        session = Session(stage, config, device, run)
        if session.is_done:
            device.say(f"{stage.name}: {session.done} are done already ({run.path})")
            return session.progress
        with stop_on_signal(device) as stop:
            _start(session)
            with _saved_at_the_end(session):
                session.run(stop)
                stop.check()  # for one that came after the last step
            barrier(device)
    return session.progress


def _start(session: Session) -> None:
    """Write the first checkpoint; nothing is lost when that fails."""
    try:
        session.start()
    except NotSaved as error:
        raise UserError(str(error)) from error


@contextmanager
def _saved_at_the_end(session: Session) -> Iterator[None]:
    """Write a checkpoint of the last complete step, whatever ends the training.

    Not where the parameters may be half updated, or something could not be saved: then the last checkpoint is what is
    left. What a stage that diverges has come to is worth nothing.
    """
    try:
        yield
    except NotSaved:
        raise
    except TrainingError:
        barrier(session.device)  # raised by all processes at the same step, and the end of one ends the others
        raise
    except Interrupted:
        with suppress(Diverged):
            session.save_checkpoint()
        barrier(session.device)
        raise
    except UserError:
        session.save_checkpoint()
        raise
    except OSError as error:  # such as a log on a full disk, or a pipe that nobody reads any more
        session.save_checkpoint()
        raise session.not_saved(error) from error
    except RuntimeError as error:
        how = "is as it was"
        if not session.is_inside_a_step:
            session.save_checkpoint()
            how = "was saved"
        raise TrainingError(f"{session.stage.name}: MindSpore failed after step {session.step}: "
                            f"{one_line(error)[:400]}; the checkpoint {session.run_folder.store.newest()} {how}, run "
                            "the same command to continue") from error
