# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Heads, feed-forward units and layers that matter least, and tokens that a text does not use, cut out of a model.

    importance   what the loss would lose without each, to first order
    cut          which are kept, and a model without the others
    prune        from a checkpoint to a checkpoint: what `convert_checkpoint.py prune` does
    counted_text how often a text holds each token
    vocabulary   what `convert_checkpoint.py prune-vocabulary` does
    token_vectors  a teacher's embeddings of single tokens, reduced and weighted
    static       a table of these in the place of the model: what `convert_checkpoint.py static` does
"""
