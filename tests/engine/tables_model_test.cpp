// SPDX-License-Identifier: Apache-2.0
// Random flow_mods against a plain list of flows: what OpenFlow 1.3.5, 6.4 says, a line each.
#include <doctest/doctest.h>

#include <random>

#include "tests/engine/tables_fixture.hpp"

using namespace turnout;
using namespace turnout::of;
using namespace turnout::of::test;

namespace {

struct Plain {
    uint8_t table;
    uint16_t priority;
    Match match;
    uint64_t cookie;
    uint32_t port;  // that it outputs to
    auto as_tuple() const {
        const auto* bytes = reinterpret_cast<const char*>(&match);
        return std::tuple(table, priority, std::string(bytes, sizeof match), cookie, port);
    }
};

struct Mod {
    FlowModOf wire;
    Match match;
    uint32_t port;
};

class Model {
public:
    std::vector<Plain> flows;

    bool apply(const Mod& mod) {  // false: refused
        switch (mod.wire.command) {
            case FlowMod::Add:
                if (mod.wire.flags & FlowMod::kCheckOverlap && overlaps(mod)) return false;
                std::erase_if(flows, [&](const Plain& f) { return same(mod, f); });
                flows.push_back({mod.wire.table, mod.wire.priority, mod.match, mod.wire.cookie, mod.port});
                break;
            case FlowMod::Modify:
            case FlowMod::ModifyStrict:
                for (Plain& flow : flows)
                    if (wants(mod, flow)) flow.port = mod.port;
                break;
            default:
                std::erase_if(flows, [&](const Plain& f) {
                    return wants(mod, f) && (mod.wire.out_port == kPortAny || mod.wire.out_port == f.port);
                });
        }
        return true;
    }
    auto sorted() const {
        std::multiset<decltype(flows[0].as_tuple())> all;
        for (const Plain& flow : flows) all.insert(flow.as_tuple());
        return all;
    }

private:
    static bool same(const Mod& mod, const Plain& flow) {
        return flow.priority == mod.wire.priority && flow.match == mod.match &&
               (mod.wire.table == kAllTables || mod.wire.table == flow.table);
    }
    bool overlaps(const Mod& mod) const {
        return std::ranges::none_of(flows, [&](const Plain& f) { return same(mod, f); }) &&
               std::ranges::any_of(flows, [&](const Plain& f) {
                   return f.table == mod.wire.table && f.priority == mod.wire.priority && overlap(f.match, mod.match);
               });
    }
    static bool wants(const Mod& mod, const Plain& flow) {
        const bool strict = mod.wire.command == FlowMod::ModifyStrict || mod.wire.command == FlowMod::DeleteStrict;
        if (mod.wire.table != kAllTables && mod.wire.table != flow.table) return false;
        if ((flow.cookie ^ mod.wire.cookie) & mod.wire.cookie_mask) return false;
        return strict ? same(mod, flow) : covers(mod.match, flow.match);
    }
};

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    uint32_t below(uint32_t n) { return std::uniform_int_distribution<uint32_t>(0, n - 1)(engine_); }

    // From few values, so that flows meet.
    Mod mod() {
        static constexpr uint8_t kCommands[] = {FlowMod::Add,         FlowMod::Add,          FlowMod::Add,
                                                FlowMod::Modify,      FlowMod::ModifyStrict, FlowMod::Delete,
                                                FlowMod::DeleteStrict};
        Mod made{};
        FlowModOf& wire = made.wire;
        wire.command = kCommands[below(7)];
        wire.table = wire.command >= FlowMod::Delete && below(4) == 0 ? kAllTables : static_cast<uint8_t>(below(2));
        wire.priority = static_cast<uint16_t>(below(3));
        if (below(2)) wire.match = in_port(1 + below(3));
        if (below(3)) append(wire.match, ip_to(0x0a000000 | below(4) << 8 | below(4), below(2) ? 32 : 24));
        if (below(2) && wire.command != FlowMod::Delete)
            append(wire.match, Builder{}.u32(0x80000606).u64(below(2)).bytes), drop_two(wire.match);
        made.port = 1 + below(3);
        wire.instructions = apply(output(made.port));
        wire.cookie = below(4);
        if (wire.command != FlowMod::Add && below(3) == 0) wire.cookie_mask = below(4);
        if (wire.command >= FlowMod::Delete && below(3) == 0) wire.out_port = 1 + below(3);
        if (wire.command == FlowMod::Add && below(4) == 0) wire.flags = FlowMod::kCheckOverlap;
        made.match = decode_fields(wire.match, true);
        return made;
    }

private:
    // A 64-bit number's last six bytes are an address.
    static void drop_two(Wire& match) { match.erase(match.end() - 8, match.end() - 6); }

    std::mt19937 engine_;
};

}  // namespace

TEST_CASE("random flow_mods leave the flows that a plain list of them says") {
    for (unsigned seed = 0; seed < 20; seed++) {
        Bench bench;
        Model model;
        Random random(seed);
        for (int step = 0; step < 150; step++) {
            // One by one, several in a run, in a bundle, or in one that fails.
            std::vector<Wire> messages;
            const uint32_t how = random.below(4), count = how ? 1 + random.below(6) : 1;
            Model after = model;
            for (uint32_t i = 0; i < count; i++) {
                const Mod mod = random.mod();
                if (!after.apply(mod) && how >= 2) continue;  // in a bundle it would undo it all
                messages.push_back(flow_mod(mod.wire));
            }
            if (how < 2) {
                Wire run;
                for (const Wire& message : messages) append(run, message);
                bench.tables.receive(run, bench.session);
                model = after;
            } else {
                if (how == 3) messages.push_back(flow_mod({.table = 254}));
                const std::vector<Bytes> wires(messages.begin(), messages.end());
                const Wire reply = bench.tables.commit(wires, bench.session);
                CHECK(reply.empty() == (how == 2));
                if (reply.empty()) model = after;
            }
            Model here;
            for (const FlowStats& f : bench.flows())
                here.flows.push_back(
                    {f.table, f.priority, f.match, f.cookie, std::get<Output>(f.program->apply[0].is).port});
            REQUIRE(here.sorted() == model.sorted());
        }
        bench.tables.clear();
        CHECK(bench.host.tallies.size() == 2 * kTables);
    }
}
