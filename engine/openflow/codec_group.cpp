// SPDX-License-Identifier: Apache-2.0
// group_mod: OpenFlow 1.3's (1.3.5, section 7.3.4.3), and 1.5's as Nicira lent it to older versions (NXT_GROUP_MOD),
// whose buckets have identifiers and properties.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kNxtGroupMod = 31;
constexpr uint32_t kMaxBucket = 0xffffff00, kFirst = 0xfffffffd, kLast = 0xfffffffe, kEvery = 0xffffffff;
constexpr uint16_t kAddOrModify = 0x8000;
constexpr size_t kBucket13 = 16, kBucket15 = 8;
constexpr size_t kMethodName = 16;
constexpr uint32_t kSelectionMethod = 1;  // Netronome's only group property
enum Property : uint16_t { kWeight = 0, kWatchPort = 1, kWatchGroup = 2, kExperimenter = 0xffff };

GroupMod::Command command_of(uint16_t raw, bool with_ids) {
    switch (raw) {
        case 0:
            return GroupMod::Add;
        case 1:
            return GroupMod::Modify;
        case 2:
            return GroupMod::Delete;
        case kAddOrModify:
            return GroupMod::AddOrModify;
        default:
            if (with_ids && raw == 3) return GroupMod::InsertBucket;
            if (with_ids && raw == 5) return GroupMod::RemoveBucket;
            throw error::kGroupCommand;
    }
}

Group::Type type_of(uint8_t raw) {
    if (raw > Group::FastFailover) throw error::kGroupType;
    return static_cast<Group::Type>(raw);
}

// Takes a structure that begins (at `at`) with its own 16-bit length.
Reader pull_sized(Reader& in, size_t at, size_t least, size_t align, OfError bad) {
    if (in.left() < least) throw bad;
    const size_t length = be16(in.rest().data() + at), padded = (length + align - 1) / align * align;
    if (length < least || padded > in.left()) throw bad;
    return Reader(in.take(padded).first(length), bad);
}

Bucket pull_bucket13(Reader in, uint8_t version, uint32_t id) {
    if (in.left() % 8 != 0) throw error::kBadBucket;
    in.skip(2);
    Bucket bucket;
    bucket.id = id;
    bucket.weight = in.u16();
    bucket.watch_port = port_from13(in.u32(), error::kBadWatch);
    bucket.watch_group = in.u32();
    in.skip(4);
    bucket.actions = ActionReader{version}.list(in.rest());
    return bucket;
}

Bucket pull_bucket15(Reader in, uint8_t version, Group::Type type) {
    in.skip(2);
    Bucket bucket;
    const uint16_t actions = in.u16();
    bucket.id = in.u32();
    bucket.weight = type == Group::Select;
    if (bucket.id > kMaxBucket || actions > in.left()) throw error::kBadBucket;
    bucket.actions = ActionReader{version}.list(in.take(actions));
    while (in.left() != 0) {
        Reader property = pull_sized(in, 2, 4, 8, error::kPropertyLen);
        const uint16_t what = property.u16();
        property.skip(2);
        switch (what) {
            case kWeight:
                bucket.weight = property.u16();
                break;
            case kWatchPort:
                bucket.watch_port = port_from13(property.u32(), error::kBadWatch);
                break;
            case kWatchGroup:
                bucket.watch_group = property.u32();
                break;
            default:
                throw error::kPropertyType;
        }
    }
    return bucket;
}

// The fields that a hash is over: OXM headers, each with a mask in the place of the value.
void pull_hash_fields(Bytes wire, Group& group) {
    Reader in(wire, error::kPropertyLen);
    while (in.left() != 0) {
        const uint32_t header = in.u32();
        const Slot slot = find_slot(header);
        if (slot.field == nullptr) throw error::kMatchField;
        if ((header & 0x1ff) != slot.bytes) throw error::kMatchLen;
        const Bytes mask = in.take(slot.bytes);
        auto* at = reinterpret_cast<uint8_t*>(&group.hash_mask) + slot.field->offset;
        if (slot.whole) {
            std::memcpy(at, mask.data(), slot.bytes);
        } else {
            uint64_t number = 0;
            for (const uint8_t byte : mask) number = number << 8 | byte;
            set_bits(at, *slot.field, 0, slot.field->bits, number);
        }
        group.fields.push_back(slot.field);
    }
}

void pull_selection_method(Reader in, GroupMod::Command command, Group& group) {
    const bool fits = command == GroupMod::Add || command == GroupMod::Modify || command == GroupMod::AddOrModify;
    if (group.type != Group::Select || !fits) throw error::kPropertyValue;
    in.skip(4);  // padding
    const Bytes bytes = in.take(kMethodName);
    const std::string name(bytes.begin(), std::ranges::find(bytes, 0));
    if (name == "hash")
        group.method = Group::Hash;
    else if (name == "dp_hash")
        group.method = Group::DpHash;
    else
        throw error::kPropertyValue;
    group.hash_param = in.u64();
    if (group.method == Group::DpHash && in.left() != 0) throw error::kPropertyValue;
    pull_hash_fields(in.rest(), group);
    group.dp_hash = group.fields.empty();
}

void pull_properties(Reader& in, GroupMod::Command command, Group& group) {
    while (in.left() != 0) {
        Reader property = pull_sized(in, 2, 4, 8, error::kPropertyLen);
        const uint16_t type = property.u16();
        property.skip(2);
        if (type != kExperimenter) throw error::kPropertyType;
        if (property.u32() != kNtrVendor) throw error::kPropertyVendor;
        if (property.u32() != kSelectionMethod) throw error::kPropertyVendorType;
        pull_selection_method(property, command, group);
    }
}

