# SPDX-License-Identifier: Apache-2.0
"""Two tables of fields, written apart: Python's from the manual, the engine's. They must agree."""

from turnout import _engine
from turnout.openflow.fields import FIELDS, Field

# Python's names where the engine's differ, and fields of Python that are views of others
ALIASES = {"in_port": "in_port_oxm"}
VIEWS = ("xreg", "xxreg", "in_port", "nw_tos", "actset_output")


def header(field: Field, code: tuple[int, int]) -> int:
    """OXM or NXM header without mask bit; ONF's fields count their experimenter."""
    size = field.size + 4 if code[0] == 0xFFFF else field.size
    return code[0] << 16 | code[1] << 9 | size


def test_names_headers_and_widths() -> None:
    engine = {ALIASES.get(field.name, field.name): field for field in _engine.oxm_fields()}
    for name, field in FIELDS.items():
        if name.startswith(VIEWS) and name not in engine:
            continue
        other = engine.get(name) or engine[next(alias for alias in field.aliases if alias in engine)]
        known = {header(field, field.oxm), header(field, field.nxm)}
        given = {number for number in (other.oxm, other.nxm) if number}
        assert given <= known or name in ("in_port_oxm", "vlan_vid", "vlan_tci", "tcp_flags"), name
        assert (other.bits == field.bits) or name in ("vlan_vid", "arp_op", "in_port_oxm", "tun_flags"), name
        assert other.maskable == field.maskable or name in ("vlan_pcp", "ipv6_exthdr"), name
