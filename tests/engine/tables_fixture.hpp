// SPDX-License-Identifier: Apache-2.0
// Tables of a lone host, a session that programs them, and questions about what came of it.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "engine/openflow/flow.hpp"
#include "tests/engine/tables_messages.hpp"

namespace turnout::of::test {

inline void append(Wire& to, const Wire& more) { to.insert(to.end(), more.begin(), more.end()); }

inline std::optional<OfError> first_error(const Wire& replies) {
    if (replies.size() < 12 || replies[1] != 1) return {};
    return OfError{be16(&replies[8]), be16(&replies[10])};
}

struct Bench {
    LoneHost host;
    Tables tables{host};
    SessionView session{.id = 3};

    ~Bench() { CHECK_FALSE(host.freed_twice); }
    Pipeline& pipeline() { return tables.pipeline(); }

    // The first error, if there is one.
    std::optional<OfError> send(const Wire& run) {
        const Received received = tables.receive(run, session);
        CHECK(received.consumed == run.size());
        return first_error(received.replies);
    }
    std::optional<OfError> error_of(const Wire& run) { return send(run); }

    std::vector<FlowStats> flows() const {
        std::vector<FlowStats> flows;
        tables.for_each({}, [&](const FlowStats& flow) { flows.push_back(flow); });
        return flows;
    }
    FlowStats flow(uint16_t priority) const {
        for (const FlowStats& flow : flows())
            if (flow.priority == priority) return flow;
        FAIL("no such flow");
        return {};
    }
    // Where the flow of that priority sends packets.
    uint32_t port_of(uint16_t priority) const {
        const FlowStats found = flow(priority);
        REQUIRE(found.program->apply.size() == 1);
        return std::get<Output>(found.program->apply[0].is).port;
    }
    // Packets came by the flow of that match and priority.
    void count(uint16_t priority, const Wire& match, uint64_t packets, uint8_t table = 0) {
        const Rule* rule =
            pipeline().tables[table]->find(decode_fields(match, true), priority, pipeline().version.load());
        REQUIRE(rule);
        Host::Tally& tally = host.tallies[rule->tally];
        tally.packets += packets;
        tally.bytes += packets * 60;
        tally.used = host.second();
    }
};

}  // namespace turnout::of::test
