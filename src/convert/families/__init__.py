# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The model families of transformers: names, settings and model classes of each, as data. A family is a file here and
a name in `FAMILIES`."""

from src.common.errors import UserError
from src.config import ModelConfig
from src.convert.families.bert import BERT
from src.convert.families.distilbert import DISTILBERT
from src.convert.families.family import Family
from src.convert.families.gpt2 import GPT2
from src.convert.families.roberta import ROBERTA

FAMILIES = {family.model_type: family for family in (BERT, DISTILBERT, ROBERTA, GPT2)}


def family_of(config: ModelConfig) -> Family:
    """Return the family of a transformer.

    Raises:
        UserError: one that is not built here.
    """
    if config.family not in FAMILIES:
        raise UserError(f"the model is of the family {config.family!r} (family in config.json); expected one of "
                        f"{', '.join(FAMILIES)}")
    return FAMILIES[config.family]
