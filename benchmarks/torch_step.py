# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The distillation steps in PyTorch, the same mathematics as src/train/step.py, to compare speeds with.

Written as one writes PyTorch for speed: no gradient graph for the teacher, fused AdamW, foreach clipping; where no
attention scores are compared its fused attention, and logits of the selected tokens only.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

Sizes = tuple[int, int, int, int, int]
"""Vocabulary, layers, width, heads, inner width."""


class Layer(nn.Module):
    """One post-norm transformer layer, which also returns its attention scores where they are asked for."""

    def __init__(self, hidden: int, heads: int, inner: int, dropout: float):
        super().__init__()
        self.heads, self.head_dim, self.dropout = heads, hidden // heads, dropout
        self.query, self.key, self.value, self.attended = (nn.Linear(hidden, hidden) for _ in range(4))
        self.up, self.down = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=1e-12) for _ in range(2))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)  # (B, heads, S, head_dim)

    def forward(self, x: torch.Tensor, bias: torch.Tensor, with_scores: bool = True) -> tuple:
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


class Encoder(nn.Module):
    """Embeddings, with token types or without, and layers."""

    def __init__(self, vocab: int, layers: int, hidden: int, heads: int, inner: int, dropout: float, types: int = 2):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocab, hidden), nn.Embedding(512, hidden)
        self.types = nn.Embedding(types, hidden) if types else None
        self.norm, self.dropout = nn.LayerNorm(hidden, eps=1e-12), dropout
        self.layers = nn.ModuleList(Layer(hidden, heads, inner, dropout) for _ in range(layers))

    def start(self) -> None:
        """Draw the weights."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=0.02)

    def encode(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor, with_scores: bool) -> tuple:
        """Return hidden states 0..L and attention scores 1..L."""
        embedded = self.words(ids) + self.positions.weight[: ids.shape[1]]
        embedded = self.norm(embedded if self.types is None else embedded + self.types(types))
        bias = ((1.0 - mask.float()) * -10000.0)[:, None, None, :]
        x, hidden, scores = F.dropout(embedded, self.dropout, self.training), [embedded], []
        for layer in self.layers:
            x, layer_scores = layer(x, bias, with_scores)
            hidden.append(x)
            scores.append(layer_scores)
        return hidden, scores


class Bert(Encoder):
    """Encoder, pooler and a classifier of two classes."""

    def __init__(self, vocab: int, layers: int, hidden: int, heads: int, inner: int, dropout: float):
        super().__init__(vocab, layers, hidden, heads, inner, dropout)
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, 2)
        self.start()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> tuple:
        hidden, scores = self.encode(ids, mask, types, True)
        pooled = torch.tanh(self.pooler(hidden[-1][:, 0]))
        return self.classifier(F.dropout(pooled, self.dropout, self.training)), hidden, scores


class MaskedLm(Encoder):
    """Encoder and masked-LM head, whose decoder is the word embeddings."""

    def __init__(self, vocab: int, layers: int, hidden: int, heads: int, inner: int, dropout: float, types: int):
        super().__init__(vocab, layers, hidden, heads, inner, dropout, types)
        self.transform, self.head_norm = nn.Linear(hidden, hidden), nn.LayerNorm(hidden, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(vocab))
        self.start()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor, chosen: torch.Tensor) -> tuple:
        """Return logits (K, V) of the `chosen` (B, S) tokens and the last hidden states (B, S, H)."""
        last = self.encode(ids, mask, types, False)[0][-1]
        x = self.head_norm(F.gelu(self.transform(last[chosen])))
        return F.linear(x, self.words.weight, self.bias), last


class Step:
    """One training step of `general_distill`, `task_distill_phase1` or `task_distill_phase2`.

    Args:
        phase: see above; the first two compute the same.
        teacher, student: vocabulary, layers, hidden, heads, inner.
    """

    def __init__(self, phase: str, teacher: Sizes, student: Sizes):
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
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = torch._foreach_norm(gradients)
        if torch.isfinite(torch.stack(norms)).all():
            for gradient, norm in zip(gradients, norms, strict=True):
                gradient.div_(torch.clamp(norm, min=1.0))
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


class DistilStep:
    """One training step of the Distil* objective, 5 ce + 2 mlm + cos at temperature 2.

    Args:
        teacher, student: vocabulary, layers, hidden, heads, inner; the student has no token types (DistilBERT).
        restricted: whether ce counts at the predicted tokens only.
    """

    def __init__(self, teacher: Sizes, student: Sizes, restricted: bool = False):
        self.teacher = MaskedLm(*teacher, 0.0, 2).eval().requires_grad_(False)
        self.student = MaskedLm(*student, 0.1, 0).train()
        self.restricted = restricted
        self.parameters = list(self.student.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0,
                                           fused=True)

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor, labels: torch.Tensor,
                 predicted: torch.Tensor) -> float:
        tokens, temperature = mask.bool(), 2.0
        chosen = predicted if self.restricted else tokens
        with torch.no_grad():
            its, its_last = self.teacher(ids, mask, types, chosen)
            target = torch.softmax(its / temperature, -1)
        own, last = self.student(ids, mask, types, chosen)
        ce = F.kl_div(torch.log_softmax(own / temperature, -1), target, reduction="batchmean") * temperature**2
        mlm = F.cross_entropy(own[predicted[chosen]], labels[predicted])
        last, its_last = last[tokens], its_last[tokens]
        cos = F.cosine_embedding_loss(last, its_last, torch.ones(len(last)))
        loss = 5.0 * ce + 2.0 * mlm + cos
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 5.0, foreach=True)
        if torch.isfinite(norm):
            self.optimizer.step()
        return loss.item()