bool bucket_id_fits(GroupMod::Command command, uint32_t id) {
    const bool one = id <= kMaxBucket || id == kFirst || id == kLast;
    if (command == GroupMod::InsertBucket) return one;
    return id == kEvery || (command == GroupMod::RemoveBucket && one);
}

// What can be told of a group without the other groups.
void check_group(const GroupMod& mod) {
    const Group& group = mod.group;
    if (mod.command == GroupMod::Delete) return;
    if (mod.command == GroupMod::RemoveBucket && !group.buckets.empty()) throw error::kBadBucket;
    const bool whole = mod.command != GroupMod::InsertBucket && mod.command != GroupMod::RemoveBucket;
    if (!whole) return;
    if (group.type == Group::Indirect && group.buckets.size() != 1) throw error::kInvalidGroup;
    for (const Bucket& bucket : group.buckets) {
        const bool watches = bucket.watch_port != kPortAny || bucket.watch_group != kAnyGroup;
        if (bucket.weight != 0 && group.type != Group::Select) throw error::kInvalidGroup;
        if (watches && (group.type == Group::All || group.type == Group::Indirect)) throw error::kWatchUnsupported;
        if (!watches && group.type == Group::FastFailover) throw error::kInvalidGroup;
    }
}

void put_watch(Wire& out, Property type, uint32_t number) {
    put16(out, type);
    put16(out, 8);
    put32(out, number);
}

void put_bucket15(Wire& out, uint8_t version, Group::Type type, const Bucket& bucket) {
    const size_t start = out.size();
    zeros(out, 4);
    put32(out, bucket.id);
    encode_actions(out, version, bucket.actions);
    set16(out, start + 2, out.size() - start - kBucket15);
    if (type == Group::Select) {
        put16(out, kWeight);
        put16(out, 8);
        put16(out, bucket.weight);
        zeros(out, 2);
    }
    if (bucket.watch_port != kPortAny || bucket.watch_group != kAnyGroup) {
        put_watch(out, kWatchPort, bucket.watch_port);
        put_watch(out, kWatchGroup, bucket.watch_group);
    }
    set16(out, start, out.size() - start);
}

void put_bucket13(Wire& out, uint8_t version, Group::Type type, const Bucket& bucket) {
    const size_t start = out.size();
    zeros(out, 2);
    put16(out, type == Group::Select ? bucket.weight : 0);
    put32(out, bucket.watch_port);
    put32(out, bucket.watch_group);
    zeros(out, 4);
    encode_actions(out, version, bucket.actions);
    set16(out, start, out.size() - start);
}

void put_selection_method(Wire& out, const Group& group) {
    const size_t start = out.size();
    const std::string_view name = group.method == Group::Hash ? "hash" : "dp_hash";
    put16(out, kExperimenter);
    put16(out, 0);
    put32(out, kNtrVendor);
    put32(out, kSelectionMethod);
    zeros(out, 4);
    put(out, name.data(), name.size());
    zeros(out, kMethodName - name.size());
    put64(out, group.hash_param);
    for (const Field* field : group.fields) {
        const uint32_t header = field->oxm_first();
        const auto* mask = reinterpret_cast<const uint8_t*>(&group.hash_mask) + field->offset;
        FlowKey whole;
        std::memset(&whole, 0xff, sizeof whole);
        put_entry(out, header, *field, mask, reinterpret_cast<const uint8_t*>(&whole) + field->offset);
    }
    set16(out, start + 2, out.size() - start);
    pad8(out, start);
}

}  // namespace

GroupMod decode_group_mod(Bytes message) {
    Reader in(message, error::kRequestLen);
    if (message.size() % 8 != 0) throw error::kRequestLen;
    const uint8_t version = in.u8(), message_type = in.u8();
    in.skip(6);
    const bool nicira = message_type == 4;
    if (nicira) {
        if (in.u32() != kNiciraVendor) throw error::kRequestVendor;
        if (in.u32() != kNxtGroupMod) throw error::kRequestSubtype;
    }
    const uint16_t command = in.u16();
    const uint8_t type = in.u8();
    in.skip(1);
    GroupMod mod{};
    mod.group.id = in.u32();
    mod.group.type = type_of(type);
    mod.command = command_of(command, nicira);
    mod.bucket_id = kEvery;
    if (nicira) {
        const uint16_t buckets = in.u16();
        in.skip(2);
        mod.bucket_id = in.u32();
        if (!bucket_id_fits(mod.command, mod.bucket_id)) throw error::kBadBucket;
        Reader list(in.take(buckets), error::kBadBucket);
        while (list.left() != 0)
            mod.group.buckets.push_back(
                pull_bucket15(pull_sized(list, 0, kBucket15, 8, error::kBadBucket), version, mod.group.type));
        pull_properties(in, mod.command, mod.group);
    } else {
        while (in.left() != 0)
            mod.group.buckets.push_back(pull_bucket13(pull_sized(in, 0, kBucket13, 1, error::kBadBucket), version,
                                                      static_cast<uint32_t>(mod.group.buckets.size())));
    }
    check_group(mod);
    return mod;
}

void encode_buckets(Wire& out, uint8_t version, const Group& group) {
    if (version != kOf10) {
        for (const Bucket& bucket : group.buckets) put_bucket13(out, version, group.type, bucket);
        return;
    }
    const size_t length = out.size();
    zeros(out, 8);
    for (const Bucket& bucket : group.buckets) put_bucket15(out, version, group.type, bucket);
    set16(out, length, out.size() - length - 8);
    if (group.method != Group::Unnamed) put_selection_method(out, group);
}

}  // namespace turnout::of
