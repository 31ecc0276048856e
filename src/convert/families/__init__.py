# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The model families of transformers: names, settings and model classes of each, as data. A family is a file here and
a name in `FAMILIES`."""

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig
from src.convert.families.albert import ALBERT
from src.convert.families.bert import BERT
from src.convert.families.distilbert import DISTILBERT
from src.convert.families.electra import ELECTRA
from src.convert.families.ernie import ERNIE
from src.convert.families.family import Family
from src.convert.families.gpt2 import GPT2
from src.convert.families.modernbert import MODERNBERT
from src.convert.families.roberta import ROBERTA
from src.convert.families.xlm_roberta import XLM_ROBERTA

FAMILIES = {family.model_type: family for family in (
    BERT, DISTILBERT, ROBERTA, XLM_ROBERTA, ELECTRA, ALBERT, ERNIE, MODERNBERT, GPT2)}


def family_of(config: ModelConfig) -> Family:
    """Return the family of a transformer.

    Raises:
        UserError: one that is not built here.
    """
    if config.family not in FAMILIES:
        raise UserError(f"the model is of the family {config.family!r} (family in config.json); expected one of "
                        f"{', '.join(FAMILIES)}")
    return FAMILIES[config.family]


def student_family(teacher: ModelConfig, encoder: EncoderConfig) -> str:
    """Return the family of a new student: its teacher's where that has such models, else "", as its settings tell."""
    family = FAMILIES.get(teacher.family)
    return family.model_type if family is not None and family.has(encoder) else ""
