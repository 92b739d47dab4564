# SPDX-License-Identifier: Apache-2.0
"""Properties of the rx queue assignment."""

from statistics import pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.control import rxq

queues = st.sets(st.tuples(st.integers(1, 8), st.integers(0, 3)), max_size=12)
workers = st.integers(1, 5)
load = st.floats(0, 1)


@st.composite
def scenes(
    draw: st.DrawFn,
) -> tuple[set[rxq.Queue], int, dict[rxq.Queue, int], dict[rxq.Queue, int], dict[rxq.Queue, float]]:
    """Queues, workers, pins, a current assignment and loads, each for some of the queues."""
    n, wanted = draw(workers), draw(queues)
    worker = st.integers(0, n - 1)
    some = sorted(wanted) or [(1, 0)]
    pins = draw(st.dictionaries(st.sampled_from(some), worker, max_size=4))
    current = draw(st.dictionaries(st.sampled_from([*some, (99, 0)]), worker))
    loads = draw(st.dictionaries(st.sampled_from(some), load))
    return wanted, n, pins, current, loads


@given(scenes())
def test_assign(
    scene: tuple[set[rxq.Queue], int, dict[rxq.Queue, int], dict[rxq.Queue, int], dict[rxq.Queue, float]],
) -> None:
    wanted, n, pins, current, loads = scene
    result = rxq.assign(wanted, n, pins, current, loads)
    assert set(result) == wanted
    assert all(0 <= worker < n for worker in result.values())
    for queue in wanted:
        if queue in pins:
            assert result[queue] == pins[queue]
        elif queue in current:
            assert result[queue] == current[queue], "a queue that has a worker stays"


@given(scenes())
def test_rebalance_only_where_it_pays(
    scene: tuple[set[rxq.Queue], int, dict[rxq.Queue, int], dict[rxq.Queue, int], dict[rxq.Queue, float]],
) -> None:
    wanted, n, pins, _, loads = scene
    current = rxq.assign(wanted, n, pins, {}, {})
    better = rxq.rebalance(n, pins, current, loads)
    if better is None:
        return
    assert set(better) == wanted
    assert all(better[q] == w for q, w in pins.items() if q in wanted)

    def variance(assignment: dict[rxq.Queue, int]) -> float:
        return pvariance([sum(loads.get(q, 0) for q in assignment if assignment[q] == w) for w in range(n)])

    assert variance(better) <= 0.75 * variance(current) + 1e-12


def test_new_queues_spread_evenly() -> None:
    result = rxq.assign([(port, 0) for port in range(6)], 3, {}, {}, {})
    assert sorted(result.values()) == [0, 0, 1, 1, 2, 2]


def test_a_new_queue_goes_to_the_idle_worker() -> None:
    assert rxq.assign([(1, 0), (2, 0)], 2, {}, {(1, 0): 0}, {(1, 0): 0.9})[2, 0] == 1


@pytest.mark.parametrize(
    ("loads", "moves"),
    [
        ({(1, 0): 0.5, (2, 0): 0.4}, True),  # both on worker 0: parting them pays
        ({(1, 0): 0.2, (2, 0): 0.2}, False),  # as uneven, but nobody is busy
        ({(1, 0): 0.9}, False),  # one queue cannot be parted
    ],
)
def test_rebalance(loads: dict[rxq.Queue, float], moves: bool) -> None:
    better = rxq.rebalance(2, {}, {(1, 0): 0, (2, 0): 0}, loads)
    assert (better is not None) == moves
    assert better is None or set(better.values()) == {0, 1}


def test_rebalance_when_asked_does_what_helps_at_all() -> None:
    current = {(1, 0): 0, (2, 0): 0}
    better = rxq.rebalance(2, {}, current, {(1, 0): 0.2, (2, 0): 0.2}, asked=True)
    assert better is not None
    assert set(better.values()) == {0, 1}
    assert rxq.rebalance(2, {}, current, {}, asked=True) is None


def test_pinned_queues_do_not_move() -> None:
    loads = {(1, 0): 0.5, (2, 0): 0.4}
    assert rxq.rebalance(2, {(1, 0): 0, (2, 0): 0}, {(1, 0): 0, (2, 0): 0}, loads) is None
