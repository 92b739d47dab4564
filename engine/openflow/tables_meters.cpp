// SPDX-License-Identifier: Apache-2.0
// meter_mod (OpenFlow 1.3.5, A.3.4.4).
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {

namespace {

enum : uint32_t { kMaxMeterId = 0xffff0000, kSlowPathMeter = 0xfffffffd, kControllerMeter = 0xfffffffe };

}  // namespace

void Tables::Impl::meter_mod(Bytes message, const SessionView& session) {
    const MeterMod mod = decode_meter_mod(message);
    if (mod.command == MeterMod::Delete) {
        delete_meters(mod.id, {kMeterDelete, session.id, be32(&message[4])});
        return forget_learned({kDelete, 0, 0});
    }
    const bool special = mod.id == kSlowPathMeter || mod.id == kControllerMeter;
    if (!mod.id || (mod.id > kMaxMeterId && !special)) throw error::kInvalidMeter;
    if (mod.config.bands.size() > kMaxBands) throw error::kOutOfBands;
    const bool exists = meters.contains(mod.id);
    if (mod.command == MeterMod::Add && exists) throw error::kMeterExists;
    if (mod.command == MeterMod::Modify && !exists) throw error::kUnknownMeter;
    if (!exists && meters.size() >= kMaxMeters) throw error::kOutOfMeters;
    set_meter(mod);
}

// A meter that is modified keeps the count of what came in; its bands start anew.
void Tables::Impl::set_meter(const MeterMod& mod) {
    MeterState& state = meters[mod.id];
    if (!state.tally) {
        state.tally = std::make_shared<OwnTally>(host);
        state.created = now;
    }
    state.meter = {new Meter{.id = mod.id,
                             .config = mod.config,
                             .tally = state.tally->id,
                             .band_tally = {},
                             .state = Meter::make_state(mod.config)},
                   [&of = host, tally = state.tally](const Meter* old) {
                       for (const TallyId band : old->band_tally) of.free_tally(band);
                       delete old;
                   }};
    for (size_t i = 0; i < mod.config.bands.size(); i++) state.meter->band_tally.push_back(host.new_tally());
    changed = meters_changed = true;
}

void Tables::Impl::delete_meters(uint32_t id, const Cause& cause) {
    const auto first = id == kAllMeters ? meters.begin() : meters.find(id);
    const auto last = id == kAllMeters || first == meters.end() ? meters.end() : std::next(first);
    if (first == last) return;
    for (auto meter = first; meter != last; ++meter)
        for (Flow* flow : programs.users_of_meter(meter->first)) remove_flow(*flow, cause);
    meters.erase(first, last);
    changed = meters_changed = true;
}

}  // namespace turnout::of
