# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Uploading to the Hugging Face hub, with the token that its own tools have stored (HF_TOKEN, `hf auth login`)."""

from __future__ import annotations

from pathlib import Path

from src.common.errors import UserError, one_line, redact


def check_repository(name: str) -> None:
    """Raise `UserError` where a folder cannot be uploaded to the repository `name`, as far as can be told from here."""
    from huggingface_hub import get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"push_to_hub is {name!r:.100}, which is no name of a repository ({one_line(error)[:160]}); "
                        "expected OWNER/NAME") from error
    if not get_token():
        raise UserError("push_to_hub needs a token of the Hugging Face hub, and there is none; log in (hf auth login) "
                        "or set HF_TOKEN, or leave --push_to_hub out")


def push(folder: Path, name: str) -> str:
    """Upload a folder as a repository, which is made where it is not there; returns its address.

    Raises:
        UserError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        address = api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=address.repo_id, folder_path=folder, commit_message="Upload a bundle")
    except Exception as error:  # noqa: BLE001 - network, HTTP and hub errors of three libraries, without a common base
        reason = f"{type(error).__name__}: {redact(one_line(error))}"[:240]
        raise UserError(f"{folder} is written, but could not be uploaded to {name} ({reason}); check the network, the "
                        f"name and the rights of the token, then: hf upload {name} {folder}") from error
    return str(address)
