// SPDX-License-Identifier: Apache-2.0
// An OpenFlow meter: bands over the rate of the packets that pass it (OpenFlow 1.3.5, 5.7).
//
// Shared by all workers: the rate is that of all of them together. rte_meter does the arithmetic.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/tally.hpp"

namespace turnout::of {

struct MeterConfig {
    enum : uint16_t { kKbps = 1, kPktps = 2, kBurst = 4, kStats = 8 };
    uint16_t flags = kKbps;
    struct Band {
        enum Type : uint16_t { Drop = 1, DscpRemark = 2 } type;
        uint32_t rate, burst;  // kbit/s and kbit, or packets/s and packets
        uint8_t prec_level = 0;
    };
    std::vector<Band> bands;
};

struct Meter {
    uint32_t id = 0;
    MeterConfig config;
    TallyId tally = 0;                // of what came in
    std::vector<TallyId> band_tally;  // of what each band took
    struct State;
    std::shared_ptr<State> state;  // engine/act/meter.cpp: tokens

    static std::shared_ptr<State> make_state(const MeterConfig& config);
};

}  // namespace turnout::of
