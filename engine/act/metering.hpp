// SPDX-License-Identifier: Apache-2.0
// A packet passes a meter (OpenFlow 1.3.5, 5.7). Any worker; a meter's tokens are shared under a lock held for some
// dozen instructions.
#pragma once

#include "engine/act/meter.hpp"

namespace turnout::of {

// The band to apply to a packet of this length at this time (TSC): of those whose rate is exceeded the one with the
// highest rate; -1: none.
int exceeded_band(const Meter& meter, uint32_t bytes, uint64_t tsc);

// The TOS byte with its drop precedence raised by `prec_level`, at most to the highest; what is not one of the assured
// forwarding classes (RFC 2597) has none and stays.
uint8_t remarked(uint8_t tos, uint8_t prec_level);

}  // namespace turnout::of
