# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The distillation steps in PyTorch, the same mathematics as src/train/step.py, to compare speeds with.

Written as one writes PyTorch for speed: no gradient graph for the teacher, fused AdamW, foreach clipping; where no
attention scores are compared its fused attention, and logits of the selected tokens only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

from common import HEADS, VOCABULARY


class Layer(nn.Module):
    """One post-norm transformer layer, which also returns its attention scores where they are asked for."""

    def __init__(self, hidden: int, inner: int, dropout: float):
        super().__init__()
        self.head_dim, self.dropout = hidden // HEADS, dropout
        self.query, self.key, self.value, self.attended = (nn.Linear(hidden, hidden) for _ in range(4))
        self.up, self.down = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=1e-12) for _ in range(2))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], HEADS, self.head_dim).transpose(1, 2)  # (B, heads, S, head_dim)

    def forward(self, x: torch.Tensor, bias: torch.Tensor, with_scores: bool) -> tuple:
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        dropout, scores = self.dropout if self.training else 0.0, None
        if with_scores:
            scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(self.head_dim)
            context = torch.matmul(F.dropout(torch.softmax(scores + bias, -1), dropout), value)
        else:
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        attended = self.attended(context.transpose(1, 2).reshape(x.shape))
        x = self.norms[0](x + F.dropout(attended, dropout))
        inner = self.down(F.gelu(self.up(x)))
        return self.norms[1](x + F.dropout(inner, dropout)), scores


