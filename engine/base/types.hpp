// SPDX-License-Identifier: Apache-2.0
// The names and limits that every stage shares.
#pragma once

#include <cstdint>

namespace turnout {

using PortNo = uint16_t;    // a port of any bridge; one number space for the whole datapath
using BridgeNo = uint16_t;  // a bridge

// Twice what there may be, so that all can be replaced at once.
constexpr unsigned kMaxPorts = 4096;
constexpr unsigned kMaxBridges = 512;
constexpr unsigned kMaxWorkers = 64;
constexpr unsigned kBurst = 32;  // packets a stage takes at a time; what most drivers are tuned for

constexpr PortNo kNoPort = 0xffff;
constexpr uint16_t kNoDevice = 0xffff;

constexpr unsigned kEtherHeader = 14;
constexpr unsigned kVlanTag = 4;

}  // namespace turnout
