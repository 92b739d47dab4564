// SPDX-License-Identifier: Apache-2.0
// The programs that flows share: instructions that came as the same bytes are decoded and kept once. Control only.
#pragma once

#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/openflow/codec.hpp"
#include "engine/openflow/flow.hpp"

namespace turnout::of {

inline constexpr uint16_t kDeleteLearned = 2;  // Learn::flags: NX_LEARN_F_DELETE_LEARNED

// What decode_program() looks at of a match and of the place: instructions that passed for one context pass for any
// flow of the same context.
struct ProgramContext {
    using Side = std::array<uint64_t, 3>;  // of a match: its values, or its masks
    Side values, masks;
    uint8_t table;
    bool operator==(const ProgramContext&) const = default;
};

struct SharedProgram : Program, std::enable_shared_from_this<SharedProgram> {
    std::string key;          // version and wire bytes
    ProgramContext passed{};  // the last context in which they were found good
    Flow* first = nullptr;    // the flows that share it
    uint32_t flows = 0;
    std::vector<uint32_t> groups;  // that its actions name, each once
    struct Learned {
        uint8_t table;
        uint64_t cookie;
        auto operator<=>(const Learned&) const = default;
    };
    std::vector<Learned> delete_learned;  // what must not outlive the last flow that learns it
    FlowKey reads{};
};

class Programs {
public:
    // The program of these instructions for a flow of that match and table. Throws OfError.
    std::shared_ptr<SharedProgram> get(Bytes wire, uint8_t version, const Match& match, uint8_t table);
    // The same of a program that never was on the wire (learn).
    std::shared_ptr<SharedProgram> share(Program program, std::string key);

    // A flow takes up, or gives up, its program. Of the last flow's program gives back the pointer that kept it: the
    // caller lets go of it once no worker can see it.
    void attach(Flow& flow, std::shared_ptr<SharedProgram> program);
    std::shared_ptr<SharedProgram> detach(Flow& flow);

    // Flows whose actions name a group, or that pass a meter.
    std::vector<Flow*> users_of_group(uint32_t group) const { return users(by_group_, group); }
    std::vector<Flow*> users_of_meter(uint32_t meter) const { return users(by_meter_, meter); }
    uint32_t count_of_group(uint32_t group) const { return count(by_group_, group); }
    uint32_t count_of_meter(uint32_t meter) const { return count(by_meter_, meter); }

    size_t size() const { return all_.size(); }
    template <typename Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [program, kept] : all_) visit(*program);
    }

private:
    using Index = std::unordered_map<uint32_t, std::unordered_set<SharedProgram*>>;
    static std::vector<Flow*> users(const Index& index, uint32_t id);
    static uint32_t count(const Index& index, uint32_t id);

    std::unordered_map<SharedProgram*, std::shared_ptr<SharedProgram>> all_;  // with flows
    std::unordered_map<std::string_view, SharedProgram*> by_key_;             // views of SharedProgram::key
    Index by_group_, by_meter_;
    std::string key_;  // of the last that was asked for; kept for its memory
};

// The bits of an arriving packet's key that the actions look at, to carry them out or to choose among outcomes.
FlowKey reads_of(const Actions& actions);
FlowKey reads_of(const Program& program);
FlowKey reads_of(const Group& group);
void operator|=(FlowKey& mask, const FlowKey& more);
Depth depth_of(const FlowKey& mask);
// Whether no more than the port that a packet came in by is looked at.
bool port_only(const FlowKey& mask);

// Calls visit(action) for each, those inside of clone() included.
template <typename Visit>
void for_each_action(const Actions& actions, const Visit& visit) {
    for (const Action& action : actions) {
        visit(action);
        if (const auto* clone = std::get_if<Clone>(&action.is)) for_each_action(*clone->actions, visit);
    }
}

}  // namespace turnout::of
