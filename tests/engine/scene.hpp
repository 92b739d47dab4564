// SPDX-License-Identifier: Apache-2.0
// A bridge with flow tables and eight ports, without a datapath around it: frames in, frames out.
#pragma once

#include <rte_ethdev.h>

#include <deque>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/worker/walk.hpp"
#include "tests/engine/frames.hpp"
#include "tests/engine/packets.hpp"

namespace turnout::test {

// A device whose far end is the test.
class Wire : public Device {
public:
    Wire() : Device("wire", 1, 1, 9000) {
        const bool enabled[] = {true};
        use_txqs(enabled);
        up_ = true;
        tx_offloads_ = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    DeviceInfo info() const override { return {}; }
    uint16_t rx(uint16_t, std::span<rte_mbuf*>) override { return 0; }
    Sent tx(uint16_t, std::span<rte_mbuf*> packets) override;
    int arm(uint16_t) override { return kNoSignal; }
    void disarm(uint16_t) override {}
    void set_up(bool up) { up_ = up; }
    void offload(uint64_t flags) { tx_offloads_ = flags; }

    std::vector<Bytes> sent;
    std::vector<uint64_t> flags;  // ol_flags of each
};

using Frames = std::map<uint32_t, std::vector<Bytes>>;  // by OpenFlow port

class Scene {
public:
    static constexpr unsigned kPorts = 8;  // OpenFlow ports 1 to 8; PortNo is 10 more

    explicit Scene(WalkCache::Policy policy = WalkCache::Policy::Measured);
    ~Scene();

    Rule* add(uint8_t table, uint16_t priority, const Match& match, of::Program program);
    void remove(Rule* rule);  // as of the next version
    Rule* add(uint8_t table, uint16_t priority, const Match& match, of::Actions apply) {
        of::Program program;
        program.apply = std::move(apply);
        return add(table, priority, match, std::move(program));
    }
    void publish() { pipeline.version.fetch_add(1); }
    void group(of::Group group);
    void meter(uint32_t id, of::MeterConfig config);

    // What leaves when these come in, each as one burst.
    Frames forward(uint32_t in_port, const std::vector<Bytes>& frames);
    Frames forward(uint32_t in_port, const Bytes& frame) { return forward(in_port, std::vector<Bytes>(1, frame)); }
    Frames forward(uint32_t in_port, std::vector<rte_mbuf*> packets);
    Frames packet_out(uint32_t in_port, const of::Actions& actions, const Bytes& frame);
    std::vector<Event> events();

    uint64_t dropped(Drop reason) const;
    Tallies::Cell& tally(TallyId id) { return tallies->at(id); }
    Wire& wire(uint32_t port) { return *wires[port]; }
    PortView& port(uint32_t number) { return plan.ports[number + 10]; }

    FreeAtOnce reclaimer;
    of::Pipeline pipeline{reclaimer};
    Plan plan;
    std::unique_ptr<Tallies> tallies = std::make_unique<Tallies>();
    Mailbox mailbox;
    Tx tx{0};
    std::unique_ptr<Walk> walk;
    uint32_t second = 1;

private:
    Frames collect();
    TallyId new_tally();

    TallyId tally_n_ = 1;
    of::Reads reads_;
    of::Groups groups_;
    of::Meters meters_;
    std::deque<of::Program> programs_;
    std::vector<std::pair<uint8_t, Rule*>> rules_;
    std::map<uint32_t, std::shared_ptr<Wire>> wires;
};

// Matches and actions by name.
Match match(std::initializer_list<std::pair<std::string_view, uint64_t>> fields);
of::Action set(std::string_view field, uint64_t value, uint64_t mask = ~uint64_t{0});
of::Action set(std::string_view field, const std::array<uint8_t, 16>& value);
of::Bits bits(std::string_view field, uint16_t from, uint16_t n);
inline of::Action output(uint32_t port) { return {of::Output{port, 0}}; }

}  // namespace turnout::test
