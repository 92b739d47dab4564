// SPDX-License-Identifier: Apache-2.0
#include "engine/parse/stages.hpp"

namespace turnout {
namespace {

void take_ports(const uint8_t* header, Transport& tp) {
    tp.src = load<Be16>(header);
    tp.dst = load<Be16>(header + 2);
}

void parse_tcp(Cursor in, Transport& tp) {
    if (!in.has(20)) return;
    const uint16_t offset_flags = load<Be16>(in.at + 12).host();
    const size_t header = (offset_flags >> 12) * 4u;
    if (header < 20 || !in.has(header)) return;
    take_ports(in.at, tp);
    tp.tcp_flags = Be16::of(offset_flags & 0x0fff);
}

void parse_ports(Cursor in, size_t header, Transport& tp) {
    if (in.has(header)) take_ports(in.at, tp);
}

// Link-layer address options are 8 bytes long. One that comes twice makes the whole message unsound.
void parse_neighbour_discovery(Cursor in, Transport& tp) {
    constexpr MacAddr kUnset{};
    constexpr uint8_t kSourceAddress = 1, kTargetAddress = 2;

    const uint8_t* target = in.take(16);
    if (target == nullptr) return;
    tp.nd_target = load<Ipv6Addr>(target);

    while (in.has(8)) {
        const uint8_t* option = in.at;
        const size_t length = option[1] * 8u;
        if (length == 0 || in.take(length) == nullptr) return;
        if (length != 8 || (option[0] != kSourceAddress && option[0] != kTargetAddress)) continue;
        MacAddr& address = option[0] == kSourceAddress ? tp.nd_sll : tp.nd_tll;
        if (address != kUnset) {
            tp.nd_target = {};
            tp.nd_sll = tp.nd_tll = {};
            return;
        }
        address = load<MacAddr>(option + 2);
    }
}

// Type and code take the places of the ports, each as a 16-bit number.
const uint8_t* parse_icmp(Cursor& in, Transport& tp) {
    const uint8_t* icmp = in.take(8);
    if (icmp != nullptr) {
        tp.src = Be16::of(icmp[0]);
        tp.dst = Be16::of(icmp[1]);
    }
    return icmp;
}

void parse_icmpv6(Cursor in, Transport& tp) {
    const uint8_t* icmp = parse_icmp(in, tp);
    if (icmp != nullptr && (icmp[0] == 135 || icmp[0] == 136) && icmp[1] == 0) parse_neighbour_discovery(in, tp);
}

}  // namespace

void parse_transport(Cursor in, uint8_t proto, Transport& tp) noexcept {
    switch (proto) {
        case 6:
            return parse_tcp(in, tp);
        case 17:
            return parse_ports(in, 8, tp);
        case 132:
            return parse_ports(in, 12, tp);
        case 1:
            parse_icmp(in, tp);
            return;
        case 58:
            return parse_icmpv6(in, tp);
    }
}

}  // namespace turnout
