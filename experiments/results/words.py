# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words of docs/RESULTS.md and docs/RESULTS_CN.md; the numbers are put in by experiments/results/layout.py."""

from __future__ import annotations

Words = dict[str, str]

ENGLISH: Words = {
    "title": "Results on tasks",
    "other": "[简体中文]({page})",
    "intro": "Is a student that learns from its teacher better than the same student that learns from the labels "
             "alone? For each task a teacher is fine-tuned; its student begins as a few layers of the same pretrained "
             "model, and is trained twice: on the labels, and by task distillation (layers, then predictions), for the "
             "same number of optimiser steps. All numbers on this page were written by "
             "`python -m experiments.results.page` from the folders of the runs.",
    "picture": "Students with and without distillation, and their teachers",
    "made": "Made by:",
    "overview": "Overview",
    "task": "Task", "metric": "Metric", "teacher": "Teacher", "without": "Student, labels alone",
    "with": "Student, distilled", "difference": "Difference", "outcome": "Distillation",
    "helps": "helps", "hurts": "**does not help**: worse", "open": "**no difference shown**", "single": "one run",
    "missing": "-",
    "model": "Model", "shape": "Layers x width", "parameters": "Parameters", "latency": "ms a row, batch 1",
    "throughput": "Rows/s, batch 32", "steps": "Steps", "minutes": "Minutes",
    "finetuned": "Student, labels alone", "distilled": "**Student, distilled**",
    "finetuned_aug": "Student, labels alone, augmented rows", "distilled_aug": "Student, distilled, augmented rows",
    "bilstm": "BiLSTM, labels alone", "bilstm_distilled": "BiLSTM, distilled",
    "say_helps": "Distillation helps{of}: {metric} {with_} against {without}, {difference} (standard error {error}).",
    "say_hurts": "Distillation does not help{of}: {metric} is lower, {with_} against {without}, {difference} (standard "
                 "error {error}).",
    "say_open": "These runs do not show that distillation helps{of}: {metric} {with_} against {without}, {difference}, "
                "within two standard errors ({error} each).",
    "say_single": "Whether distillation helps{of} cannot be told from one run: {metric} {with_} against {without}, "
                  "{difference}.",
    "of_plain": "", "of_aug": " on augmented rows", "of_bilstm": " the BiLSTM",
    "data": "Data: {train} of {train_of} training examples (seed {seed}), {dev} of {dev_of} dev examples; rows of up "
            "to {length} tokens. Batches of {batch}: {steps} steps of a student are {passes} passes over these "
            "examples.",
    "base": "No pretrained Chinese model was at hand: teacher and student start from random weights ({shape}), and the "
            "teacher is trained on this task alone. Compare the two students, not the numbers with published ones.",
    "commands": "Commands", "command_note": "`DATA` is the folder of the data sets, `OUT` that of the results.",
    "note_score": "Scores are those on dev, from 0 to 1, mean ± deviation over the seeds of the students; the teacher "
                  "is one run. Each training keeps the best of its evaluations on that same dev set, as many for both "
                  "students, so all scores are a little too high.",
    "note_verdict": "Distillation *helps*, or *does not*, where the difference of the means is more than twice its "
                    "standard error over the seeds. With this few seeds that is a rough guide.",
    "note_small": "Data are cut down and trainings are short, so that everything runs on a CPU: these are not a "
                  "benchmark's best scores, and equal steps are the comparison. What the student without a teacher "
                  "would reach with more of them is not measured here.",
    "note_steps": "Steps of a distilled student: phase 1 + phase 2. Minutes: training of one run, without compilation, "
                  "evaluation and the teacher's training. Both BiLSTMs of a task begin with the teacher's input "
                  "embeddings; no learning rate was swept.",
    "note_latency": "Latency and rows/s: median, all models of a task called in turn in one process on rows of its "
                    "full length, in brackets relative to the teacher. Tokenisation is not in them.",
    "seeds": "Seeds", "machine": "Machine", "versions": "Versions", "cores": "cores",
}

