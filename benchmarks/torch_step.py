# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The distillation steps in PyTorch, the same mathematics as src/train/step.py, to compare speeds with.

Written as one writes PyTorch for speed: no gradient graph for the teacher, fused AdamW, foreach clipping.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn


class Layer(nn.Module):
    """One post-norm transformer layer that also returns its attention scores."""

    def __init__(self, hidden: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.heads, self.head_dim, self.dropout = heads, hidden // heads, dropout
        self.query, self.key, self.value, self.attended = (nn.Linear(hidden, hidden) for _ in range(4))
        self.up, self.down = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=1e-12) for _ in range(2))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)  # (B, heads, S, head_dim)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(self.head_dim)
        weights = F.dropout(torch.softmax(scores + bias, -1), self.dropout, self.training)
        context = torch.matmul(weights, value).transpose(1, 2).reshape(x.shape)
        x = self.norms[0](x + F.dropout(self.attended(context), self.dropout, self.training))
        inner = self.down(F.gelu(self.up(x)))
        return self.norms[1](x + F.dropout(inner, self.dropout, self.training)), scores


class Bert(nn.Module):
    """Encoder, pooler and a classifier of two classes."""

    def __init__(self, vocab: int, layers: int, hidden: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.words, self.positions, self.types = (nn.Embedding(n, hidden) for n in (vocab, 512, 2))
        self.norm, self.dropout = nn.LayerNorm(hidden, eps=1e-12), dropout
        self.layers = nn.ModuleList(Layer(hidden, heads, inner, dropout) for _ in range(layers))
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, 2)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> tuple:
        embedded = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]] + self.types(types))
        bias = ((1.0 - mask.float()) * -10000.0)[:, None, None, :]
        x, hidden, scores = F.dropout(embedded, self.dropout, self.training), [embedded], []
        for layer in self.layers:
            x, layer_scores = layer(x, bias)
            hidden.append(x)
            scores.append(layer_scores)
        pooled = torch.tanh(self.pooler(x[:, 0]))
        return self.classifier(F.dropout(pooled, self.dropout, self.training)), hidden, scores


class Step:
    """One training step of `general_distill`, `task_distill_phase1` or `task_distill_phase2`.

    Args:
        phase: see above; the first two compute the same.
        teacher, student: vocabulary, layers, hidden, heads, inner.
    """

    def __init__(self, phase: str, teacher: tuple[int, ...], student: tuple[int, ...]):
        self.on_layers = phase != "task_distill_phase2"
        self.teacher = Bert(*teacher, 0.0).eval().requires_grad_(False)
        self.student = Bert(*student, 0.1).train()
        self.projection = nn.Linear(student[2], teacher[2])
        self.every = teacher[1] // student[1]
        trained = [self.student, self.projection] if self.on_layers else [self.student]
        if self.on_layers:
            self.student.pooler.requires_grad_(False)
            self.student.classifier.requires_grad_(False)
        self.parameters = [p for module in trained for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=5e-5, weight_decay=1e-4, fused=True)

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> float:
        with torch.no_grad():
            teacher = self.teacher(ids, mask, types)
        student = self.student(ids, mask, types)
        loss = self.layer_loss(student, teacher, mask.float()) if self.on_layers else (
            -(torch.softmax(teacher[0], -1) * torch.log_softmax(student[0], -1)).sum(-1).mean())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        gradients = [p.grad for p in self.parameters]
        norms = torch._foreach_norm(gradients)
        if torch.isfinite(torch.stack(norms)).all():
            torch._foreach_mul_(gradients, [1.0 / torch.clamp(norm, min=1.0) for norm in norms])
            self.optimizer.step()
        return loss.item()

    def layer_loss(self, student: tuple, teacher: tuple, mask: torch.Tensor) -> torch.Tensor:
        """attention_mse + hidden_mse with reduction `masked`."""
        pairs = mask[:, None, :, None] * mask[:, None, None, :]
        count = pairs.sum() * student[2][0].shape[1]
        loss = sum((pairs * (own - teacher[2][(index + 1) * self.every - 1]) ** 2).sum() / count
                   for index, own in enumerate(student[2]))
        tokens = mask[:, :, None]
        for index, own in enumerate(student[1]):
            target = teacher[1][index * self.every]
            loss = loss + (tokens * (self.projection(own) - target) ** 2).sum() / (tokens.sum() * target.shape[2])
        return loss
