import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.filters import nucleus_size, pick

ALMOST_ONE = np.nextafter(1.0, 0.0)


@given(st.lists(st.sampled_from([0.0, 1e-30, 0.25, 3.0, 1e30]), min_size=1).filter(any), st.floats(0, ALMOST_ONE))
def test_an_entry_without_weight_is_never_picked(weights: list[float], point: float) -> None:
    assert weights[pick(np.array(weights), point)] > 0


@pytest.mark.parametrize(("point", "index"), [(0, 1), (0.24, 1), (0.26, 3), (ALMOST_ONE, 3)])
def test_a_point_falls_on_the_entry_that_covers_it(point: float, index: int) -> None:
    assert pick(np.array([0, 1.0, 0, 3.0, 0], np.float32), point) == index


@pytest.mark.parametrize(("mass", "size"), [(0, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.9, 4)])
def test_the_nucleus_is_the_fewest_entries_that_reach_the_mass(mass: float, size: int) -> None:
    assert nucleus_size(np.array([0.5, 0.25, 0.125]), mass) == size
