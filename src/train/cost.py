# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the steps of a stage cost, before they are run: operations, memory, disk. Counted from configurations alone.

A micro-step is: the teacher's forward pass, the student's, its gradient, and the objective's comparisons. What no term
of the objective reads, the graph compiler leaves out: it is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from src.config import ModelConfig
from src.distill.cell import DistillationCell
from src.distill.objectives import Objective
from src.distill.relations import part_size
from src.distill.terms import HIDDEN, LAYERS, LOGITS, RELATED, SCORES, TEACHER
from src.models.cost import BatchShape, Part, Parts
from src.models.heads import ARCHITECTURES

_FLOAT = 4


@dataclass(frozen=True)
class Network:
    """What is trained.

    Attributes:
        student, teacher: the models of the graph; teacher None: there is none, or its logits are stored.
        objective: which outputs are compared.
        trained: parameters that the optimiser moves, the projection's too.
        frozen: prefixes of the student's parts whose parameters it does not move.
        projections: layers whose hidden states are projected to the teacher's width.
        in_int8: the student is trained for int8.
        for_logits: what the student runs is what its logits need: of the last layer perhaps the first tokens alone.
    """

    student: ModelConfig
    teacher: ModelConfig | None
    objective: Objective
    trained: int
    frozen: tuple[str, ...] = ()
    projections: int = 0
    in_int8: bool = False
    for_logits: bool = False


class Work(NamedTuple):
    """What a micro-step takes: operations of the matrix products of the teacher, of the student, and of its gradient;
    numbers that the other operators read and write; that go through activations; that dropout draws a mask for."""

    teacher: float
    forward: float
    backward: float
    moved: float
    curved: float
    dropped: float

    @property
    def products(self) -> float:
        """Operations of all matrix products."""
        return self.teacher + self.forward + self.backward


def parts_of(model: ModelConfig, shape: BatchShape) -> Parts:
    """Count a model for a batch."""
    return ARCHITECTURES[model.encoder.kind].parts(model, shape)


def forward_products(model: ModelConfig, shape: BatchShape) -> float:
    """Operations of the matrix products from the input to the logits."""
    return sum(part.products for part in parts_of(model, shape).for_logits)


def network_of(cell: DistillationCell) -> Network:
    """Describe a cell."""
    student, parameters = cell.student, list(cell.student.get_parameters())
    parts = parts_of(student.config, BatchShape(1, 1))
    of_student = f"{parameters[0].name.partition('encoder.')[0]}"
    frozen = tuple(part.prefix for part in (*parts.layers, *parts.head) if not any(
        parameter.requires_grad for parameter in parameters if parameter.name.startswith(of_student + part.prefix)))
    return Network(student.config, cell.teacher.config if cell.has_teacher else None, cell.objective,
                   sum(parameter.size for parameter in cell.trainable_params()), frozen,
                   len(cell.objective.hidden_pairs) if cell.has_projection else 0, student.is_fake_quantized,
                   cell.runs_for_logits)


def run_parts(parts: Parts, objective: Objective, is_teacher: bool) -> tuple[Part, ...]:
    """Return the parts that a step runs: the layers up to the last that is read, and what makes logits."""
    needs = [set(term.needs) for term in objective.terms if TEACHER in term.needs or not is_teacher]
    if is_teacher and objective.reads_logits_only:
        return parts.for_logits
    if any(LOGITS in need for need in needs):
        return parts.layers + parts.head
    if any(HIDDEN in need and LAYERS not in need for need in needs):
        return parts.layers
    deepest = max((pair[is_teacher] for pair in objective.options["pairs"]), default=0)
    relates = _layer_of_relations(parts, objective, is_teacher) if any(need & set(RELATED) for need in needs) else 0
    if relates > deepest:
        return (*parts.layers[:relates], _qkv(parts, relates))
    return parts.layers[:deepest + 1] if needs else ()


def _layer_of_relations(parts: Parts, objective: Objective, is_teacher: bool) -> int:
    chosen: int = objective.options["relation_layer"]
    return chosen if is_teacher and chosen else len(parts.layers) - 1


def _qkv(parts: Parts, layer: int) -> Part:
    part = parts.layers[layer].qkv
    assert part is not None  # of a BiLSTM, which has no such layers, terms that read them are refused
    return part


def work_of(network: Network, shape: BatchShape) -> Work:
    """Count a micro-step."""
    student = parts_of(network.student, shape)
    own = student.for_logits if network.for_logits else run_parts(student, network.objective, is_teacher=False)
    its: tuple[Part, ...] = ()
    if network.teacher is not None:
        its = run_parts(parts_of(network.teacher, shape), network.objective, is_teacher=True)
    forward, backward, is_reached = sum(part.products for part in own), 0.0, False
    for part in own:
        is_trained = part.prefix not in network.frozen
        is_reached = is_reached or is_trained
        backward += part.products * (is_reached + is_trained)
    if network.teacher is not None and network.projections:
        product = 2.0 * shape.tokens * _width(network.student) * _width(network.teacher) * network.projections
        forward, backward = forward + product, backward + 2 * product
    compared = sum(part.output + part.scores for part in _compared(network, student))
    related = _relations(network, student, shape)
    forward, backward = forward + related.products, backward + related.gradient
    dropped = sum(part.dropped for part in own)
    # The gradient of an operator moves about twice what it moves; a mask is written, read and multiplied, twice.
    moved = sum(part.moved for part in its) + 3 * sum(part.moved for part in own) + 7 * dropped + 12 * compared
    moved += related.moved + _ROUNDING_PASSES * network.in_int8 * sum(part.weights + part.inputs for part in own)
    curved = sum(part.curved for part in its) + 3 * sum(part.curved for part in own)
    return Work(sum(part.products for part in its), forward, backward, moved, curved, dropped)


