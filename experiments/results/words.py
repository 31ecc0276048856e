# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Headings and names in the tables of docs/RESULTS.md and docs/RESULTS_CN.md; the text around them is a template."""

from __future__ import annotations

from types import SimpleNamespace

from experiments.results.table import AUGMENTED, BILSTM, PLAIN, VARIANTS

MODELS = ("teacher", *VARIANTS)

# Columns of the tables: in that of models the metrics follow the first one. `students` name what a pair of variants
# trains, without and with a teacher; `pretrained` and `random`, with a shape, what teacher and student start from.
ENGLISH = SimpleNamespace(
    template="template.md",
    overview=("Task", "Student", "Metric", "Teacher", "Labels alone", "Distilled", "Difference", "Standard error",
              "Distillation"),
    data=("Task", "Training", "Dev", "Tokens a row", "Batch", "Steps", "Passes", "Start"),
    models=("Model", "Layers x width", "Parameters", "ms a row, batch 1", "Rows/s, batch 32", "Steps", "Minutes"),
    titles=dict(zip(MODELS, ("Teacher", "Student, labels alone", "**Student, distilled**",
                             "Student, labels alone, augmented rows", "Student, distilled, augmented rows",
                             "BiLSTM, labels alone", "BiLSTM, distilled"), strict=True)),
    students={PLAIN: "layers of the model", AUGMENTED: "the same, augmented rows", BILSTM: "BiLSTM"},
    verdicts={"helps": "helps", "hurts": "**does not help**: worse", "open": "**no difference shown**",
              "single": "one run"},
    pretrained="pretrained", random="random weights, {}", of="{} of {}",
    conditions=("Machine", "Versions", "cores", "Seeds"), name="English")

CHINESE = SimpleNamespace(
    template="template_cn.md",
    overview=("任务", "学生", "指标", "教师", "只用标签", "蒸馏", "差", "标准误", "蒸馏的作用"),
    data=("任务", "训练样本", "验证样本", "每行词元", "批大小", "步数", "遍数", "起点"),
    models=("模型", "层数 x 宽度", "参数量", "每行毫秒，批 1", "行/秒，批 32", "步数", "分钟"),
    titles=dict(zip(MODELS, ("教师", "学生，只用标签", "**学生，蒸馏**", "学生，只用标签，增广数据",
                             "学生，蒸馏，增广数据", "BiLSTM，只用标签", "BiLSTM，蒸馏"), strict=True)),
    students={PLAIN: "模型的若干层", AUGMENTED: "同上，增广数据", BILSTM: "BiLSTM"},
    verdicts={"helps": "有益", "hurts": "**无益**：更差", "open": "**看不出差别**", "single": "只有一次运行"},
    pretrained="预训练", random="随机权重，{}", of="{} / {}",
    conditions=("机器", "版本", "核", "种子"), name="简体中文")
