// SPDX-License-Identifier: Apache-2.0
// A packet on its way through flow tables: its bytes, its key, and what is known of both.
//
// Fields are set in the key; the bytes follow when somebody needs them (commit()), so that a packet whose fields are
// set five times is written once. Headers are pushed and popped in the bytes; the key follows when somebody needs it
// (need()).
//
// Bytes may be shared with other mbufs. What edits them asks for writable() first. Functions that return false found no
// free mbuf: the packet is as it was, and its owner drops it.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <span>

#include "engine/act/action_set.hpp"
#include "engine/base/drop.hpp"
#include "engine/base/types.hpp"
#include "engine/flow/key.hpp"
#include "engine/parse/parse.hpp"

namespace turnout {

struct Rule;

// Parts of a key, as bits.
enum Part : uint8_t {
    kPartEth = 1,       // MAC addresses
    kPartVlan = 2,      // tags
    kPartLabels = 4,    // MPLS, PBB
    kPartNet = 8,       // IP, ARP
    kPartL4 = 16,       // ports, ICMP, ND
    kPartPipeline = 32  // no bytes: metadata, registers, tunnel
};
Part part_of(size_t offset);  // in the key

struct Packet {
    // Where the mbuf itself goes in the end, beside a PortNo.
    static constexpr PortNo kNowhere = kNoPort, kNormal = 0xfffd;

    FlowKey key;
    rte_mbuf* mbuf;
    Layers layers;
    Depth depth;      // that key and layers are good for
    uint8_t changed;  // Parts of the key that the bytes don't follow yet
    bool stale;       // headers came or went: key and layers are those of before
    bool opaque;      // what it finds from here on depends on more than the key that it came with
    bool sent;        // copies went somewhere: nothing is dropped if the mbuf itself goes nowhere
    PortNo out;
    Drop why;          // if it goes nowhere
    uint32_t queue;    // set_queue; no port has queues yet
    const Rule* rule;  // the last that it matched; null: none yet
    ActionSet* set;    // null: write_actions have no effect (within clone and bucket)
    // Of the last packet that was here, for the next one:
    bool registers = false;  // tunnel, registers, marks may be other than zero
    bool usual = false;      // the key is as parse_usual() left it, ports, metadata and registers apart

    uint8_t* bytes() const { return rte_pktmbuf_mtod(mbuf, uint8_t*); }
};

// The contiguous start of a frame that is long enough to parse; `spare` takes it where the first segment is too short.
inline constexpr size_t kHead = 256;
std::span<const uint8_t> head_of_chain(const rte_mbuf* mbuf, std::array<uint8_t, kHead>& spare);
inline std::span<const uint8_t> head_of(const rte_mbuf* mbuf, std::array<uint8_t, kHead>& spare) {
    if (mbuf->data_len >= kHead || mbuf->data_len == mbuf->pkt_len) [[likely]]
        return {rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len};
    return head_of_chain(mbuf, spare);
}

// Key and layers from the bytes; nothing may be left to commit().
void parse_again(Packet& packet, Depth depth);

// Makes the bytes this packet's own, and the first kHead of them contiguous.
bool writable(Packet& packet);
// Inserts `n` bytes (not set) `at` bytes into the packet, or takes them out there. n at most 64; `at` within kHead.
bool insert(Packet& packet, uint32_t at, uint16_t n);
bool remove(Packet& packet, uint32_t at, uint16_t n);

// Writes what changed in the key to the bytes, checksums too.
bool commit(Packet& packet);

}  // namespace turnout
