// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/packets.hpp"

#include <doctest/doctest.h>
#include <rte_mempool.h>

#include <algorithm>
#include <memory>

namespace turnout::test {
namespace {

void put16(Bytes& to, size_t at, size_t value) {
    to[at] = static_cast<uint8_t>(value >> 8);
    to[at + 1] = static_cast<uint8_t>(value);
}

void put32(Bytes& to, size_t at, uint32_t value) {
    put16(to, at, value >> 16);
    put16(to, at + 2, value & 0xffff);
}

// RFC 1071, a byte at a time.
uint32_t sum(const Bytes& of, size_t from, size_t size) {
    uint32_t total = 0;
    for (size_t i = 0; i < size; i++) total += i % 2 ? of[from + i] : of[from + i] * 256u;
    while (total > 0xffff) total = (total >> 16) + (total & 0xffff);
    return total;
}

uint32_t pseudo_header(const Made& made, const Bytes& frame) {
    const uint32_t protocol = made.tcp ? 6 : 17;
    const auto length = static_cast<uint32_t>(frame.size() - made.l2() - made.l3());
    const uint32_t addresses = made.v6 ? sum(frame, made.l2() + 8, 32) : sum(frame, made.l2() + 12, 8);
    const uint32_t total = addresses + protocol + length;
    return (total >> 16) + (total & 0xffff);
}

void put_ip(const Made& made, Bytes& frame) {
    const size_t ip = made.l2();
    const uint8_t protocol = made.tcp ? 6 : 17;
    if (made.v6) {
        frame[ip] = 0x60;
        put16(frame, ip + 4, frame.size() - ip - 40);
        frame[ip + 6] = made.ip_extra ? 0 : protocol;
        frame[ip + 7] = 64;
        for (size_t i = 8; i < 40; i++) frame[ip + i] = static_cast<uint8_t>(0xe0 + i);
        if (made.ip_extra) {  // hop-by-hop: one PadN
            frame[ip + 40] = protocol;
            frame[ip + 41] = static_cast<uint8_t>(made.ip_extra / 8 - 1);
            frame[ip + 42] = 1;
            frame[ip + 43] = static_cast<uint8_t>(std::min<size_t>(made.ip_extra - 4, 255));
        }
        return;
    }
    frame[ip] = static_cast<uint8_t>(0x40 | (20 + made.ip_extra) / 4);
    put16(frame, ip + 2, frame.size() - ip);
    put16(frame, ip + 4, made.id);
    frame[ip + 6] = 0x40;
    frame[ip + 8] = 64;
    frame[ip + 9] = protocol;
    put32(frame, ip + 12, 0xc0a8fffe);
    put32(frame, ip + 16, 0x0affff02);
    for (size_t i = 0; i < made.ip_extra; i++) frame[ip + 20 + i] = 1;  // no operation
    put16(frame, ip + 10, 0);
    put16(frame, ip + 10, ~sum(frame, ip, 20 + made.ip_extra) & 0xffff);
}

void put_l4(const Made& made, Bytes& frame) {
    const size_t l4 = made.l2() + made.l3();
    put16(frame, l4, 40000);
    put16(frame, l4 + 2, 5201);
    if (made.tcp) {
        put32(frame, l4 + 4, made.seq);
        put32(frame, l4 + 8, 0x01020304);
        frame[l4 + 12] = static_cast<uint8_t>(made.l4() / 4 << 4);
        frame[l4 + 13] = made.flags;
        put16(frame, l4 + 14, 512);
        for (size_t i = 0; i < made.tcp_options; i++) frame[l4 + 20 + i] = 1;  // no operation
    } else {
        put16(frame, l4 + 4, frame.size() - l4);
    }
}

Bytes frame_of(const Made& made, std::span<const uint8_t> payload, Checksum checksum) {
    Bytes frame(made.headers());
    for (size_t i = 0; i < 12; i++) frame[i] = static_cast<uint8_t>(2 + i);
    if (made.vlan) put32(frame, 12, 0x81006005);
    put16(frame, made.l2() - 2, made.v6 ? 0x86dd : 0x0800);
    frame.insert(frame.end(), payload.begin(), payload.end());
    put_ip(made, frame);
    put_l4(made, frame);
    const size_t l4 = made.l2() + made.l3();
    put16(frame, made.checksum_at(), pseudo_header(made, frame));
    if (checksum == Checksum::Full) {
        const uint32_t value = ~sum(frame, l4, frame.size() - l4) & 0xffff;
        put16(frame, made.checksum_at(), value ? value : 0xffff);
    }
    return frame;
}

Bytes pattern(size_t size) {
    Bytes payload(size);
    for (size_t i = 0; i < size; i++) payload[i] = static_cast<uint8_t>(i * 7 + i / 256 + 0xc0);
    return payload;
}

struct Owner {
    rte_mbuf_ext_shared_info shared;
    std::unique_ptr<uint8_t[]> data;
};

}  // namespace

Bytes bytes(const Made& made, Checksum checksum) { return frame_of(made, pattern(made.payload), checksum); }

std::vector<Bytes> segments(const Made& made, size_t mss) {
    const Bytes payload = pattern(made.payload);
    std::vector<Bytes> all;
    for (size_t at = 0; at < payload.size(); at += mss) {
        const size_t size = std::min(mss, payload.size() - at);
        Made one = made;
        one.seq += static_cast<uint32_t>(at);
        one.id = static_cast<uint16_t>(one.id + all.size());
        if (at != 0) one.flags &= 0x7f;                      // CWR: on the first alone
        if (at + size != payload.size()) one.flags &= 0xf6;  // PSH, FIN: on the last alone
        all.push_back(frame_of(one, std::span(payload).subspan(at, size), Checksum::Full));
    }
    return all;
}

rte_mbuf* mbuf(std::span<const uint8_t> bytes, size_t first, size_t rest) {
    rte_mbuf* packet = nullptr;
    for (size_t size = first;; size = rest) {
        const auto part = bytes.first(std::min(size, bytes.size()));
        auto* owner = new Owner{{}, std::make_unique<uint8_t[]>(part.size())};
        std::copy(part.begin(), part.end(), owner->data.get());
        owner->shared.free_cb = [](void*, void* self) { delete static_cast<Owner*>(self); };
        owner->shared.fcb_opaque = owner;
        owner->shared.refcnt = 1;
        rte_mbuf* segment = rte_pktmbuf_alloc(pool());
        REQUIRE(segment);
        const auto length = static_cast<uint16_t>(part.size());
        rte_pktmbuf_attach_extbuf(segment, owner->data.get(), RTE_BAD_IOVA, length, &owner->shared);
        segment->data_len = length;
        segment->pkt_len = length;
        if (packet)
            REQUIRE(rte_pktmbuf_chain(packet, segment) == 0);
        else
            packet = segment;
        bytes = bytes.subspan(part.size());
        if (bytes.empty()) return packet;
    }
}

Bytes bytes(const rte_mbuf* packet) {
    Bytes all;
    for (const rte_mbuf* segment = packet; segment; segment = segment->next) {
        const auto* data = rte_pktmbuf_mtod(segment, const uint8_t*);
        all.insert(all.end(), data, data + segment->data_len);
    }
    CHECK(all.size() == packet->pkt_len);
    return all;
}

NothingLost::~NothingLost() { CHECK(rte_mempool_in_use_count(pool()) == 0); }

}  // namespace turnout::test
