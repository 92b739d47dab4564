// SPDX-License-Identifier: Apache-2.0
// A bridge's OpenFlow state as workers see it. Control changes it beside them: rules by version (classifier.hpp),
// groups, meters and settings by replacing what a pointer points to, the old going to the reclaimer.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/act/meter.hpp"
#include "engine/classify/classifier.hpp"
#include "engine/openflow/action.hpp"
#include "engine/openflow/changes.hpp"
#include "engine/parse/parse.hpp"

namespace turnout::of {

inline constexpr unsigned kTables = 254;
inline constexpr uint8_t kAllTables = 255;
inline constexpr uint32_t kAllGroups = 0xfffffffc, kAnyGroup = 0xffffffff;

struct Bucket {
    uint32_t id = 0;  // Open vSwitch's bucket_id
    uint16_t weight = 1;
    uint32_t watch_port = kPortAny, watch_group = kAnyGroup;
    Actions actions;
    TallyId tally = 0;
};

struct Group {
    enum Type : uint8_t { All, Select, Indirect, FastFailover } type = All;
    uint32_t id = 0;
    std::vector<Bucket> buckets;
    TallyId tally = 0;
    bool dp_hash = true;  // select: by the 5-tuple; else by `fields`
    uint64_t hash_param = 0;
    std::vector<const Field*> fields;                                  // NTR selection_method=hash,fields(…)
    FlowKey hash_mask{};                                               // the bits of `fields` that count
    enum Method : uint8_t { Unnamed, Hash, DpHash } method = Unnamed;  // as the controller named it, for replies
};

using Groups = std::unordered_map<uint32_t, std::shared_ptr<const Group>>;
using Meters = std::unordered_map<uint32_t, std::shared_ptr<Meter>>;

// What the packets' keys are needed for: published before any rule that reads more.
struct Reads {
    FlowKey mask{};           // bits of the key as it arrives that rules or actions look at
    Depth depth = Depth::L2;  // how deep to parse
    bool port_only = false;   // nothing of the packet itself: all that come from one port find the same rules
};

enum class Frag : uint8_t { Normal = 0, Drop = 1, Reassemble = 2, NxMatch = 3 };

struct Pipeline {
    explicit Pipeline(Reclaimer& reclaimer) {
        for (auto& table : tables) table = std::make_unique<Classifier>(reclaimer);
    }

    std::array<std::unique_ptr<Classifier>, kTables> tables;
    std::array<std::atomic<uint8_t>, kTables> miss_to_controller{};  // 1: as an OpenFlow 1.0 table treats a miss
    std::array<TallyId, kTables> looked_up{}, matched{};             // tallies
    std::atomic<Version> version{1};
    Changes changes;
    std::atomic<const Reads*> reads{nullptr};  // never null once published
    std::atomic<const Groups*> groups{nullptr};
    std::atomic<const Meters*> meters{nullptr};
    std::atomic<Frag> frag{Frag::Normal};
    std::atomic<uint16_t> miss_send_len{128};
    // Set while this rule alone, matching everything, sends all to NORMAL: the worker then needs no keys at all.
    std::atomic<const Rule*> all_normal{nullptr};
};

}  // namespace turnout::of
