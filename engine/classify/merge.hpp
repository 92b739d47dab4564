// SPDX-License-Identifier: Apache-2.0
// Which shapes share a tuple. Each tuple costs every lookup a probe; rules that meet in one place of a coarser tuple
// cost those lookups that come there a comparison each. This finds, greedily and on a sample, whom it pays to merge
// (after Daly et al., TupleMerge, 2019, who decide rule by rule).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/classify/layout.hpp"

namespace turnout::classify {

// A mask and the packed values of some of the rules that have it.
struct Sampled {
    const uint64_t* mask;
    std::vector<const uint64_t*> values;
};

struct Merged {
    std::vector<uint64_t> mask;   // the bits that all of its members have
    std::vector<size_t> members;  // indices of what was given
};

// `words`: of all masks and values. `share`: the part of the rules that are in the sample, in (0, 1].
std::vector<Merged> merge(unsigned words, const std::vector<Sampled>& shapes, double share);

}  // namespace turnout::classify
