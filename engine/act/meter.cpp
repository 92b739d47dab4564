// SPDX-License-Identifier: Apache-2.0
#include "engine/act/meter.hpp"

#include <rte_cycles.h>
#include <rte_meter.h>
#include <rte_spinlock.h>

#include <algorithm>

#include "engine/act/metering.hpp"

namespace turnout::of {
namespace {

constexpr uint64_t kLeastBurst = 1518;  // bytes: a bucket smaller than a frame would never let one pass

}  // namespace

struct Meter::State {
    struct Bucket {
        rte_meter_srtcm_profile profile;
        rte_meter_srtcm tokens;
        bool none;  // rate 0: nothing conforms
    };
    rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
    std::vector<Bucket> buckets;  // of each band
    uint64_t last = 0;            // the latest time seen: workers' clocks may differ a little
};

std::shared_ptr<Meter::State> Meter::make_state(const MeterConfig& config) {
    auto state = std::make_shared<State>();
    const bool packets = config.flags & MeterConfig::kPktps;
    const uint64_t unit = packets ? 1 : 1000 / 8;  // tokens in a packet, or bytes in a kbit
    for (const MeterConfig::Band& band : config.bands) {
        const bool has_burst = config.flags & MeterConfig::kBurst && band.burst != 0;
        rte_meter_srtcm_params params{};
        params.cir = band.rate * unit;
        params.cbs = std::max((has_burst ? band.burst : band.rate) * unit, packets ? 1 : kLeastBurst);
        State::Bucket bucket{};
        bucket.none = band.rate == 0 || rte_meter_srtcm_profile_config(&bucket.profile, &params) != 0 ||
                      rte_meter_srtcm_config(&bucket.tokens, &bucket.profile) != 0;
        state->last = std::max(state->last, bucket.tokens.time);
        state->buckets.push_back(bucket);
    }
    return state;
}

int exceeded_band(const Meter& meter, uint32_t bytes, uint64_t tsc) {
    Meter::State& state = *meter.state;
    const uint32_t size = meter.config.flags & MeterConfig::kPktps ? 1 : bytes;
    int exceeded = -1;
    rte_spinlock_lock(&state.lock);
    tsc = state.last = std::max(state.last, tsc);
    for (size_t i = 0; i < state.buckets.size(); i++) {
        Meter::State::Bucket& bucket = state.buckets[i];
        if (!bucket.none &&
            rte_meter_srtcm_color_blind_check(&bucket.tokens, &bucket.profile, tsc, size) == RTE_COLOR_GREEN)
            continue;
        if (exceeded < 0 || meter.config.bands[i].rate > meter.config.bands[static_cast<size_t>(exceeded)].rate)
            exceeded = static_cast<int>(i);
    }
    rte_spinlock_unlock(&state.lock);
    return exceeded;
}

uint8_t remarked(uint8_t tos, uint8_t prec_level) {
    // Assured forwarding (RFC 2597): the drop precedence lies in bits 3 and 4 of the TOS byte, 1 to 3.
    const unsigned dscp = tos >> 2, precedence = dscp >> 1 & 3, af_class = dscp >> 3;
    const bool assured = af_class >= 1 && af_class <= 4 && precedence >= 1 && !(dscp & 1);
    if (!assured) return tos;
    const unsigned raised = std::min(precedence + prec_level, 3u);
    return static_cast<uint8_t>((af_class << 3 | raised << 1) << 2 | (tos & 3));
}

}  // namespace turnout::of
