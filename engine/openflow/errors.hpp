// SPDX-License-Identifier: Apache-2.0
// OpenFlow's errors, by the types and codes of OpenFlow 1.4; encode_error() writes them as each version has them.
#pragma once

#include <cstdint>

namespace turnout::of {

inline constexpr uint32_t kNiciraVendor = 0x00002320, kOnfVendor = 0x4f4e4600, kNtrVendor = 0x0000154d;

struct OfError {
    uint16_t type, code;
    uint32_t vendor = 0;  // not 0: the experimenter whose error number `type` is

    friend constexpr bool operator==(const OfError&, const OfError&) = default;
};

namespace error {

enum Type : uint16_t {
    HelloFailed = 0,
    BadRequest = 1,
    BadAction = 2,
    BadInstruction = 3,
    BadMatch = 4,
    FlowModFailed = 5,
    GroupModFailed = 6,
    PortModFailed = 7,
    TableModFailed = 8,
    QueueOpFailed = 9,
    SwitchConfigFailed = 10,
    RoleRequestFailed = 11,
    MeterModFailed = 12,
    TableFeaturesFailed = 13,
    BadProperty = 14,
    AsyncConfigFailed = 15,
    FlowMonitorFailed = 16,
    BundleFailed = 17,
};

inline constexpr OfError kRequestVersion{BadRequest, 0}, kRequestType{BadRequest, 1}, kRequestStat{BadRequest, 2},
    kRequestVendor{BadRequest, 3}, kRequestSubtype{BadRequest, 4}, kRequestEperm{BadRequest, 5},
    kRequestLen{BadRequest, 6}, kBufferUnknown{BadRequest, 8}, kRequestTable{BadRequest, 9}, kIsSlave{BadRequest, 10},
    kRequestPort{BadRequest, 11}, kRequestPacket{BadRequest, 12};

inline constexpr OfError kActionType{BadAction, 0}, kActionLen{BadAction, 1}, kActionVendor{BadAction, 2},
    kActionVendorType{BadAction, 3}, kActionOutPort{BadAction, 4}, kActionArgument{BadAction, 5},
    kActionTooMany{BadAction, 7}, kActionQueue{BadAction, 8}, kActionOutGroup{BadAction, 9},
    kMatchInconsistent{BadAction, 10}, kUnsupportedOrder{BadAction, 11}, kActionTag{BadAction, 12},
    kSetType{BadAction, 13}, kSetLen{BadAction, 14}, kSetArgument{BadAction, 15}, kSetMask{4250, 0, kOnfVendor};

inline constexpr OfError kUnknownInst{BadInstruction, 0}, kUnsupInst{BadInstruction, 1}, kInstTable{BadInstruction, 2},
    kInstVendor{BadInstruction, 5}, kInstLen{BadInstruction, 7}, kDupInst{BadInstruction, 9};

inline constexpr OfError kMatchType{BadMatch, 0}, kMatchLen{BadMatch, 1}, kMatchWildcards{BadMatch, 5},
    kMatchField{BadMatch, 6}, kMatchValue{BadMatch, 7}, kMatchMask{BadMatch, 8}, kMatchPrereq{BadMatch, 9},
    kMatchDup{BadMatch, 10};

inline constexpr OfError kTableFull{FlowModFailed, 1}, kFlowTable{FlowModFailed, 2}, kOverlap{FlowModFailed, 3},
    kFlowCommand{FlowModFailed, 6}, kFlowFlags{FlowModFailed, 7};

inline constexpr OfError kGroupExists{GroupModFailed, 0}, kInvalidGroup{GroupModFailed, 1},
    kOutOfGroups{GroupModFailed, 3}, kOutOfBuckets{GroupModFailed, 4}, kWatchUnsupported{GroupModFailed, 6},
    kGroupLoop{GroupModFailed, 7}, kUnknownGroup{GroupModFailed, 8}, kChainedGroup{GroupModFailed, 9},
    kGroupType{GroupModFailed, 10}, kGroupCommand{GroupModFailed, 11}, kBadBucket{GroupModFailed, 12},
    kBadWatch{GroupModFailed, 13}, kUnknownBucket{GroupModFailed, 15}, kBucketExists{GroupModFailed, 16};

inline constexpr OfError kMeterExists{MeterModFailed, 1}, kInvalidMeter{MeterModFailed, 2},
    kUnknownMeter{MeterModFailed, 3}, kMeterCommand{MeterModFailed, 4}, kMeterFlags{MeterModFailed, 5},
    kMeterRate{MeterModFailed, 6}, kMeterBurst{MeterModFailed, 7}, kMeterBand{MeterModFailed, 8},
    kMeterBandValue{MeterModFailed, 9}, kOutOfMeters{MeterModFailed, 10}, kOutOfBands{MeterModFailed, 11};

inline constexpr OfError kPropertyType{BadProperty, 0}, kPropertyLen{BadProperty, 1}, kPropertyValue{BadProperty, 2},
    kPropertyTooMany{BadProperty, 3}, kPropertyDup{BadProperty, 4}, kPropertyVendor{BadProperty, 5},
    kPropertyVendorType{BadProperty, 6}, kPropertyVendorValue{BadProperty, 7};

// OpenFlow 1.0's: an emergency flow with a timeout. Later versions have none; the code is outside of theirs.
inline constexpr OfError kEmergencyTimeout{FlowModFailed, 259};

// Nicira's own, by their numbers in OpenFlow 1.2 and later.
inline constexpr OfError kNxmInvalid{2, 0, kNiciraVendor}, kMustBeZero{4, 0, kNiciraVendor},
    kUnencodable{10, 0, kNiciraVendor}, kActionMustBeZero{11, 0, kNiciraVendor}, kBadConjunction{15, 0, kNiciraVendor},
    kFlowTableNx{13, 0, kNiciraVendor}, kInvalidTlvField{37, 0, kNiciraVendor};

}  // namespace error
}  // namespace turnout::of