CHINESE: Words = {
    "title": "各任务的结果",
    "other": "[English]({page})",
    "intro": "向教师学习的学生，是否优于只从标签学习的同一个学生？每个任务先微调一个教师；学生取自同一预训练模型的"
             "几层，并训练两次：一次只用标签，一次用任务蒸馏（先学各层，再学预测），两者的优化步数相同。本页的所有数字都"
             "由 `python -m experiments.results.page` 从运行目录中读出。",
    "picture": "有无蒸馏的学生与教师",
    "made": "生成命令：",
    "overview": "总览",
    "task": "任务", "metric": "指标", "teacher": "教师", "without": "学生，只用标签", "with": "学生，蒸馏",
    "difference": "差", "outcome": "蒸馏",
    "helps": "有益", "hurts": "**无益**：更差", "open": "**看不出差别**", "single": "只有一次运行",
    "missing": "-",
    "model": "模型", "shape": "层数 x 宽度", "parameters": "参数量", "latency": "每行毫秒，批 1",
    "throughput": "行/秒，批 32", "steps": "步数", "minutes": "分钟",
    "finetuned": "学生，只用标签", "distilled": "**学生，蒸馏**",
    "finetuned_aug": "学生，只用标签，增广数据", "distilled_aug": "学生，蒸馏，增广数据",
    "bilstm": "BiLSTM，只用标签", "bilstm_distilled": "BiLSTM，蒸馏",
    "say_helps": "蒸馏有益{of}：{metric} 为 {with_}，不蒸馏为 {without}，差 {difference}（标准误 {error}）。",
    "say_hurts": "蒸馏无益{of}：{metric} 更低，为 {with_}，不蒸馏为 {without}，差 {difference}（标准误 {error}）。",
    "say_open": "这些运行看不出蒸馏有益{of}：{metric} 为 {with_}，不蒸馏为 {without}，差 {difference}，在两倍标准误之内"
                "（标准误 {error}）。",
    "say_single": "只有一次运行，无从判断蒸馏是否有益{of}：{metric} 为 {with_}，不蒸馏为 {without}，差 {difference}。",
    "of_plain": "", "of_aug": "（增广数据）", "of_bilstm": "（BiLSTM）",
    "data": "数据：训练样本 {train_of} 条中的 {train} 条（种子 {seed}），验证样本 {dev_of} 条中的 {dev} 条；每行至多 "
            "{length} 个词元。批大小 {batch}：学生的 {steps} 步相当于把这些样本看 {passes} 遍。",
    "base": "手边没有预训练的中文模型：教师与学生都始于随机权重（{shape}），教师只在本任务上训练。请比较两个学生，"
            "不要与已发表的数字比较。",
    "commands": "命令", "command_note": "`DATA` 是数据集目录，`OUT` 是结果目录。",
    "note_score": "分数取自验证集，范围 0 到 1；学生为各种子的均值 ± 标准差，教师为一次运行。每次训练都保留同一验证集"
                  "上各次评估中最好的一次，两个学生的评估次数相同，因此所有分数都略微偏高。",
    "note_verdict": "均值之差超过其标准误（按种子计）的两倍，才说蒸馏*有益*或*无益*。种子这样少，只能粗略判断。",
    "note_small": "数据经过裁剪，训练很短，以便在 CPU 上跑完：这些不是基准测试的最好成绩，比较的是相同的步数。"
                  "不用教师的学生若训练更多步会达到多少，这里没有测量。",
    "note_steps": "蒸馏学生的步数：阶段 1 + 阶段 2。分钟：一次运行的训练时间，不含编译、评估和教师的训练。"
                  "同一任务的两个 BiLSTM 都以教师的词向量开始；学习率未经搜索。",
    "note_latency": "延迟与行/秒：中位数，同一任务的所有模型在一个进程里轮流调用，输入为该任务的最大长度；括号内是与"
                    "教师之比，不含分词。",
    "seeds": "种子", "machine": "机器", "versions": "版本", "cores": "核",
}
