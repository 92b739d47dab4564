# SPDX-License-Identifier: Apache-2.0
"""Values of fields as text: how ovs-ofctl spells numbers, addresses, masks, flags and ports."""

import re
import socket
from collections.abc import Mapping
from types import MappingProxyType

from turnout.openflow.fields import BY_NAME, PORT_NAMES, PORTS, Field
from turnout.openflow.flow import FlowError

Ports = Mapping[str, int]
"""Port name → OpenFlow number."""
NO_PORTS: Ports = MappingProxyType({})

_TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]")
_TUNNEL_FLAGS = ("oam",)
FRAGMENTS = {"no": (0, 3), "yes": (1, 1), "first": (1, 3), "later": (3, 3), "not_later": (0, 2)}
"""Spelling of ip_frag → value, mask."""


def number(text: str, bits: int, what: str) -> int:
    """A decimal or 0x number of at most `bits` bits; `what` names it in the error."""
    try:
        value = int(text, 16) if text[:2].lower() == "0x" else int(text, 10)
        if "_" in text:
            raise ValueError
    except ValueError:
        raise FlowError(f"{what}: {text!r} is no number; write it as 10 or 0xa") from None
    if not 0 <= value < 1 << bits:
        raise FlowError(f"{what}: {text} is out of range; it must be 0 to {(1 << bits) - 1}")
    return value


def _mac(text: str, what: str) -> int:
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text):
        raise FlowError(f"{what}: {text!r} is no Ethernet address; write it as 00:11:22:33:44:55")
    return int.from_bytes(bytes(int(octet, 16) for octet in text.split(":")), "big")


def _address(text: str, family: socket.AddressFamily, what: str) -> int:
    try:
        return int.from_bytes(socket.inet_pton(family, text), "big")
    except (OSError, ValueError):
        example = "10.0.0.1" if family == socket.AF_INET else "fe80::1"
        raise FlowError(f"{what}: {text!r} is no IP address; write it as {example}") from None


def _prefix(length: str, bits: int, what: str) -> int:
    count = number(length, 8, what)
    if count > bits:
        raise FlowError(f"{what}: /{length} is too long a prefix; at most /{bits}")
    return ((1 << count) - 1) << (bits - count)


def _flags(text: str, names: tuple[str, ...], full: int, what: str) -> tuple[int, int]:
    if text[:1].isdigit():
        first, _, second = text.partition("/")
        bits = full.bit_length()
        return number(first, bits, what), number(second, bits, what) if second else full
    if text[:1] not in "+-" or not text:
        names_given = text.split("|")
        signs = [("+", name) for name in names_given]
        mask = full
    else:
        signs = re.findall(r"([+-])([^+-]*)", text)
        mask = 0
    value = 0
    for sign, name in signs:
        if name not in names:
            raise FlowError(f"{what}: no flag {name!r}; there are: {' '.join(names)}")
        bit = 1 << names.index(name)
        mask |= bit
        if sign == "+":
            value |= bit
    return value, mask


def _bits_of(field: Field) -> int:
    return 13 if field.name == "vlan_vid" else field.bits  # OFPVID_PRESENT stands above the VID


def parse_port(text: str, ports: Ports, what: str) -> int:
    """A port's number, name, or reserved name in either case. 1.0's 16-bit reserved numbers are widened."""
    if text in ports:
        return ports[text]
    if text.upper() in PORTS:
        return PORTS[text.upper()]
    if text.upper() == "NONE":
        return PORTS["ANY"]
    if not text[:1].isdigit():
        raise FlowError(f"{what}: no port {text!r}; give a number, or IN_PORT, LOCAL, NORMAL, FLOOD, ALL …")
    value = number(text, 32, what)
    if 0xFFF8 <= value <= 0xFFFF:
        return value | 0xFFFF0000
    if 0xFF00 <= value < 0xFFFFFF00:
        raise FlowError(f"{what}: port {text} is out of range; ports are 1 to 65279")
    return value


