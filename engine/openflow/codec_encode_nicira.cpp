// SPDX-License-Identifier: Apache-2.0
// Nicira's extension actions to the wire; the mirror of codec_nicira.cpp.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

uint16_t offset_and_n(const Bits& bits) { return static_cast<uint16_t>(bits.from << 6 | (bits.n - 1)); }

// A property of CONTROLLER2: its length leaves the padding out.
void put_property(Wire& out, uint16_t type, Bytes value) {
    const size_t start = out.size();
    put16(out, type);
    put16(out, static_cast<uint16_t>(4 + value.size()));
    put(out, value);
    pad8(out, start);
}

template <typename T>
void put_number_property(Wire& out, uint16_t type, T number) {
    Wire bytes;
    if constexpr (sizeof(T) == 1)
        put8(bytes, number);
    else if constexpr (sizeof(T) == 2)
        put16(bytes, number);
    else
        put32(bytes, number);
    put_property(out, type, bytes);
}

class Encoder {
public:
    Encoder(Wire& out, uint8_t version) : out_(out), version_(version) {}

    void operator()(const PopQueue&) { done(start_nicira(out_, 5)); }
    void operator()(const Exit&) { done(start_nicira(out_, 17)); }
    void operator()(const Resubmit& a) {
        const size_t start = start_nicira(out_, a.with_table ? 14 : 1);
        put16(out_, port_to10(a.in_port));
        if (a.with_table) put8(out_, a.table);
        done(start);
    }
    void operator()(const Move& a) {
        const size_t start = start_nicira(out_, 6);
        put16(out_, a.from.n);
        put16(out_, a.from.from);
        put16(out_, a.to.from);
        put_bits_header(out_, a.from);
        put_bits_header(out_, a.to);
        done(start);
    }
    void operator()(const StackPush& a) { stack(27, a.bits); }
    void operator()(const StackPop& a) { stack(28, a.bits); }
    void operator()(const OutputReg& a) {
        const bool onf = a.port.field->onf && a.port.field->nxm == 0;
        const size_t start = start_nicira(out_, onf ? 32 : 15);
        put16(out_, offset_and_n(a.port));
        if (onf) put16(out_, a.max_len);
        put_bits_header(out_, a.port);
        if (!onf) put16(out_, a.max_len);
        zeros(out_, 6);
        done(start);
    }
    void operator()(const OutputTrunc& a) {
        const size_t start = start_nicira(out_, 39);
        put16(out_, port_to10(a.port));
        put32(out_, a.max_len);
        done(start);
    }
    void operator()(const Controller& a) {
        if (a.userdata || a.meter >= 0) return controller2(a);
        const size_t start = start_nicira(out_, 20);
        put16(out_, a.max_len);
        put16(out_, a.id);
        put8(out_, a.reason);
        done(start);
    }
    void operator()(const Note& a) {
        const size_t start = start_nicira(out_, 8);
        put(out_, *a.bytes);
        done(start);
    }
    void operator()(const FinTimeout& a) {
        const size_t start = start_nicira(out_, 19);
        put16(out_, a.idle);
        put16(out_, a.hard);
        done(start);
    }
    void operator()(const Conjunction& a) {
        const size_t start = start_nicira(out_, 34);
        put8(out_, a.clause);
        put8(out_, a.clauses);
        put32(out_, a.id);
        done(start);
    }
    void operator()(const Sample& a) {
        const size_t start = start_nicira(out_, 29);
        put16(out_, a.probability);
        put32(out_, a.set);
        put32(out_, a.domain);
        put32(out_, a.point);
        done(start);
    }
    void operator()(const Clone& a) {
        const size_t start = start_nicira(out_, 42);
        zeros(out_, 6);
        encode_actions(out_, version_, *a.actions);
        done(start);
    }
    void operator()(const Multipath& a) {
        const size_t start = start_nicira(out_, 10);
        put16(out_, a.fields);
        put16(out_, a.basis);
        zeros(out_, 2);
        put16(out_, a.algorithm);
        put16(out_, a.max_link);
        put32(out_, a.arg);
        zeros(out_, 2);
        put16(out_, offset_and_n(a.to));
        put_bits_header(out_, a.to);
        done(start);
    }
    void operator()(const Bundle& a) {
        const BundleSpec& spec = *a.spec;
        const size_t start = start_nicira(out_, spec.to.field ? 13 : 12);
        put16(out_, spec.algorithm);
        put16(out_, spec.fields);
        put16(out_, spec.basis);
        put32(out_, oxm_header(0, 0, 2));
        put16(out_, static_cast<uint16_t>(spec.members.size()));
        put16(out_, spec.to.field ? offset_and_n(spec.to) : 0);
        spec.to.field ? put_bits_header(out_, spec.to) : zeros(out_, 4);
        zeros(out_, 4);
        for (const uint32_t port : spec.members) put16(out_, port_to10(port));
        done(start);
    }
    void operator()(const LearnAction& a) { put_learn(out_, *a.learn); }
    template <typename Standard>
    void operator()(const Standard&) {}  // encode_actions() writes those

private:
    void done(size_t start) { end_action(out_, start); }
    void stack(uint16_t subtype, const Bits& bits) {
        const size_t start = start_nicira(out_, subtype);
        put16(out_, bits.from);
        put_bits_header(out_, bits);
        put16(out_, bits.n);
        zeros(out_, 6);
        done(start);
    }
    void controller2(const Controller& a) {
        const size_t start = start_nicira(out_, 37);
        zeros(out_, 6);
        if (a.max_len != 0xffff) put_number_property(out_, 0, a.max_len);
        if (a.id != 0) put_number_property(out_, 1, a.id);
        if (a.reason != 1) put_number_property(out_, 2, a.reason);
        if (a.userdata) put_property(out_, 3, *a.userdata);
        if (a.meter >= 0) put_number_property(out_, 5, static_cast<uint32_t>(a.meter));
        done(start);
    }

    Wire& out_;
    const uint8_t version_;
};

}  // namespace

void put_nicira(Wire& out, uint8_t version, const Action& action) { std::visit(Encoder(out, version), action.is); }

}  // namespace turnout::of
