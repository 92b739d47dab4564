// SPDX-License-Identifier: Apache-2.0
// What a bridge's OpenFlow tables see of the datapath around them.
#pragma once

#include <chrono>

#include "engine/openflow/tables.hpp"
#include "engine/worker/datapath.hpp"

namespace turnout {

class BridgeHost : public of::Host {
public:
    BridgeHost(Datapath& datapath, unsigned bridge) : datapath_(datapath), bridge_(bridge) {}

    Reclaimer& reclaimer() override { return *datapath_.grace_; }
    TallyId new_tally() override { return datapath_.tallies_->take(); }
    void free_tally(TallyId id) override { datapath_.tallies_->give_back(id); }
    Tally tally(TallyId id) const override {
        const TallyBook::Sum sum = datapath_.tallies_->sum(id);
        return {sum.packets, sum.bytes, sum.used};
    }
    uint32_t second() const override { return datapath_.shared_.second(); }
    uint64_t now_ns() const override {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
    }
    void wait_for_workers() override { datapath_.settle(); }
    bool port_exists(uint32_t of_port) const override {
        return datapath_.plan_->bridges[bridge_].port_of(of_port) != kNoPort;
    }
    void packet_out(const of::PacketOut& packet) override { datapath_.packet_out(bridge_, packet); }

private:
    Datapath& datapath_;
    const unsigned bridge_;
};

}  // namespace turnout
