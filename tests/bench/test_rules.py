# SPDX-License-Identifier: Apache-2.0
"""Rule sets: as many as they say, of the shapes they say, and each packet hits one of them."""

import re
import subprocess
from pathlib import Path

import pytest

from turnout.bench.openflow import flow_mods
from turnout.bench.rules import (
    Acl,
    Exact,
    Explosion,
    Extensible,
    GotoChain,
    Lpm,
    Match,
    OneRule,
    Packet,
    RuleSet,
)

SMALL: tuple[RuleSet, ...] = (
    OneRule(),
    Exact(100),
    Acl(1_000),
    Lpm(5_000),
    GotoChain(),
    Explosion(attack=False),
    Explosion(attack=True),
)


@pytest.mark.parametrize("ruleset", SMALL, ids=lambda ruleset: ruleset.name)
def test_a_rule_set_is_the_same_every_time_and_its_packets_fit_their_fields(ruleset: RuleSet) -> None:
    assert list(ruleset.lines()) == list(ruleset.lines())
    packets = list(ruleset.packets(500))
    assert packets == list(ruleset.packets(500))
    for source, destination, sport, dport in packets:
        assert 0 <= source < 1 << 32
        assert 0 <= destination < 1 << 32
        assert 0 <= sport < 1 << 16
        assert 0 <= dport < 1 << 16


@pytest.mark.parametrize("ruleset", SMALL, ids=lambda ruleset: ruleset.name)
def test_the_client_understands_every_line_and_finds_no_two_alike(ruleset: RuleSet, tmp_path: Path) -> None:
    lines = list(ruleset.lines())
    assert len({line.split(",actions=")[0] for line in lines}) == len(lines)
    path = tmp_path / "flows"
    path.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["ovs-ofctl", "-O", "OpenFlow13", "parse-flows", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ADD") == len(lines)


@pytest.mark.parametrize("ruleset", [Exact(100), Acl(1_000)], ids=lambda ruleset: ruleset.name)
def test_every_packet_hits_a_rule_and_spare_rules_are_new(ruleset: Exact | Acl) -> None:
    matches = {rule.match for rule in ruleset.rules()}
    assert len(matches) == ruleset.count
    for packet in ruleset.packets(1_000):
        assert any(match.matches(packet) for match in matches)
    spare = ruleset.spare(50)
    assert len({rule.match for rule in spare}) == 50
    assert matches.isdisjoint(rule.match for rule in spare)


def test_an_access_list_has_sixty_mask_shapes_and_as_many_priorities_as_rules() -> None:
    rules = Acl(1_000).rules()
    assert len({rule.match[1::2] for rule in rules}) >= 60
    assert [rule.priority for rule in rules] == list(range(1_000, 0, -1))


def test_prefixes_are_distinct_mostly_short_of_hosts_and_all_destinations_covered() -> None:
    lpm = Lpm(20_000)
    prefixes = lpm.prefixes()
    assert len(set(prefixes)) == 20_000
    shares = [sum(length == wanted for _, length in prefixes) / 20_000 for wanted in (16, 24, 32)]
    assert shares == [pytest.approx(share, abs=0.02) for share in (0.013, 0.62, 0.006)]
    covered = set(prefixes)
    for packet in lpm.packets(500):
        assert any((packet.destination >> 32 - n << 32 - n, n) in covered for n in range(8, 33))


def test_the_goto_chain_sends_every_packet_through_eight_tables() -> None:
    chain = GotoChain()
    rules = [re.fullmatch(r"table=(\d),(.*),actions=(.*)", line) for line in chain.lines()]
    assert {rule[1] for rule in rules if rule} == set("01234567")
    assert all(rule and (rule[3] == f"goto_table:{int(rule[1]) + 1}" or rule[1] == "7") for rule in rules)
    wanted = {rule[2] for rule in rules if rule}
    for packet in chain.packets(100):
        a, b = packet.source >> 24, packet.source >> 16 & 255
        assert f"ip,nw_src={a}.{b}.0.0/16" in wanted
        c, d, e = packet.destination >> 24, packet.destination >> 16 & 255, packet.destination >> 8 & 255
        assert f"ip,nw_dst={c}.{d}.{e}.0/24" in wanted
        assert f"udp,tp_src={packet.sport}" in wanted
        assert f"udp,tp_dst={packet.dport}" in wanted


def test_an_attack_differs_from_calm_in_one_packet_of_ten() -> None:
    calm, attack = (list(Explosion(attack=kind).packets(1_000)) for kind in (False, True))
    differing = [number for number, pair in enumerate(zip(calm, attack, strict=True)) if pair[0] != pair[1]]
    assert set(differing) <= set(range(0, 1_000, 10))
    assert len({calm[number] for number in range(0, 1_000, 10)}) == 1
    assert len({attack[number] for number in range(0, 1_000, 10)}) == 100
    for packet in attack[::10]:
        assert packet.dport != 443
        assert packet.source != 0x0A070707
        assert packet.sport != 4789
    assert all(packet.dport == 443 for number, packet in enumerate(attack) if number % 10)


def test_a_match_in_words() -> None:
    match = Match(0x0A000000, 0xFF000000, 0, 0, 53, 0xFFFF, 0x400, 0xFC00)
    assert str(match) == "udp,nw_src=10.0.0.0/8,tp_src=53,tp_dst=0x400/0xfc00"
    assert match.matches(Packet(0x0A0B0C0D, 1, 53, 0x7FF))
    assert not match.matches(Packet(0x0A0B0C0D, 1, 53, 0x800))


@pytest.mark.parametrize("ruleset", [Exact(20), Acl(200)], ids=lambda ruleset: ruleset.name)
def test_packed_messages_say_what_the_text_says(ruleset: Extensible, tmp_path: Path) -> None:
    rules = ruleset.spare(200)
    for command in ("add", "delete_strict"):
        printed = _print(flow_mods(command, rules), tmp_path)
        assert len(printed) == len(rules)
        for line, rule in zip(printed, rules, strict=True):
            found = dict(part.partition("=")[::2] for part in re.split("[, ]", line))
            assert found["priority" if rule.priority != 32768 else "udp"] in (str(rule.priority), "")
            for part in str(rule.match).split(","):
                name, _, value = part.partition("=")
                assert found[name] == value.removesuffix("/32")


def _print(messages: bytes, folder: Path) -> list[str]:
    """The flow_mods in words, as `ovs-ofctl` decodes them."""
    path = folder / "messages"
    path.write_bytes(messages)
    done = subprocess.run(["ovs-ofctl", "ofp-parse", str(path)], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "OFPT_FLOW_MOD" in line]