def format_port(port: int, names: Mapping[int, str] = MappingProxyType({})) -> str:
    """The reserved name, the port's name where `names` has it (quoted as in Open vSwitch), or the number."""
    if port in PORT_NAMES:
        return PORT_NAMES[port]
    name = names.get(port)
    if name is None:
        return str(port)
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9]*", name) and name.upper() not in PORTS
    return name if plain else f'"{name}"'


def parse_value(field: Field, text: str, what: str, ports: Ports = NO_PORTS) -> tuple[int, int]:
    """value or value/mask in the field's style, as (value & mask, mask)."""
    full = (1 << _bits_of(field)) - 1
    if field.style == "flags":
        return _flags(text, _TCP_FLAGS, full, what)
    if field.style == "tunnel":
        return _flags(text, _TUNNEL_FLAGS, full, what)
    if field.style == "frag" and text in FRAGMENTS:
        return FRAGMENTS[text]
    if field.style == "port":
        port = parse_port(text, ports, what)
        return port & full if port >= 0xFFFFFF00 else port, full
    first, slash, second = text.partition("/")
    value, mask = _one(field, first, what), full
    if slash:
        if field.style in ("ipv4", "ipv6") and re.fullmatch(r"\d+", second):
            mask = _prefix(second, field.bits, what)
        else:
            mask = _one(field, second, what)
    return value & mask, mask


def _one(field: Field, text: str, what: str) -> int:
    match field.style:
        case "mac":
            return _mac(text, what)
        case "ipv4":
            return _address(text, socket.AF_INET, what)
        case "ipv6":
            return _address(text, socket.AF_INET6, what)
    return number(text, _bits_of(field), what)


def hex_text(value: int) -> str:
    """C's %#x: zero has no prefix."""
    return f"{value:#x}" if value else "0"


def mac_text(value: int) -> str:
    """A 48-bit number as 00:11:22:33:44:55."""
    return value.to_bytes(6, "big").hex(":")


def _address_text(value: int, bits: int) -> str:
    family = socket.AF_INET if bits == 32 else socket.AF_INET6
    return socket.inet_ntop(family, value.to_bytes(bits // 8, "big"))


def address_text(value: int, mask: int, bits: int) -> str:
    """An IPv4 (32 bits) or IPv6 address, with /prefix or /mask unless exact."""
    text, full = _address_text(value, bits), (1 << bits) - 1
    if mask == full:
        return text
    length = mask.bit_count()
    if mask == full >> (bits - length) << (bits - length):
        return f"{text}/{length}"
    return f"{text}/{_address_text(mask, bits)}"


def flags_text(value: int, mask: int, field: Field, *, exact: bool = False) -> str:
    """TCP or tunnel flags: syn|ack if exact, else +syn-ack."""
    names = _TCP_FLAGS if field.style == "flags" else _TUNNEL_FLAGS
    if mask == field.all_ones and (field.style == "flags" or exact):
        return "|".join(name for i, name in enumerate(names) if value >> i & 1) or "0"
    return "".join(f"{'+-'[not value >> i & 1]}{name}" for i, name in enumerate(names) if mask >> i & 1)


def format_value(field: Field, value: int, mask: int | None = None) -> str:
    """As set_field and learn spell it."""
    exact = mask is None or mask == (1 << _bits_of(field)) - 1
    full = field.all_ones if mask is None else mask
    match field.style:
        case "mac":
            return mac_text(value) if exact else f"{mac_text(value)}/{mac_text(full)}"
        case "ipv4" | "ipv6":
            return address_text(value, full, field.bits)
        case "flags" | "tunnel":
            return flags_text(value, full, field, exact=exact)
        case "port":
            return format_port(value)
        case "decimal" if exact:
            return str(value)
    return hex_text(value) if exact else f"{hex_text(value)}/{full:#x}"


def parse_field(name: str, what: str) -> Field:
    """The field of this name, alias, or OXM/NXM name."""
    found = BY_NAME.get(name) or BY_NAME.get(name.upper()) or BY_NAME.get(name.lower())
    if found is None:
        raise FlowError(f"{what}: no field {name!r}; ovs-fields(7) lists them")
    return found
