// SPDX-License-Identifier: Apache-2.0
// Why a packet was dropped. Every drop has one of these reasons and is counted per worker and port.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace turnout {

enum class Drop : uint8_t {
    Runt,               // shorter than an Ethernet header, or a VLAN tag cut off
    VlanNotAllowed,     // the port does not carry the packet's VLAN
    ReservedMulticast,  // 01:80:c2:00:00:0x belongs to the link and is never forwarded
    SamePort,           // the destination was learned on the port that the packet came from
    NoOtherPort,        // flooded, but no other port carries the VLAN
    NoMbuf,             // the mbuf pool was empty when a copy was needed
    TooLong,            // longer than the output port's MTU
    NoSegments,         // a TCP super-packet could not be cut for a port that needs it cut
    Refused,            // the output port's driver can't send such a packet
    PortDown,           // nobody is attached to the output port
    TxFull,             // the output port's queue is full: its peer reads too slowly
    PatchLoop,          // went through more patch ports than any sane topology has
    PatchNoPeer,        // the patch port's peer does not exist
    Count
};

constexpr unsigned kDropReasons = static_cast<unsigned>(Drop::Count);

constexpr std::array<std::string_view, kDropReasons> kDropNames{
    "runt",        "vlan-not-allowed", "reserved-multicast", "same-port", "no-other-port", "no-mbuf",       "too-long",
    "no-segments", "refused",          "port-down",          "tx-full",   "patch-loop",    "patch-no-peer",
};

}  // namespace turnout
