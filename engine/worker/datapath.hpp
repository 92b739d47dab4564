// SPDX-License-Identifier: Apache-2.0
// The datapath as control sees it: devices come and go, a topology is published as a whole, counters are read.
//
// All calls are control's: from one thread at a time. Workers run beside and never wait for a call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/drop.hpp"
#include "engine/openflow/packet_in.hpp"
#include "engine/openflow/tables.hpp"
#include "engine/port/ethdev.hpp"
#include "engine/port/reconnect.hpp"
#include "engine/port/tap.hpp"
#include "engine/worker/grace.hpp"
#include "engine/worker/tally_book.hpp"
#include "engine/worker/worker.hpp"

struct rte_mempool;

namespace turnout {

struct BridgeSpec {
    unsigned number = 0;
    uint32_t mac_aging = 300;        // [s]
    uint32_t mac_table_size = 8192;  // addresses
};

struct PortSpec {
    unsigned number = 0;
    unsigned bridge = 0;
    int device = -1;  // -1: a patch port
    int peer = -1;
    VlanMode vlan_mode = VlanMode::Trunk;
    uint16_t tag = 0;
    std::vector<uint16_t> trunks;  // empty: all
    uint32_t ofport = 0;           // its OpenFlow number: 1 to kMaxOfPort, or kLocalPort; 0: none
    uint32_t config = 0;           // OFPPC_* bits
};

struct QueueSpec {
    unsigned port = 0, queue = 0, worker = 0;
};

struct PortTotals {
    PortNo port;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

struct DropTotal {
    PortNo port;
    Drop reason;
    uint64_t packets;
};

struct QueueLoad {
    PortNo port;
    uint16_t queue;
    unsigned worker;
    uint64_t packets, cycles;
};

struct WorkerLoad {
    unsigned worker, core;
    uint64_t packets, busy_cycles, total_cycles, sleeps;  // total: busy, spinning and asleep
};

struct Address {
    uint64_t mac;  // as Fdb::mac()
    uint16_t vlan;
    PortNo port;
    uint32_t age;  // [s]
    bool is_static;
};

class Datapath {
public:
    // Starts a worker on each core. `mbufs`: buffers in the pool; `mtu`: the longest packet that fits one buffer.
    Datapath(const std::vector<unsigned>& cores, unsigned mbufs, unsigned mtu, int64_t spin_us);
    ~Datapath();
    Datapath(const Datapath&) = delete;
    Datapath& operator=(const Datapath&) = delete;

    // A device that no worker looks at until a topology names it. Returns its id.
    unsigned attach(const EthConfig& config);
    unsigned attach_tap(const TapConfig& config);
    bool owns(unsigned device) const { return this->device(device)->owned(); }  // Device::owned()
    void keep(unsigned device) { this->device(device)->keep(); }
    // The device must not be part of the published topology.
    void detach(unsigned device);
    DeviceInfo device_info(unsigned device) const;

    // Replaces the topology by this one, at once for every packet; returns when no worker uses the old one any more.
    // Throws Error, with nothing changed, if the specs contradict each other.
    void publish(const std::vector<BridgeSpec>& bridges, const std::vector<PortSpec>& ports,
                 const std::vector<QueueSpec>& queues);

    std::vector<PortTotals> port_totals() const;
    std::vector<DropTotal> drops() const;
    std::vector<QueueLoad> queue_loads() const;
    std::vector<WorkerLoad> worker_loads() const;

    std::vector<Address> fdb(unsigned bridge) const;
    unsigned fdb_flush(unsigned bridge);  // all but static ones; returns how many
    void fdb_add(unsigned bridge, unsigned port, uint16_t vlan, uint64_t mac);
    bool fdb_del(unsigned bridge, uint16_t vlan, uint64_t mac);  // false: no such static one
    Fdb::Totals fdb_totals(unsigned bridge) const;
    void clear_fdb_totals(unsigned bridge);
    void age();

    // A bridge's OpenFlow tables. They live as long as the bridge.
    std::shared_ptr<of::Tables> tables(unsigned bridge) const;
    // Carries out what packets asked of tables (learned flows), and returns up to `most` packets for controllers.
    std::vector<of::PacketIn> take_packet_ins(unsigned most);
    // Readable (an eventfd) when take_packet_ins() has something to do.
    int packet_in_fd() const { return events_fd_; }

    struct Pool {
        unsigned total, in_use;
    };
    Pool mbufs() const;

private:
    // A port's counters, summed over workers.
    struct Sums {
        PortTotals totals{};
        std::array<uint64_t, kDropReasons> drops{};
    };

    friend class BridgeHost;

    std::shared_ptr<Device> device(unsigned id) const;
    std::unique_ptr<Plan> build(const std::vector<BridgeSpec>&, const std::vector<PortSpec>&,
                                const std::vector<QueueSpec>&, const Plan& before);
    void stop();
    void add_port(Plan& plan, const PortSpec& spec);
    static void add_to_bridge(BridgeView& bridge, const PortSpec& spec);
    of::Host& host_of(unsigned bridge);
    void take(Event& event, std::vector<of::PacketIn>& packets);
    void swap_in(std::unique_ptr<Plan> plan);
    void settle();
    void packet_out(unsigned bridge, const of::PacketOut& packet);
    void wait_for_workers() const;
    Sums sum(PortNo port) const;
    Fdb& fdb_of(unsigned bridge) const;

    Reconnect reconnect_;
    Shared shared_;
    rte_mempool* pool_ = nullptr;
    int events_fd_ = -1;
    std::unique_ptr<Plan> plan_;
    std::map<unsigned, std::shared_ptr<Device>> devices_;
    unsigned next_device_ = 0;
    std::vector<Sums> bases_;  // counts of earlier holders of each port number
    uint32_t epoch_ = 0;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::unique_ptr<Grace> grace_;
    std::unique_ptr<TallyBook> tallies_;
    std::array<std::unique_ptr<of::Host>, kMaxBridges> hosts_;
};

}  // namespace turnout
