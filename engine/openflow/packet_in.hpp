// SPDX-License-Identifier: Apache-2.0
// A packet on its way to controllers, as control holds it: a copy, free of the datapath.
#pragma once

#include <memory>
#include <vector>

#include "engine/openflow/codec.hpp"

namespace turnout::of {

struct PacketIn {
    unsigned bridge = 0;
    uint16_t controller = 0;     // the id of the controllers that it is for (NXAST_CONTROLLER); 0: those without one
    uint16_t max_len = 0;        // bytes of the frame that they want
    std::vector<uint8_t> frame;  // whole
    std::shared_ptr<const std::vector<uint8_t>> userdata;
    PacketInFields fields;  // but for frame and userdata, which encode() fills in

    // The message for a session of this version; `most`: bytes of the frame that it wants at most.
    Wire encode(uint8_t version, PacketInFormat format, uint16_t most) const {
        PacketInFields filled = fields;
        filled.userdata = userdata.get();
        filled.frame = Bytes(frame).first(std::min<size_t>(most, frame.size()));
        Wire out;
        encode_packet_in(out, version, format, filled);
        return out;
    }
};

}  // namespace turnout::of
