# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From a fine-tuned teacher to the student for a budget.

    shapes   the students that can be cut out of a teacher
    latency  what files of them take in ONNX Runtime, before anything is trained
    budget   what a student may cost
    reach    which shapes are within a budget
    lengths  of the rows that files are measured on, in whole and smaller vocabularies
    candidates, spelling   students of these shapes, cut out of the teacher, and rows in their vocabularies
    search, rungs          what has been decided and found so far, and how candidates are distilled
    winner, report         what is exported and compared, and what is left to look at
    augmented              copies of the training rows
    run      all of it
"""