def update_of(network: Network, accumulation: int) -> float:
    """Numbers that are read and written to clip the gradients and move the parameters once; with accumulation also to
    add the gradients up."""
    return network.trained * (16.0 + 3 * accumulation * (accumulation > 1))


def _width(model: ModelConfig) -> int:
    return model.encoder.hidden_size


class Relations(NamedTuple):
    """What the terms that compare relations take: operations of their products, and of those of their gradient; numbers
    that are read and written; numbers that are held at once."""

    products: float = 0.0
    gradient: float = 0.0
    moved: float = 0.0
    held: float = 0.0


def _relations(network: Network, student: Parts, shape: BatchShape) -> Relations:
    terms = len(network.objective.related)
    if not terms or network.teacher is None:
        return Relations()
    heads = shape.rows * network.objective.options["relation_heads"]
    matrices = heads * shape.length ** 2
    own, its = (2.0 * shape.tokens * shape.length * _width(model) for model in (network.student, network.teacher))
    states = sum(shape.tokens * _width(model) for model in (network.student, network.teacher))
    return Relations(terms * (own + its), terms * 2 * own, terms * (_RELATION_PASSES * matrices + 12 * states),
                     terms * _RELATION_MATRICES * part_size(heads, shape.length) * shape.length ** 2)


def _compared(network: Network, student: Parts) -> Iterable[Part]:
    """The parts of the student whose outputs or scores a term reads, once for each term."""
    for term in network.objective.terms:
        if LOGITS in term.needs:
            yield replace(student.head[-1], scores=0)
        if HIDDEN in term.needs and LAYERS not in term.needs:
            yield replace(student.layers[-1], scores=0)
        if set(RELATED) & set(term.needs):
            yield replace(student.layers[-1], scores=0)
        for own, _ in network.objective.options["pairs"] if LAYERS in term.needs else ():
            part = student.layers[own]
            yield replace(part, output=part.output * (HIDDEN in term.needs),
                          scores=part.scores * (SCORES in term.needs))


class Memory(NamedTuple):
    """Bytes: the models' weights; gradients and what the optimiser keeps; what a batch leaves for the gradient, with
    what the operators work in; compiled graphs, and what batches of other lengths have left in MindSpore's pool."""

    weights: float
    optimizer: float
    batch: float
    graphs: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


_ROUNDING_PASSES, _ROUNDING_COPIES = 11, 3
"""How often fake quantization reads or writes a number, and how many of what it is working on it holds."""
_RELATION_PASSES, _RELATION_MATRICES = 20, 6
"""Of one kind of relations: how often a matrix is read or written, and how many of a part are held at once."""
_GRAPH = 5e6
"""Bytes that a compiled layer takes on CPU, each of its two gradients as much."""
_LEFT = 0.3
"""Share of the memory of a shorter batch that a longer one does not find free in MindSpore's pool on CPU."""


def with_graphs(network: Network, shape: BatchShape, shorter: Sequence[BatchShape], accumulation: int) -> Memory:
    """The memory of a process on CPU, whose batches have this shape and shorter ones: each length is a graph."""
    memory = memory_of(network, shape, accumulation)
    models = [network.student] * 3 + [network.teacher] * (network.teacher is not None)  # a gradient is two graphs more
    layers = sum(len(parts_of(model, shape).layers) for model in models if model)
    left = sum(_LEFT * memory_of(network, other, accumulation).batch for other in shorter)
    return memory._replace(graphs=_GRAPH * layers * (1 + len(shorter)) + left)


def memory_of(network: Network, shape: BatchShape, accumulation: int, size: int = _FLOAT) -> Memory:
    """Count a micro-step's memory, in a device or on CPU without the libraries.

    Args:
        accumulation: micro-steps an optimiser step.
        size: bytes of a number in the products' inputs: 2 in float16.
    """
    student = parts_of(network.student, shape)
    own = student.for_logits if network.for_logits else run_parts(student, network.objective, is_teacher=False)
    weights = float(student.parameters)
    its: tuple[Part, ...] = ()
    if network.teacher is not None:
        teacher = parts_of(network.teacher, shape)
        its = run_parts(teacher, network.objective, is_teacher=True)
        weights += teacher.parameters
    copies = 4 if accumulation > 1 else 3  # gradients, two moments, sums of gradients
    kept = sum(part.kept for part in own)
    # Of each term the outputs of both models and their difference; of those over a vocabulary there is one at a time.
    compared = sum(3 * (part.output + part.scores) for part in _compared(network, student))
    if network.student.head.is_language_model:
        readers = sum(LOGITS in term.needs for term in network.objective.terms)
        compared -= 3 * student.head[-1].output * max(0, readers - 1)
    working = max(part.moved / 4 for part in (*own, *its))
    compared += _relations(network, student, shape).held
    if network.in_int8:  # the gradient reads rounded weights too, beside the rounded inputs, which it reads anyway
        compared += sum(part.weights for part in own) + _ROUNDING_COPIES * max(part.inputs for part in own)
    return Memory(_FLOAT * weights, _FLOAT * copies * network.trained, size * (kept + working) + _FLOAT * compared)
