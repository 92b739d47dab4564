// SPDX-License-Identifier: Apache-2.0
// Actions and instructions as the datapath carries them out, whatever version of OpenFlow or extension they came in.
//
// The codec turns wire bytes into these and back; engine/act carries them out. A kind per meaning, not per spelling:
// where two spellings mean the same, a flag keeps the one that the controller used, for replies.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "engine/flow/fields.hpp"
#include "engine/flow/match.hpp"

namespace turnout::of {

// OpenFlow port numbers, as OpenFlow 1.1 and later write them (1.0's 16-bit ones are widened by the codec).
enum : uint32_t {
    kPortMax = 0xffffff00,
    kPortInPort = 0xfffffff8,
    kPortTable = 0xfffffff9,
    kPortNormal = 0xfffffffa,
    kPortFlood = 0xfffffffb,
    kPortAll = 0xfffffffc,
    kPortController = 0xfffffffd,
    kPortLocal = 0xfffffffe,
    kPortAny = 0xffffffff,  // 1.0: OFPP_NONE
};

// A run of bits of a field; `from` counts from the field's least significant bit.
struct Bits {
    const Field* field = nullptr;
    uint16_t from = 0, n = 0;
};

struct Action;
using Actions = std::vector<Action>;

struct Output {
    uint32_t port;
    uint16_t max_len;
};  // OFPP_CONTROLLER too: max_len bytes go up
struct OutputReg {
    Bits port;
    uint16_t max_len;
};
struct OutputTrunc {
    uint32_t port;
    uint32_t max_len;
};  // the packet cut to max_len bytes
struct Enqueue {
    uint32_t port;
    uint32_t queue;
};
struct Controller {  // NXAST_CONTROLLER and CONTROLLER2
    uint16_t max_len = 0xffff, id = 0;
    uint8_t reason = 1;  // OFPR_ACTION
    int32_t meter = -1;  // provider meter; -1: none
    std::shared_ptr<const std::vector<uint8_t>> userdata;
};
struct ToGroup {
    uint32_t group;
};
struct SetQueue {
    uint32_t queue;
};
struct PopQueue {};

// Bytes as they lie in the key: the first field->bytes of each; bits outside of the mask stay.
struct SetField {
    const Field* field;
    std::array<uint8_t, 16> value, mask;
    // OFPAT_SET_FIELD, NXAST_REG_LOAD, NXAST_REG_LOAD2, or an action of its own: mod_*, set_nw_ttl, set_tunnel. A
    // legacy tcp_src or tcp_dst means the port of whichever transport the packet has.
    enum Spelled : uint8_t { Set, Load, Load2, Legacy, Legacy64 } spelled;
};
struct Move {
    Bits from, to;
};
struct StackPush {
    Bits bits;
};
struct StackPop {
    Bits bits;
};

struct SetVlanVid {
    uint16_t vid;
    bool tagged = false;  // the match, or an action before, says that there is a tag
};                        // OpenFlow 1.0's: pushes a tag where there is none
struct SetVlanPcp {
    uint8_t pcp;
    bool tagged = false;
};
struct PushVlan {
    Be16 tpid;
};
struct PopVlan {
    bool strip;
};  // `strip`: OpenFlow 1.0's spelling
struct PushMpls {
    Be16 eth_type;
};
struct PopMpls {
    Be16 eth_type;
};
struct SetMplsTtl {
    uint8_t ttl;
};
struct DecMplsTtl {};
struct PushPbb {
    Be16 tpid;
};
struct PopPbb {};
struct CopyTtlOut {};
struct CopyTtlIn {};
struct DecTtl {
    std::shared_ptr<const std::vector<uint16_t>> controllers;
};  // null: OFPAT_DEC_NW_TTL, controller 0

struct Resubmit {
    uint32_t in_port;
    uint8_t table;
    bool with_table;
};  // in_port kPortInPort: unchanged; table 255: this one
struct Note {
    std::shared_ptr<const std::vector<uint8_t>> bytes;
};
struct Exit {};
struct FinTimeout {
    uint16_t idle, hard;
};  // [s]
struct Conjunction {
    uint32_t id;
    uint8_t clause, clauses;
};  // clause counts from 0
struct Sample {
    uint16_t probability;
    uint32_t set, domain, point;
};  // does nothing here
struct Clone {
    std::shared_ptr<const Actions> actions;
};

struct Learn;
struct Multipath {
    uint16_t fields, basis, algorithm, max_link;
    uint32_t arg;
    Bits to;
};
struct BundleSpec {
    uint16_t algorithm, fields, basis;
    std::vector<uint32_t> members;  // OpenFlow ports
    Bits to;                        // bundle_load: where the port's number goes; field null: output to it
};
struct Bundle {
    std::shared_ptr<const BundleSpec> spec;
};
struct LearnAction {
    std::shared_ptr<const Learn> learn;
};

struct Action {
    std::variant<Output, OutputReg, OutputTrunc, Enqueue, Controller, ToGroup, SetQueue, PopQueue, SetField, Move,
                 StackPush, StackPop, SetVlanVid, SetVlanPcp, PushVlan, PopVlan, PushMpls, PopMpls, SetMplsTtl,
                 DecMplsTtl, PushPbb, PopPbb, CopyTtlOut, CopyTtlIn, DecTtl, Resubmit, Note, Exit, FinTimeout,
                 Conjunction, Sample, Clone, Multipath, Bundle, LearnAction>
        is;
};

// NXAST_LEARN: the flow that a packet makes.
struct Learn {
    uint16_t idle, hard, priority;
    uint64_t cookie;
    uint16_t flags;
    uint8_t table;
    uint16_t fin_idle, fin_hard;
    struct Spec {
        enum Kind : uint8_t { Match, Load, Output } kind;
        bool from_field;
        Bits from;                       // if from_field
        std::vector<uint8_t> immediate;  // else: big-endian, (n + 15) / 16 * 2 bytes as on the wire
        Bits to;                         // of Output only its n counts
    };
    std::vector<Spec> specs;
};

// What a rule does with its packets: its instructions. Rules with the same instructions share one; immutable.
struct Program {
    uint32_t meter = 0;  // 0: none
    Actions apply;
    bool clear = false;
    bool has_write = false;  // an (even empty) write_actions was given
    Actions write;
    bool has_metadata = false;
    Be64 metadata{}, metadata_mask{};
    bool has_goto = false;
    uint8_t goto_table = 0;
};

}  // namespace turnout::of
