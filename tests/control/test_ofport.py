# SPDX-License-Identifier: Apache-2.0
"""OpenFlow port numbers: lowest free from 1, stable, requests honoured, remembered over restarts."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from turnout.config import state
from turnout.config.model import Bridge, Port
from turnout.config.state import PortMemory
from turnout.control.ofport import LOCAL, assign


def null(name: str, request: int = 0) -> Port:
    return Port(name=name, type="null", ofport_request=request)


def bridge(*ports: Port) -> Bridge:
    return Bridge(name="br0", ports=ports)


def test_lowest_free_from_one() -> None:
    assert assign(bridge(null("a"), null("b"), null("c", 2)), {}, {}) == {"a": 1, "b": 3, "c": 2}


def test_a_port_keeps_its_number() -> None:
    there = {"b": (null("b"), 2), "c": (null("c"), 3)}
    assert assign(bridge(null("b"), null("c"), null("d")), there, {}) == {"b": 2, "c": 3, "d": 1}
    # a request for a number that another has is not honoured, and asked for again it changes nothing
    assert assign(bridge(null("b"), null("c", 2)), there, {}) == {"b": 2, "c": 1}
    there = {"b": (null("b"), 2), "c": (null("c", 2), 1)}
    assert assign(bridge(null("b"), null("c", 2)), there, {}) == {"b": 2, "c": 1}
    assert assign(bridge(null("b"), null("c", 9)), there, {}) == {"b": 2, "c": 9}


def test_local() -> None:
    local = Port(name="br0", type="internal", ofport_request=5)
    assert assign(bridge(null("a"), local), {}, {}) == {"a": 1, "br0": LOCAL}


def test_a_restart() -> None:
    memory = {"a": PortMemory(7), "b": PortMemory(1), "br0": PortMemory(LOCAL)}
    assert assign(bridge(null("c"), null("a"), null("b")), {}, memory) == {"a": 7, "b": 1, "c": 2}
    assert assign(bridge(null("c", 7), null("a")), {}, memory) == {"c": 7, "a": 1}


def test_the_state_file(tmp_path: Path) -> None:
    kept = state.State(ports={"a": PortMemory(7, 1)})
    state.save(tmp_path / "s", kept)
    assert state.load(tmp_path / "s") == kept


NAMES = st.sampled_from("abcdef")
PORTS = st.lists(st.builds(null, NAMES, st.integers(0, 5)), unique_by=lambda p: p.name, max_size=6)


@given(before=PORTS, after=PORTS)
def test_numbers_are_unique_and_stay(before: list[Port], after: list[Port]) -> None:
    first = assign(bridge(*before), {}, {})
    there = {p.name: (p, first[p.name]) for p in before}
    second = assign(bridge(*after), there, {})
    assert len(set(second.values())) == len(after)
    for port in after:
        if port.name in there and port.ofport_request in (0, there[port.name][0].ofport_request):
            assert second[port.name] == first[port.name]