class Bert(nn.Module):
    """Embeddings, layers, and a classifier of two classes or, where the number of token `types` is given, the head of
    masked language modelling, whose decoder is the word embeddings."""

    def __init__(self, shape: tuple[int, int, int], dropout: float, types: int | None):
        super().__init__()
        layers, hidden, inner = shape
        self.words, self.positions = nn.Embedding(VOCABULARY, hidden), nn.Embedding(512, hidden)
        self.types = None if types == 0 else nn.Embedding(2, hidden)
        self.norm, self.dropout = nn.LayerNorm(hidden, eps=1e-12), dropout
        self.layers = nn.ModuleList(Layer(hidden, inner, dropout) for _ in range(layers))
        self.dense = nn.Linear(hidden, hidden)
        if types is None:
            self.classifier = nn.Linear(hidden, 2)
        else:
            self.head_norm, self.bias = nn.LayerNorm(hidden, eps=1e-12), nn.Parameter(torch.zeros(VOCABULARY))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=0.02)

    def encode(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor, with_scores: bool,
               depth: int | None = None) -> tuple:
        """Return hidden states 0..L and attention scores 1..L, of the first `depth` layers or of all."""
        embedded = self.words(ids) + self.positions.weight[: ids.shape[1]]
        embedded = self.norm(embedded if self.types is None else embedded + self.types(types))
        bias = ((1.0 - mask.float()) * -10000.0)[:, None, None, :]
        x, hidden, scores = F.dropout(embedded, self.dropout, self.training), [embedded], []
        for layer in self.layers[:depth]:
            x, layer_scores = layer(x, bias, with_scores)
            hidden.append(x)
            scores.append(layer_scores)
        return hidden, scores

    def related(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> list[torch.Tensor]:
        """Return queries, keys and values (B, S, H) of the last layer, of which nothing else is computed."""
        x, last = self.encode(ids, mask, types, False, -1)[0][-1], cast(Layer, self.layers[-1])
        return [last.query(x), last.key(x), last.value(x)]

    def classify(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> tuple:
        """Return logits (B, 2), hidden states and attention scores."""
        hidden, scores = self.encode(ids, mask, types, True)
        pooled = torch.tanh(self.dense(hidden[-1][:, 0]))
        return self.classifier(F.dropout(pooled, self.dropout, self.training)), hidden, scores

    def predict(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> tuple:
        """Return logits (K, V) and last hidden states (K, H) of the real tokens."""
        last = self.encode(ids, mask, types, False)[0][-1][mask.bool()]
        return F.linear(self.head_norm(F.gelu(self.dense(last))), self.words.weight, self.bias), last


def make_step(phase: str, teacher_shape: tuple[int, int, int],
              student_shape: tuple[int, int, int]) -> Callable[..., float]:
    """Return what trains one step of a phase of benchmarks/step_time.py on a batch's tensors, and returns the loss.

    In `distil` the student has no token types (DistilBERT), and labels and predicted tokens follow the batch.
    """
    is_distil, relates = phase == "distil", phase == "relations"
    on_layers = phase in ("general_distill", "task_distill_phase1")
    teacher = Bert(teacher_shape, 0.0, 2 if is_distil else None).eval().requires_grad_(False)
    student = Bert(student_shape, 0.1, 0 if is_distil else None).train()
    projection = nn.Linear(student_shape[1], teacher_shape[1]).requires_grad_(on_layers)
    if on_layers or relates:
        student.dense.requires_grad_(False)
        student.classifier.requires_grad_(False)
    if relates:
        for unread in (student.layers[-1].attended, student.layers[-1].up, student.layers[-1].down,
                       student.layers[-1].norms):
            unread.requires_grad_(False)
    parameters = [p for module in (student, projection) for p in module.parameters() if p.requires_grad]
    optimizer = (torch.optim.AdamW(parameters, 5e-4, (0.9, 0.98), 1e-6, weight_decay=0.0, fused=True) if is_distil
                 else torch.optim.AdamW(parameters, 5e-5, weight_decay=1e-4, fused=True))

    def loss_of(batch: list[torch.Tensor], labels: list[torch.Tensor]) -> torch.Tensor:
        if is_distil:
            with torch.no_grad():
                its = teacher.predict(*batch)
            return token_loss(student.predict(*batch), its, batch[1].bool(), *labels)
        if relates:
            with torch.no_grad():
                related = teacher.related(*batch)
            return relation_loss(student.related(*batch), related, batch[1].float())
        with torch.no_grad():
            its = teacher.classify(*batch)
        own = student.classify(*batch)
        if on_layers:
            return layer_loss(own, its, batch[1].float(), projection)
        return -(torch.softmax(its[0], -1) * torch.log_softmax(own[0], -1)).sum(-1).mean()

    def step(*tensors: torch.Tensor) -> float:
        loss = loss_of(list(tensors[:3]), list(tensors[3:]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if is_distil:
            norms = torch.nn.utils.clip_grad_norm_(parameters, 5.0, foreach=True)
        else:
            gradients = [p.grad for p in parameters if p.grad is not None]
            norms = torch.stack(torch._foreach_norm(gradients))
            for gradient, norm in zip(gradients, norms, strict=True):
                gradient.div_(norm.clamp(min=1.0))
        if torch.isfinite(norms).all():
            optimizer.step()
        return loss.item()

    return step


def layer_loss(student: tuple, teacher: tuple, mask: torch.Tensor, projection: nn.Module) -> torch.Tensor:
    """attention_mse + hidden_mse with reduction `masked`."""
    every = len(teacher[2]) // len(student[2])
    pairs = mask[:, None, :, None] * mask[:, None, None, :]
    count = pairs.sum() * HEADS
    loss = sum((pairs * (own - teacher[2][(index + 1) * every - 1]) ** 2).sum() / count
               for index, own in enumerate(student[2]))
    tokens = mask[:, :, None]
    for index, own in enumerate(student[1]):
        target = teacher[1][index * every]
        loss = loss + (tokens * (projection(own) - target) ** 2).sum() / (tokens.sum() * target.shape[2])
    return loss


def relation_loss(student: list, teacher: list, mask: torch.Tensor, heads: int = 48) -> torch.Tensor:
    """query_relations + key_relations + value_relations."""
    bias = ((1.0 - mask) * -10000.0)[:, None, None, :]

    def log_relations(x: torch.Tensor) -> torch.Tensor:
        x = x.view(*x.shape[:2], heads, -1).transpose(1, 2)
        return torch.log_softmax(x @ x.transpose(-1, -2) / math.sqrt(x.shape[3]) + bias, -1)

    weight = mask[:, None, :, None] / (mask.sum() * heads)
    return torch.stack([(weight * F.kl_div(log_relations(own), log_relations(its), reduction="none", log_target=True)
                         ).sum() for own, its in zip(student, teacher, strict=True)]).sum()


def token_loss(student: tuple, teacher: tuple, tokens: torch.Tensor, labels: torch.Tensor,
               predicted: torch.Tensor) -> torch.Tensor:
    """5 ce + 2 mlm + cos at temperature 2."""
    (own, last), (its, its_last) = student, teacher
    target = torch.softmax(its / 2.0, -1)
    ce = F.kl_div(torch.log_softmax(own / 2.0, -1), target, reduction="batchmean") * 4.0
    mlm = F.cross_entropy(own[predicted[tokens]], labels[predicted])
    return 5.0 * ce + 2.0 * mlm + F.cosine_embedding_loss(last, its_last, torch.ones(len(last)))
