// SPDX-License-Identifier: Apache-2.0
// OpenFlow 1.3 messages byte by byte, and a datapath without packets, for the tables' tests.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <vector>

#include "engine/openflow/tables.hpp"

namespace turnout::of::test {

// What tables need around them, on one thread: time is set by hand, counters too.
class LoneHost : public Host {
public:
    Reclaimer& reclaimer() override { return reclaimer_; }
    TallyId new_tally() override {
        tallies[++last_] = {};
        return last_;
    }
    void free_tally(TallyId id) override { freed_twice |= tallies.erase(id) != 1; }
    Tally tally(TallyId id) const override { return tallies.at(id); }
    uint32_t second() const override { return static_cast<uint32_t>(now / 1'000'000'000); }
    uint64_t now_ns() const override { return now; }
    void wait_for_workers() override { waits++; }
    bool port_exists(uint32_t) const override { return true; }
    void packet_out(const PacketOut& packet) override { packets.push_back(packet.in_port); }

    void pass(double seconds) { now += static_cast<uint64_t>(seconds * 1e9); }

    std::map<TallyId, Tally> tallies;
    std::vector<uint32_t> packets;  // in_ports of the packet-outs
    uint64_t now = 1'000'000'000;
    unsigned waits = 0;
    bool freed_twice = false;

private:
    FreeAtOnce reclaimer_;
    TallyId last_ = 0;
};

struct Builder {
    Wire bytes;
    Builder& u8(uint64_t v) { return number(v, 1); }
    Builder& u16(uint64_t v) { return number(v, 2); }
    Builder& u32(uint64_t v) { return number(v, 4); }
    Builder& u64(uint64_t v) { return number(v, 8); }
    Builder& zeros(size_t n) {
        bytes.resize(bytes.size() + n);
        return *this;
    }
    Builder& add(const Wire& more) {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return *this;
    }

private:
    Builder& number(uint64_t v, int n) {
        while (n--) bytes.push_back(static_cast<uint8_t>(v >> 8 * n));
        return *this;
    }
};

inline Wire message(uint8_t version, uint8_t type, uint32_t xid, const Wire& body) {
    return Builder{}.u8(version).u8(type).u16(8 + body.size()).u32(xid).add(body).bytes;
}

inline Wire output(uint32_t port) { return Builder{}.u16(0).u16(16).u32(port).u16(0).zeros(6).bytes; }
inline Wire to_group(uint32_t group) { return Builder{}.u16(22).u16(8).u32(group).bytes; }
inline Wire apply(const Wire& actions) { return Builder{}.u16(4).u16(8 + actions.size()).zeros(4).add(actions).bytes; }
inline Wire goto_table(uint8_t table) { return Builder{}.u16(1).u16(8).u8(table).zeros(3).bytes; }
inline Wire meter(uint32_t id) { return Builder{}.u16(6).u16(8).u32(id).bytes; }

inline Wire in_port(uint32_t port) { return Builder{}.u32(0x80000004).u32(port).bytes; }
inline Wire ip_to(uint32_t address, unsigned prefix = 32) {
    Builder made;
    made.u32(0x80000a02).u16(0x0800);
    const auto mask = prefix ? ~uint32_t{0} << (32 - prefix) : 0;
    if (prefix == 32) return made.u32(0x80001804).u32(address).bytes;
    return made.u32(0x80001908).u32(address & mask).u32(mask).bytes;
}

struct FlowModOf {
    uint8_t command = FlowMod::Add;
    uint8_t table = 0;
    uint16_t priority = 0x8000;
    Wire match = {}, instructions = apply(output(1));
    uint64_t cookie = 0, cookie_mask = 0;
    uint16_t idle = 0, hard = 0, flags = 0;
    uint32_t buffer = 0xffffffff, out_port = kPortAny, out_group = kAnyGroup;
    uint32_t xid = 7;
    uint16_t importance = 0;
    uint8_t version = kOf13;
};

inline Wire flow_mod(const FlowModOf& of) {
    const size_t padded = (4 + of.match.size() + 7) / 8 * 8;
    return message(
        of.version, 14, of.xid,
        Builder{}
            .u64(of.cookie)
            .u64(of.cookie_mask)
            .u8(of.table)
            .u8(of.command)
            .u16(of.idle)
            .u16(of.hard)
            .u16(of.priority)
            .u32(of.buffer)
            .u32(of.out_port)
            .u32(of.out_group)
            .u16(of.flags)
            .u16(of.version >= kOf14 ? of.importance : 0)
            .u16(1)
            .u16(4 + of.match.size())
            .add(of.match)
            .zeros(padded - 4 - of.match.size())
            .add(of.command == FlowMod::Delete || of.command == FlowMod::DeleteStrict ? Wire{} : of.instructions)
            .bytes);
}

struct BucketOf {
    Wire actions = output(1);
    uint16_t weight = 0;
    uint32_t watch_port = kPortAny, watch_group = kAnyGroup;
};

inline Wire group_mod(uint16_t command, uint8_t type, uint32_t id, const std::vector<BucketOf>& buckets = {},
                      uint32_t xid = 8) {
    Builder made;
    made.u16(command).u8(type).u8(0).u32(id);
    for (const BucketOf& bucket : buckets)
        made.u16(16 + bucket.actions.size())
            .u16(bucket.weight)
            .u32(bucket.watch_port)
            .u32(bucket.watch_group)
            .zeros(4)
            .add(bucket.actions);
    return message(kOf13, 15, xid, made.bytes);
}

inline Wire meter_mod(uint16_t command, uint32_t id, unsigned bands = 1, uint16_t flags = MeterConfig::kKbps) {
    Builder made;
    made.u16(command).u16(flags).u32(id);
    for (unsigned i = 0; i < bands; i++) made.u16(1).u16(16).u32(1000 * (i + 1)).u32(0).zeros(4);
    return message(kOf13, 29, 9, made.bytes);
}

inline Wire packet_out(uint32_t in_port, const Wire& actions, uint32_t buffer = 0xffffffff) {
    return message(kOf13, 13, 10,
                   Builder{}.u32(buffer).u32(in_port).u16(actions.size()).zeros(6).add(actions).add(Wire(60)).bytes);
}

inline Wire barrier(uint32_t xid = 11) { return message(kOf13, 20, xid, {}); }

inline Wire multipart(uint16_t type, const Wire& body = {}) {
    return message(kOf13, 18, 12, Builder{}.u16(type).zeros(6).add(body).bytes);
}

}  // namespace turnout::of::test
