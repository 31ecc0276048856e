# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Loss terms over a vocabulary: the terms of the Distil* objective (Sanh et al., arXiv:1910.01108), section 2.

Logits are (K, V), a row for each chosen place, and passes over them are what a step pays for. So each term brings its
own gradient, which reuses what the value left behind, and only operators that are fast at this size are used; on CPU
that leaves out broadcasting, division by a number, and logarithms of whole matrices.

All values are sum_k weights_k * row_k in float32; the weights are normalised by the caller. A row of weight 0 adds
exactly 0 to the value and to the gradient, whatever its (finite) logits. The teacher and the weights get no gradient.

K chosen places, V vocabulary, B batch, S sequence, H width.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from src.models.kernels import scale_rows, spread

_COSINE_EPSILON = 1e-12
"""torch.nn.CosineEmbeddingLoss adds it to the squared lengths."""


def kl_divergence(student: Tensor, teacher: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """sum_k weights_k * T^2 * KL(softmax(teacher / T) || softmax(student / T)), the KL summed over the vocabulary.

    Args:
        student, teacher: logits (K, V), float32 or float16.
        weights: float32 (K,).
        temperature: T, a number. T^2 keeps the size of the gradient over temperatures (Hinton et al.,
            arXiv:1503.02531).
    """
    return _KL_DIVERGENCE(student.astype(ms.float32), teacher.astype(ms.float32), weights, temperature)[0]


def token_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """sum_k weights_k * (logsumexp(logits_k) - logits_k[labels_k]).

    Args:
        logits: (K, V), float32 or float16.
        labels: int32 (K,), in [0, V) also where the weight is 0.
        weights: float32 (K,).
    """
    return _TOKEN_CROSS_ENTROPY(logits.astype(ms.float32), labels, weights)[0]


def token_logits_mse(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """sum_k weights_k * sum_v (student_kv - teacher_kv)^2.

    Args:
        student, teacher: logits (K, V), float32 or float16.
        weights: float32 (K,).
    """
    return _TOKEN_LOGITS_MSE(student.astype(ms.float32), teacher.astype(ms.float32), weights)[0]


def cosine_distance(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """sum weights * (1 - cos(student, teacher)), cos as in torch.nn.CosineEmbeddingLoss, which does not divide by 0.

    Args:
        student, teacher: hidden states (B, S, H), float32 or float16.
        weights: float32 (B, S).
    """
    counts = spread((weights != 0).astype(ms.float32).expand_dims(2), student.shape)  # (B, S, H)
    student = student.astype(ms.float32) * counts
    teacher = ops.stop_gradient(teacher.astype(ms.float32) * counts)
    product = (student * teacher).sum(-1)
    lengths = ((student * student).sum(-1) + _COSINE_EPSILON) * ((teacher * teacher).sum(-1) + _COSINE_EPSILON)
    return (ops.stop_gradient(weights) * (1.0 - product * ops.rsqrt(lengths))).sum()


def _log_sum_exp(logits: Tensor, probabilities: Tensor, scale: float) -> Tensor:
    """logsumexp(scale * logits) (K,). Of their softmax, `probabilities`, the largest is 1 / sum(exp(x - max))."""
    return ops.max(logits, -1)[0] * scale - ops.log(ops.max(probabilities, -1)[0])


def _weighted_sum(rows: Tensor, weights: Tensor) -> Tensor:
    return (ops.select(weights != 0, rows, 0.0) * weights).sum()


class _KlDivergence(nn.Cell):
    """Returns the value and softmax(student / T) - softmax(teacher / T), from which the gradient is made."""

    def __init__(self):
        super().__init__()
        self.softmax = ops.Softmax(-1)

    def construct(self, student, teacher, weights, temperature):
        scale = 1.0 / temperature
        its = self.softmax(teacher * scale)
        its_sum, its_product = _log_sum_exp(teacher, its, scale), (its * teacher).sum(-1)
        # One matrix after another, so that those that are done with have left the memory: the teacher's logits ...
        student = ops.depend(ops.depend(student, its_sum), its_product)
        own_product = (its * student).sum(-1)
        student = ops.depend(student, own_product)
        own = self.softmax(student * scale)
        rows = (its_product - own_product) * scale + _log_sum_exp(student, own, scale) - its_sum
        difference = own - its
        # ... and what the terms to come have to wait for.
        return ops.depend(_weighted_sum(rows, weights) * (temperature * temperature), difference), difference

    def bprop(self, student, teacher, weights, temperature, out, dout):
        gradient = scale_rows(out[1], weights * (dout[0] * temperature))
        return gradient, ops.zeros_like(teacher), ops.zeros_like(weights), 0.0


class _TokenCrossEntropy(nn.Cell):
    """Returns the value and softmax(logits)."""

    def __init__(self):
        super().__init__()
        self.softmax = ops.Softmax(-1)

    def construct(self, logits, labels, weights):
        probabilities = self.softmax(logits)
        chosen = ops.gather_elements(logits, 1, labels.expand_dims(1)).reshape((-1,))
        return _weighted_sum(_log_sum_exp(logits, probabilities, 1.0) - chosen, weights), probabilities

    def bprop(self, logits, labels, weights, out, dout):
        factors = weights * dout[0]
        gradient = scale_rows(out[1], factors)
        gradient = ops.tensor_scatter_elements(gradient, labels.expand_dims(1), -factors.expand_dims(1), 1, "add")
        return gradient, ops.zeros_like(labels), ops.zeros_like(weights)


class _TokenLogitsMse(nn.Cell):
    """Returns the value and student - teacher."""

    def construct(self, student, teacher, weights):
        difference = student - teacher
        return _weighted_sum((difference * difference).sum(-1), weights), difference

    def bprop(self, student, teacher, weights, out, dout):
        gradient = scale_rows(out[1], weights * (dout[0] * 2.0))
        return gradient, ops.zeros_like(teacher), ops.zeros_like(weights)


# Without parameters or state; a graph can call cells but not make them.
_KL_DIVERGENCE = _KlDivergence()
_TOKEN_CROSS_ENTROPY = _TokenCrossEntropy()
_TOKEN_LOGITS_MSE = _TokenLogitsMse()
