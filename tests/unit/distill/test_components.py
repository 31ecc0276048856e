# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Principal components against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from src.distill.components import components_of


@pytest.mark.parametrize("dim", [3, 20])
def test_the_components_are_those_of_scikit_learn(dim: int) -> None:
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(9000, 20)) @ generator.normal(size=(20, 20)) + 5.0).astype(np.float32)
    components = components_of(vectors, dim)
    reduced, share = components.reduce(vectors), components.share
    theirs = PCA(dim).fit(vectors.astype(np.float64))
    expected = theirs.transform(vectors.astype(np.float64))
    assert reduced.dtype == np.float32 and np.abs(np.abs(reduced) - np.abs(expected)).max() < 1e-4
    assert np.allclose(np.abs((reduced * expected).mean(0)), (expected * expected).mean(0), rtol=1e-4)
    assert share == pytest.approx(theirs.explained_variance_ratio_.sum(), abs=1e-6)
    assert np.abs(reduced.mean(0)).max() < 1e-4
    off = components.reduce(vectors, centre=False) - reduced
    assert np.ptp(off, axis=0).max() < 1e-3  # the mean in these directions
