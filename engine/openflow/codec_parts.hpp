// SPDX-License-Identifier: Apache-2.0
// What the codec's files lend one another. Nobody else includes it.
#pragma once

#include "engine/openflow/codec.hpp"

namespace turnout::of {

inline constexpr uint16_t kVendorAction = 0xffff;

// --- fields (codec_fields.cpp)

// How a header's value lies in the key. `whole`: the wire's bytes are the key's; else a number of at most 8 bytes.
struct Slot {
    const Field* field = nullptr;
    uint8_t bytes = 0;  // of the value on the wire
    bool whole = false;
};

Slot find_slot(uint32_t header);  // no field: unknown

// One NXM or OXM entry as an action carries it (set_field); the value and the mask as bytes of the key.
struct Entry {
    const Field* field;
    std::array<uint8_t, 16> value, mask;
    bool masked;
};
Entry pull_entry(Reader& in);
void put_entry(Wire& out, uint32_t header, const Field& field, const uint8_t* value, const uint8_t* mask);
// The field's header alone, in learn and move: reads one (experimenters' too); kSetType if it is unknown.
const Field* pull_header(Reader& in);

// Bits of a field's bytes as a number of at most 64 bits, and back; `at` is the field's place in a key or a copy of it.
uint64_t get_bits(const uint8_t* at, const Field& field, unsigned from, unsigned n);
void set_bits(uint8_t* at, const Field& field, unsigned from, unsigned n, uint64_t number);

// --- matches (codec_match.cpp, codec_match10.cpp)

struct Cookie {
    uint64_t value = 0, mask = 0;
};

// NXM or OXM entries into a match; `cookie`: NXM_NX_COOKIE is allowed; strict: unknown fields are refused.
void pull_fields(Bytes entries, Match& match, Cookie* cookie, bool strict);
void pull_oxm_match(Reader& in, Match& match);                                // with its header and padding
void pull_nxm_match(Reader& in, size_t bytes, Match& match, Cookie& cookie);  // with its padding
void put_fields(Wire& out, FlowFormat format, const Match& match);
bool prereq_met(const Field& field, const FlowKey& value);

inline constexpr size_t kMatch10 = 40;
void pull_match10(const uint8_t* at, Match& match);
void put_match10(Wire& out, const Match& match);

// --- actions (codec_actions.cpp, codec_nicira.cpp, codec_learn.cpp)

// What a list of actions is read with. `metadata`: where Nicira's write_metadata, an instruction in all but name, goes.
struct ActionReader {
    uint8_t version;
    Program* metadata = nullptr;
    unsigned depth = 0;

    Actions list(Bytes wire);
};
void pull_nicira(ActionReader& reader, Bytes action, Actions& out);
Bits to_bits(const Field* field, unsigned from, unsigned n);
std::shared_ptr<const Learn> pull_learn(Reader in);
void put_learn(Wire& out, const Learn& learn);
void put_nicira(Wire& out, uint8_t version, const Action& action);
size_t start_nicira(Wire& out, uint16_t subtype);   // returns where it starts, for end_action()
void end_action(Wire& out, size_t start);           // pads, and writes the length
void put_bits_header(Wire& out, const Bits& bits);  // the field's header of 4 bytes, or 8 (experimenter)

// --- checks against a match (codec_check.cpp)

// Follows the actions from a packet that the match describes; throws what Open vSwitch would refuse.
void check_actions(Actions& actions, FlowKey& packet, uint8_t version, bool action_set);

}  // namespace turnout::of
