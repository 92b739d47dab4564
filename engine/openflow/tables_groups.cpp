// SPDX-License-Identifier: Apache-2.0
// group_mod (OpenFlow 1.3.5, 6.5; buckets one by one as in 1.5 and Open vSwitch).
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kMaxGroup = 0xffffff00;
constexpr size_t kMaxGroups = 1 << 20;
enum : uint32_t {
    kMaxBucket = 0xffffff00,
    kFirstBucket = 0xfffffffd,
    kLastBucket = 0xfffffffe,
    kAllBuckets = 0xffffffff
};

bool watches(const Bucket& bucket) { return bucket.watch_port != kPortAny || bucket.watch_group != kAnyGroup; }

auto find_bucket(std::vector<Bucket>& buckets, uint32_t id) {
    const auto found = std::ranges::find(buckets, id, &Bucket::id);
    if (found == buckets.end()) throw error::kUnknownBucket;
    return found;
}

void insert_buckets(std::vector<Bucket>& into, std::vector<Bucket> more, uint32_t place) {
    auto at = into.begin();
    if (place == kLastBucket)
        at = into.end();
    else if (place <= kMaxBucket)
        at = find_bucket(into, place) + 1;
    else if (place != kFirstBucket)
        throw error::kBadBucket;
    for (const Bucket& bucket : more)
        if (std::ranges::find(into, bucket.id, &Bucket::id) != into.end()) throw error::kBucketExists;
    into.insert(at, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void remove_bucket(std::vector<Bucket>& from, uint32_t which) {
    if (which == kAllBuckets)
        from.clear();
    else if (which <= kMaxBucket)
        from.erase(find_bucket(from, which));
    else if (!from.empty())
        from.erase(which == kFirstBucket ? from.begin() : from.end() - 1);
}

}  // namespace

void Tables::Impl::group_mod(Bytes message, const SessionView& session) {
    GroupMod mod = decode_group_mod(message);
    const uint32_t id = mod.group.id;
    if (mod.command == GroupMod::Delete) {
        delete_groups(id, {kGroupDelete, session.id, be32(&message[4])});
        return forget_learned({kDelete, 0, 0});
    }
    if (id > kMaxGroup) throw error::kInvalidGroup;
    const auto known = groups.find(id);
    const bool exists = known != groups.end();
    switch (mod.command) {
        case GroupMod::Add:
            if (exists) throw error::kGroupExists;
            break;
        case GroupMod::AddOrModify:
            break;
        default:
            if (!exists) throw error::kUnknownGroup;
    }
    if (mod.command == GroupMod::InsertBucket || mod.command == GroupMod::RemoveBucket) {
        Group changed_group = *known->second.group;
        if (mod.command == GroupMod::InsertBucket)
            insert_buckets(changed_group.buckets, std::move(mod.group.buckets), mod.bucket_id);
        else
            remove_bucket(changed_group.buckets, mod.bucket_id);
        mod.group = std::move(changed_group);
    }
    if (!exists && groups.size() >= kMaxGroups) throw error::kOutOfGroups;
    check_group(mod.group);
    set_group(std::move(mod.group));
}

void Tables::Impl::check_group(const Group& group) const {
    if (group.type > Group::FastFailover) throw error::kGroupType;
    if (group.type == Group::Indirect && group.buckets.size() != 1) throw error::kInvalidGroup;
    std::unordered_set<uint32_t> ids;
    for (const Bucket& bucket : group.buckets) {
        if (!ids.insert(bucket.id).second) throw error::kBucketExists;
        if (group.type == Group::FastFailover && !watches(bucket)) throw error::kInvalidGroup;
        for_each_action(bucket.actions, [&](const Action& action) {
            const auto* to = std::get_if<ToGroup>(&action.is);
            if (to && leads_to(to->group, group.id)) throw error::kGroupLoop;
        });
    }
}

// Whether a packet of group `from` can come to group `to`.
bool Tables::Impl::leads_to(uint32_t from, uint32_t to) const {
    std::vector<uint32_t> left{from};
    std::unordered_set<uint32_t> seen{from};
    while (!left.empty()) {
        const uint32_t id = left.back();
        left.pop_back();
        if (id == to) return true;
        const auto known = groups.find(id);
        if (known == groups.end()) continue;
        for (const Bucket& bucket : known->second.group->buckets)
            for_each_action(bucket.actions, [&](const Action& action) {
                if (const auto* next = std::get_if<ToGroup>(&action.is); next && seen.insert(next->group).second)
                    left.push_back(next->group);
            });
    }
    return false;
}

// A group that is modified keeps its counters; its buckets start anew.
void Tables::Impl::set_group(Group group) {
    GroupState& state = groups[group.id];
    if (!state.tally) {
        state.tally = std::make_shared<OwnTally>(host);
        state.created = now;
    }
    group.tally = state.tally->id;
    for (Bucket& bucket : group.buckets) bucket.tally = host.new_tally();
    reads |= reads_of(group);
    state.group = {new Group(std::move(group)), [&of = host, tally = state.tally](const Group* old) {
                       for (const Bucket& bucket : old->buckets) of.free_tally(bucket.tally);
                       delete old;
                   }};
    changed = groups_changed = may_shrink = true;
}

void Tables::Impl::delete_groups(uint32_t id, const Cause& cause) {
    const auto first = id == kAllGroups ? groups.begin() : groups.find(id);
    const auto last = id == kAllGroups || first == groups.end() ? groups.end() : std::next(first);
    if (first == last) return;
    for (auto group = first; group != last; ++group)
        for (Flow* flow : programs.users_of_group(group->first)) remove_flow(*flow, cause);
    groups.erase(first, last);
    changed = groups_changed = may_shrink = true;
}

}  // namespace turnout::of
