// SPDX-License-Identifier: Apache-2.0
// meter_mod (OpenFlow 1.3.5, section 7.3.4.4).
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr size_t kBandBytes = 16;
constexpr uint16_t kFlags = MeterConfig::kKbps | MeterConfig::kPktps | MeterConfig::kBurst | MeterConfig::kStats;

MeterConfig::Band pull_band(Bytes wire) {
    MeterConfig::Band band{};
    const uint16_t type = be16(wire.data());
    if (type != MeterConfig::Band::Drop && type != MeterConfig::Band::DscpRemark) throw error::kMeterBand;
    band.type = static_cast<MeterConfig::Band::Type>(type);
    band.rate = be32(&wire[4]);
    band.burst = be32(&wire[8]);
    if (type == MeterConfig::Band::DscpRemark) band.prec_level = wire[12];
    return band;
}

}  // namespace

MeterMod decode_meter_mod(Bytes message) {
    Reader in(message, error::kRequestLen);
    in.skip(8);
    MeterMod mod{};
    const uint16_t command = in.u16();
    if (command > MeterMod::Delete) throw error::kMeterCommand;
    mod.command = static_cast<MeterMod::Command>(command);
    mod.config.flags = in.u16();
    mod.id = in.u32();
    if (mod.command == MeterMod::Delete) return mod;
    const bool both = mod.config.flags & MeterConfig::kKbps && mod.config.flags & MeterConfig::kPktps;
    if (both || mod.config.flags & ~kFlags) throw error::kMeterFlags;
    while (in.left() != 0) {
        if (in.left() < 4 || be16(in.rest().data() + 2) != kBandBytes) throw error::kRequestLen;
        mod.config.bands.push_back(pull_band(in.take(kBandBytes)));
    }
    return mod;
}

}  // namespace turnout::of
