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
    SamePort,           // its only way out is the port that it came in by
    NoOtherPort,        // flooded, but no other port carries the VLAN
    NoMbuf,             // the mbuf pool was empty when a copy was needed
    TooLong,            // longer than the output port's MTU
    NoSegments,         // a TCP super-packet could not be cut for a port that needs it cut
    Refused,            // the output port's driver can't send such a packet
    PortDown,           // nobody is attached to the output port
    TxFull,             // the output port's queue is full: its peer reads too slowly
    PatchLoop,          // went through more patch ports than any sane topology has
    PatchNoPeer,        // the patch port's peer does not exist
    NoRule,             // OpenFlow: no rule of the table matches
    ByRule,             // OpenFlow: the rules that match send it nowhere
    Meter,              // OpenFlow: over a meter's rate
    TtlExpired,         // OpenFlow: its TTL would become 0
    Fragment,           // OpenFlow: an IP fragment, and the bridge drops them
    NoLiveBucket,       // OpenFlow: the group has no bucket that is alive, or does not exist
    NoSuchPort,         // OpenFlow: output to a port that the bridge does not have
    PortNoRecv,         // OpenFlow: the input port is set to drop what it receives
    PortNoFwd,          // OpenFlow: the output port is set to send nothing
    TooManyResubmits,   // OpenFlow: more tables than a packet may walk through
    BadAction,          // OpenFlow: an action that can't be carried out on this packet
    PacketInFull,       // OpenFlow: for a controller, but more are waiting than control takes
    Count
};

constexpr unsigned kDropReasons = static_cast<unsigned>(Drop::Count);

constexpr std::array<std::string_view, kDropReasons> kDropNames{
    "runt",         "vlan-not-allowed", "reserved-multicast", "same-port",      "no-other-port",
    "no-mbuf",      "too-long",         "no-segments",        "refused",        "port-down",
    "tx-full",      "patch-loop",       "patch-no-peer",      "no-rule",        "by-rule",
    "meter",        "ttl-expired",      "fragment",           "no-live-bucket", "no-such-port",
    "port-no-recv", "port-no-fwd",      "too-many-resubmits", "bad-action",     "packet-in-full",
};
static_assert(!kDropNames.back().empty());

}  // namespace turnout
