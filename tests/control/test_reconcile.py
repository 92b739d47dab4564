# SPDX-License-Identifier: Apache-2.0
"""`plan`: the smallest change from one state to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.model import Bridge, Config, Port
from turnout.control.reconcile import NO_DEVICE, Actual, Attached, Plan, plan

CLAIMS = {"a": "", "b": "", "c": "", "d": ""}


def config(**bridges: list[Port]) -> Config:
    return Config(bridges=tuple(Bridge(name=name, ports=tuple(ports)) for name, ports in bridges.items()))


def null(name: str, **settings: object) -> Port:
    return Port(name=name, type="null", **settings)  # type: ignore[arg-type]


def carried_out(actual: Actual, steps: Plan) -> Actual:
    """What a Reconciler makes of the plan: new devices get ids beyond the old."""
    first = max((a.device for a in actual.ports.values()), default=-1) + 1
    new = [
        Attached(
            **{**vars(a), "device": NO_DEVICE if a.port.type == "patch" else first + i, "rxqs": a.port.n_rxq}
        )
        for i, a in enumerate((*steps.attach, *steps.swap))
    ]
    return Actual(bridges=steps.bridges, ports={a.port.name: a for a in (*steps.keep, *new)})


def reach(desired: Config, actual: Actual | None = None, claims: dict[str, str] | None = None) -> Actual:
    actual = actual or Actual()
    return carried_out(actual, plan(actual, desired, claims or CLAIMS))


def names(ports: tuple[Attached, ...]) -> list[str]:
    return [a.port.name for a in ports]


def test_from_nothing() -> None:
    steps = plan(Actual(), config(br0=[null("a"), null("b")], br1=[]), CLAIMS)
    assert {name: number for name, (number, _) in steps.bridges.items()} == {"br0": 0, "br1": 1}
    assert [(a.port.name, a.number) for a in steps.attach] == [("a", 1), ("b", 2)]
    assert not (steps.keep)
    assert not (steps.swap)
    assert not (steps.leave)


@pytest.mark.parametrize(
    "settings",
    [{"tag": 7}, {"trunks": (1, 2)}, {"tag": 7, "vlan_mode": "native-tagged"}, {"rxq_affinity": "0:0"}],
)
def test_what_concerns_no_device_keeps_it(settings: dict[str, object]) -> None:
    before = reach(config(br0=[null("a"), null("b")]))
    steps = plan(before, config(br0=[null("a", **settings), null("b")]), CLAIMS)
    assert not (steps.attach)
    assert not (steps.swap)
    assert not (steps.leave)
    assert [(a.port.name, a.device, a.number) for a in steps.keep] == [("a", 0, 1), ("b", 1, 2)]
    assert steps.keep[0].port == null("a", **settings)


@pytest.mark.parametrize(
    "settings", [{"mtu": 9000}, {"n_rxq": 2}, {"options": {"size": "100"}}, {"n_rxq_desc": 64}]
)
def test_what_concerns_the_device_touches_that_port_alone(settings: dict[str, object]) -> None:
    before = reach(config(br0=[null("a"), null("b")]))
    steps = plan(before, config(br0=[null("a", **settings), null("b")]), CLAIMS)
    assert names(steps.keep) == ["b"]
    assert (names(steps.swap), names(steps.leave)) == (["a"], ["a"])
    assert steps.swap[0].number == 1, "a port keeps its number"
    assert not steps.attach


def test_a_port_moves_between_bridges_with_its_device() -> None:
    before = reach(config(br0=[null("a")], br1=[]))
    steps = plan(before, config(br0=[], br1=[null("a")]), CLAIMS)
    assert [(a.bridge, a.device) for a in steps.keep] == [("br1", 0)]
    assert not (steps.attach)
    assert not (steps.swap)
    assert not (steps.leave)


def test_a_new_port_that_needs_what_a_leaving_one_owns_waits() -> None:
    claims = {"a": "socket /s", "b": "socket /s", "c": ""}
    before = reach(config(br0=[null("a")]), claims=claims)
    steps = plan(before, config(br0=[null("b"), null("c")]), claims)
    assert (names(steps.attach), names(steps.swap), names(steps.leave)) == (["c"], ["b"], ["a"])


def test_a_failed_port_is_left_alone() -> None:
    before = reach(config(br0=[null("a")]))
    failed = Attached(**{**vars(before.ports["a"]), "device": NO_DEVICE, "error": "no"})
    before = Actual(bridges=before.bridges, ports={"a": failed})
    steps = plan(before, config(br0=[null("a", tag=4), null("b")]), CLAIMS)
    assert (names(steps.keep), names(steps.attach)) == (["a"], ["b"])
    assert steps.keep[0].error == "no"
    assert names(plan(before, config(br0=[null("a", mtu=9000)]), CLAIMS).attach) == ["a"]
    assert not plan(before, config(br0=[]), CLAIMS).leave


def test_patch_ports_have_no_device() -> None:
    ends = [Port(name=n, type="patch", options={"peer": p}) for n, p in (("a", "b"), ("b", "a"))]
    before = reach(config(br0=ends[:1], br1=ends[1:]))
    other = Port(name="a", type="patch", options={"peer": "c"})
    steps = plan(before, config(br0=[other], br1=ends[1:]), CLAIMS)
    assert names(steps.keep) == ["a", "b"]
    assert not (steps.attach)
    assert not (steps.swap)
    assert not (steps.leave)


port_sets = st.lists(
    st.builds(
        null,
        st.sampled_from("abcd"),
        mtu=st.sampled_from([1500, 9000]),
        tag=st.sampled_from([None, 1, 2]),
    ),
    unique_by=lambda p: p.name,
    max_size=4,
)
wishes = st.tuples(port_sets, st.integers(0, 4)).map(lambda t: config(br0=t[0][: t[1]], br1=t[0][t[1] :]))


@given(st.lists(wishes, max_size=6))
def test_any_way_through_states(desired: list[Config]) -> None:
    actual = Actual()
    for wish in desired:
        steps = plan(actual, wish, CLAIMS)
        after = carried_out(actual, steps)
        assert {(a.bridge, a.port.name): a.port for a in after.ports.values()} == {
            (b.name, p.name): p for b in wish.bridges for p in b.ports
        }
        numbers = [a.number for a in after.ports.values()]
        assert len(set(numbers)) == len(numbers)
        assert all(1 <= n <= 1023 for n in numbers)
        for a in steps.keep:
            assert a.device == actual.ports[a.port.name].device
            assert a.number == actual.ports[a.port.name].number
        leaving = {a.number for a in steps.leave}
        assert not leaving & {a.number for a in steps.attach}, "two devices would share a name"
        again = plan(after, wish, CLAIMS)
        assert (again.attach, again.swap, again.leave) == ((), (), ()), "a wish that came true needs nothing"
        actual = after
