// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/datapath.hpp"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "engine/base/error.hpp"
#include "engine/port/eal.hpp"
#include "engine/worker/bridge_host.hpp"

namespace turnout {
namespace {

constexpr std::chrono::milliseconds kRefill{10};
constexpr unsigned kPoolCache = 256;  // mbufs that each worker keeps at hand

std::string port_name(unsigned number) { return "port " + std::to_string(number); }

}  // namespace

Datapath::Datapath(const std::vector<unsigned>& cores, unsigned mbufs, unsigned mtu, int64_t spin_us)
    : bases_(kMaxPorts) {
    if (!eal_started()) throw Error("DPDK is not started; call start_eal() first");
    if (cores.empty() || cores.size() > kMaxWorkers) throw Error("cores: name 1 to 64 of them");
    const unsigned room = RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(mtu + kEtherHeader + 2 * kVlanTag, 64u);
    static unsigned serial = 0;
    const std::string name = "turnout" + std::to_string(serial++);
    pool_ = rte_pktmbuf_pool_create(name.c_str(), mbufs, kPoolCache, 0, static_cast<uint16_t>(room), SOCKET_ID_ANY);
    if (!pool_)
        throw Error("no memory for " + std::to_string(mbufs) + " mbufs of " + std::to_string(room) +
                    " bytes; lower 'mbufs' or reserve more hugepages");
    const size_t size = rte_rcu_qsbr_get_memsize(kMaxWorkers);
    shared_.qsbr = static_cast<rte_rcu_qsbr*>(rte_zmalloc("turnout_qsbr", size, RTE_CACHE_LINE_SIZE));
    if (!shared_.qsbr) {
        rte_mempool_free(pool_);
        throw Error("no memory for the workers' quiescent states");
    }
    rte_rcu_qsbr_init(shared_.qsbr, kMaxWorkers);
    shared_.spin_us = spin_us;
    shared_.start_tsc = rte_rdtsc();
    plan_ = std::make_unique<Plan>();
    plan_->queues.resize(cores.size());
    shared_.plan = plan_.get();
    grace_ = std::make_unique<Grace>(shared_.qsbr);
    try {
        events_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (events_fd_ < 0) throw Error("no file descriptor left for the workers' events");
        std::vector<Tallies*> tallies;
        for (unsigned i = 0; i < cores.size(); i++) {
            workers_.push_back(std::make_unique<Worker>(i, cores[i], shared_, events_fd_));
            tallies.push_back(&workers_.back()->tallies());
        }
        tallies_ = std::make_unique<TallyBook>(std::move(tallies));
    } catch (...) {
        stop();
        throw;
    }
}

Datapath::~Datapath() { stop(); }

void Datapath::stop() {
    shared_.stop = true;
    for (const auto& worker : workers_) worker->join();
    grace_->drain();
    plan_.reset();
    devices_.clear();  // until then DPDK's threads may wake workers
    workers_.clear();
    if (events_fd_ >= 0) ::close(events_fd_);
    rte_free(shared_.qsbr);
    rte_mempool_free(pool_);
}

unsigned Datapath::attach(const EthConfig& config) {
    auto made = std::make_shared<EthDevice>(config, pool_, [this] {
        for (const auto& worker : workers_) worker->wake();
    });
    devices_[next_device_] = std::move(made);
    return next_device_++;
}

unsigned Datapath::attach_tap(const TapConfig& config) {
    auto made = std::make_shared<TapDevice>(config, pool_);
    devices_[next_device_] = std::move(made);
    return next_device_++;
}

void Datapath::detach(unsigned id) {
    const std::shared_ptr<Device> gone = device(id);
    for (const PortView& port : plan_->ports)
        if (port.device == gone.get()) throw Error("device " + std::to_string(id) + " still belongs to a port");
    devices_.erase(id);
}

std::shared_ptr<Device> Datapath::device(unsigned id) const {
    const auto found = devices_.find(id);
    if (found == devices_.end()) throw Error("device " + std::to_string(id) + " does not exist");
    return found->second;
}

DeviceInfo Datapath::device_info(unsigned id) const { return device(id)->info(); }

void Datapath::publish(const std::vector<BridgeSpec>& bridges, const std::vector<PortSpec>& ports,
                       const std::vector<QueueSpec>& queues) {
    std::unique_ptr<Plan> next = build(bridges, ports, queues, *plan_);

    // A queue must never have two pollers: one that moves rests for an instant, in a plan that lacks it.
    auto between = std::make_unique<Plan>();
    bool moves = false;
    between->queues.resize(workers_.size());
    for (unsigned to = 0; to < workers_.size(); to++)
        for (const RxQueue& queue : next->queues[to]) {
            bool moved = false;
            for (unsigned from = 0; from < workers_.size(); from++)
                moved = moved || (from != to && std::ranges::count(plan_->queues[from], queue) > 0);
            if (!moved) between->queues[to].push_back(queue);
            moves = moves || moved;
        }
    if (moves) {
        std::unique_ptr<Plan> resting = build(bridges, ports, {}, *next);
        resting->queues = std::move(between->queues);
        swap_in(std::move(resting));
        next->epoch = ++epoch_;
    }
    swap_in(std::move(next));
    for (const BridgeSpec& spec : bridges) {
        plan_->bridges[spec.number].fdb->set_aging(spec.mac_aging);
        plan_->bridges[spec.number].fdb->set_limit(spec.mac_table_size);
    }
}

std::unique_ptr<Plan> Datapath::build(const std::vector<BridgeSpec>& bridges, const std::vector<PortSpec>& ports,
                                      const std::vector<QueueSpec>& queues, const Plan& before) {
    auto plan = std::make_unique<Plan>();
    plan->epoch = ++epoch_;
    plan->queues.resize(workers_.size());
    for (const BridgeSpec& spec : bridges) {
        if (spec.number >= kMaxBridges)
            throw Error("bridge number " + std::to_string(spec.number) + ": at most " +
                        std::to_string(kMaxBridges - 1));
        std::shared_ptr<Fdb> kept;
        for (const std::shared_ptr<Fdb>& fdb : before.fdbs)
            if (fdb.get() == before.bridges[spec.number].fdb) kept = fdb;
        if (!kept) kept = std::make_shared<Fdb>(spec.mac_table_size, spec.mac_aging);
        plan->bridges[spec.number].fdb = kept.get();
        plan->fdbs.push_back(std::move(kept));
        std::shared_ptr<of::Tables>& tables = plan->tables[spec.number];
        tables = before.tables[spec.number];
        if (!tables) tables = std::make_shared<of::Tables>(host_of(spec.number));
        plan->bridges[spec.number].pipeline = &tables->pipeline();
    }
    for (const PortSpec& spec : ports) add_port(*plan, spec);
    for (const QueueSpec& spec : queues) {
        Device* device = spec.port < kMaxPorts ? plan->ports[spec.port].device : nullptr;
        if (!device || spec.queue >= device->rxqs() || spec.worker >= workers_.size())
            throw Error("rx queue " + std::to_string(spec.queue) + " of " + port_name(spec.port) + " for worker " +
                        std::to_string(spec.worker) + ": no such queue or worker");
        const RxQueue queue{device, static_cast<PortNo>(spec.port), static_cast<uint16_t>(spec.queue)};
        for (const std::vector<RxQueue>& polled : plan->queues)
            if (std::ranges::count(polled, queue) > 0)
                throw Error("rx queue " + std::to_string(spec.queue) + " of " + port_name(spec.port) +
                            " is named twice");
        plan->queues[spec.worker].push_back(queue);
    }
    return plan;
}

void Datapath::add_port(Plan& plan, const PortSpec& spec) {
    if (spec.number == 0 || spec.number >= kMaxPorts || plan.ports[spec.number].exists)
        throw Error(port_name(spec.number) + ": a number from 1 to " + std::to_string(kMaxPorts - 1) +
                    ", used once, is needed");
    if (spec.bridge >= kMaxBridges || !plan.bridges[spec.bridge].fdb)
        throw Error(port_name(spec.number) + ": bridge " + std::to_string(spec.bridge) + " does not exist");
    if (spec.peer >= static_cast<int>(kMaxPorts) || spec.tag >= kVlans)
        throw Error(port_name(spec.number) + ": its peer must be below " + std::to_string(kMaxPorts) +
                    ", its VLAN below 4096");
    PortView& port = plan.ports[spec.number];
    port.exists = true;
    port.bridge = static_cast<BridgeNo>(spec.bridge);
    port.peer = spec.peer >= 0 ? static_cast<PortNo>(spec.peer) : kNoPort;
    if (spec.device >= 0) {
        const std::shared_ptr<Device> found = device(static_cast<unsigned>(spec.device));
        if (std::ranges::count(plan.devices, found) > 0)
            throw Error(port_name(spec.number) + ": device " + std::to_string(spec.device) + " has a port already");
        port.device = found.get();
        port.longest = found->mtu() + kEtherHeader + kVlanTag;
        port.shared_txqs = found->shares_txqs(workers_.size());
        plan.devices.push_back(found);
    }
    port.vlans.mode = spec.vlan_mode;
    port.vlans.tag = spec.tag;
    if (!spec.trunks.empty() && spec.vlan_mode != VlanMode::Access) {
        auto carried = std::make_unique<VlanSet>();
        for (const uint16_t vlan : spec.trunks) carried->set(vlan & kVidMask);
        if (spec.vlan_mode != VlanMode::Trunk) carried->set(spec.tag & kVidMask);
        port.vlans.carried = carried.get();
        plan.vlan_sets.push_back(std::move(carried));
    }
    port.ofport = spec.ofport;
    port.config = spec.config;
    add_to_bridge(plan.bridges[spec.bridge], spec);
}

void Datapath::add_to_bridge(BridgeView& bridge, const PortSpec& spec) {
    const auto port = static_cast<PortNo>(spec.number);
    bridge.ports.push_back(port);
    bridge.plain = bridge.plain && spec.config == 0;
    if (spec.ofport == 0) return;
    if (spec.ofport > kMaxOfPort && spec.ofport != kLocalPort)
        throw Error(port_name(spec.number) + ": its OpenFlow number must be below " + std::to_string(kMaxOfPort + 1));
    if (bridge.port_of(spec.ofport) != kNoPort)
        throw Error(port_name(spec.number) + ": OpenFlow number " + std::to_string(spec.ofport) + " is taken");
    if (spec.ofport == kLocalPort) {
        bridge.local = port;
    } else {
        if (bridge.by_ofport.size() <= spec.ofport) bridge.by_ofport.resize(spec.ofport + 1, kNoPort);
        bridge.by_ofport[spec.ofport] = port;
    }
}

of::Host& Datapath::host_of(unsigned bridge) {
    if (!hosts_[bridge]) hosts_[bridge] = std::make_unique<BridgeHost>(*this, bridge);
    return *hosts_[bridge];
}

// Publishes the plan, waits until no worker uses the old one, and clears up after it.
void Datapath::swap_in(std::unique_ptr<Plan> plan) {
    std::vector<bool> gone(kMaxPorts, false);
    for (unsigned port = 0; port < kMaxPorts; port++) {
        const PortView &old = plan_->ports[port], &now = plan->ports[port];
        if (old.exists == now.exists && old.bridge == now.bridge) continue;
        gone[port] = old.exists;
        // A new port counts from zero; noted before the first packet that it can see.
        if (now.exists) bases_[port] = sum(static_cast<PortNo>(port));
    }
    shared_.plan.store(plan.get(), std::memory_order_release);
    for (const auto& worker : workers_) worker->wake();
    wait_for_workers();
    for (const auto& worker : workers_) worker->finish_sleep();
    // Only now can nothing more be learned on ports that are gone.
    if (std::ranges::count(gone, true) > 0)
        for (const std::shared_ptr<Fdb>& fdb : plan_->fdbs)
            fdb->flush([&](const Fdb::Entry& entry) { return gone[entry.port % kMaxPorts]; });
    // Tables go only when nothing of theirs is left to reclaim.
    if (!std::ranges::all_of(plan_->tables, [&](const auto& t) { return !t || std::ranges::count(plan->tables, t); }))
        grace_->drain();
    plan_ = std::move(plan);
}

// Returns when no worker uses anything that was replaced before the call.
void Datapath::wait_for_workers() const {
    const uint64_t token = rte_rcu_qsbr_start(shared_.qsbr);
    while (!rte_rcu_qsbr_check(shared_.qsbr, token, false)) std::this_thread::yield();
}

Datapath::Sums Datapath::sum(PortNo port) const {
    Sums sums;
    PortTotals& totals = sums.totals;
    totals.port = port;
    for (const auto& worker : workers_) {
        const PortCounters& counters = worker->counters(port);
        totals.rx_packets += counters.rx_packets.get();
        totals.rx_bytes += counters.rx_bytes.get();
        totals.tx_packets += counters.tx_packets.get();
        totals.tx_bytes += counters.tx_bytes.get();
        for (unsigned reason = 0; reason < kDropReasons; reason++) sums.drops[reason] += counters.drops[reason].get();
    }
    return sums;
}

std::vector<PortTotals> Datapath::port_totals() const {
    std::vector<PortTotals> all;
    for (unsigned port = 0; port < kMaxPorts; port++) {
        if (!plan_->ports[port].exists) continue;
        PortTotals totals = sum(static_cast<PortNo>(port)).totals;
        const PortTotals& base = bases_[port].totals;
        totals.rx_packets -= base.rx_packets;
        totals.rx_bytes -= base.rx_bytes;
        totals.tx_packets -= base.tx_packets;
        totals.tx_bytes -= base.tx_bytes;
        all.push_back(totals);
    }
    return all;
}

std::vector<DropTotal> Datapath::drops() const {
    std::vector<DropTotal> all;
    for (unsigned port = 0; port < kMaxPorts; port++) {
        if (!plan_->ports[port].exists) continue;
        const Sums sums = sum(static_cast<PortNo>(port));
        for (unsigned reason = 0; reason < kDropReasons; reason++)
            if (const uint64_t packets = sums.drops[reason] - bases_[port].drops[reason])
                all.push_back({static_cast<PortNo>(port), static_cast<Drop>(reason), packets});
    }
    return all;
}

std::vector<QueueLoad> Datapath::queue_loads() const {
    std::vector<QueueLoad> all;
    for (unsigned worker = 0; worker < plan_->queues.size(); worker++)
        for (const RxQueue& queue : plan_->queues[worker]) {
            const Device::Load& load = queue.device->load(queue.queue);
            all.push_back({queue.port, queue.queue, worker, load.packets.get(), load.cycles.get()});
        }
    return all;
}

std::vector<WorkerLoad> Datapath::worker_loads() const {
    std::vector<WorkerLoad> all;
    const uint64_t total = rte_rdtsc() - shared_.start_tsc;
    for (unsigned i = 0; i < workers_.size(); i++) {
        const Worker::Load& load = workers_[i]->load();
        all.push_back({i, workers_[i]->core(), load.packets.get(), load.busy_cycles.get(), total, load.sleeps.get()});
    }
    return all;
}

Fdb& Datapath::fdb_of(unsigned bridge) const {
    if (bridge >= kMaxBridges || !plan_->bridges[bridge].fdb)
        throw Error("bridge " + std::to_string(bridge) + " does not exist");
    return *plan_->bridges[bridge].fdb;
}

std::vector<Address> Datapath::fdb(unsigned bridge) const {
    std::vector<Address> all;
    const uint32_t now = shared_.second();
    fdb_of(bridge).for_each(now, [&](const Fdb::Entry& entry) {
        const uint32_t age = now > entry.seen ? now - entry.seen : 0;
        all.push_back({Fdb::mac(entry.key), Fdb::vlan(entry.key), entry.port, age, entry.is_static()});
    });
    return all;
}

unsigned Datapath::fdb_flush(unsigned bridge) {
    return fdb_of(bridge).flush([](const Fdb::Entry& entry) { return !entry.is_static(); });
}

void Datapath::fdb_add(unsigned bridge, unsigned port, uint16_t vlan, uint64_t mac) {
    Fdb& fdb = fdb_of(bridge);
    if (port >= kMaxPorts || !plan_->ports[port].exists || plan_->ports[port].bridge != bridge)
        throw Error(port_name(port) + ": not one of bridge " + std::to_string(bridge));
    if (vlan >= kVlans) throw Error("VLAN " + std::to_string(vlan) + ": must be below 4096");
    if (!fdb.add_static(Fdb::key(mac, vlan), static_cast<PortNo>(port)))
        throw Error("no room for one more static address here");
}

bool Datapath::fdb_del(unsigned bridge, uint16_t vlan, uint64_t mac) {
    return fdb_of(bridge).remove_static(Fdb::key(mac, vlan));
}

Fdb::Totals Datapath::fdb_totals(unsigned bridge) const { return fdb_of(bridge).totals(); }

void Datapath::clear_fdb_totals(unsigned bridge) { fdb_of(bridge).clear_totals(); }

std::shared_ptr<of::Tables> Datapath::tables(unsigned bridge) const {
    fdb_of(bridge);
    return plan_->tables[bridge];
}

std::vector<of::PacketIn> Datapath::take_packet_ins(unsigned most) {
    eventfd_t ignored;
    eventfd_read(events_fd_, &ignored);
    std::vector<of::PacketIn> packets;
    for (const auto& worker : workers_) worker->mailbox().take(most, [&](Event& event) { take(event, packets); });
    grace_->poll();
    return packets;
}

void Datapath::take(Event& event, std::vector<of::PacketIn>& packets) {
    const std::shared_ptr<of::Tables>& tables = plan_->tables[event.bridge];
    if (event.kind == Event::PacketIn) {
        of::PacketIn& packet = packets.emplace_back();
        packet.bridge = event.bridge;
        packet.controller = event.controller;
        packet.max_len = event.max_len;
        packet.userdata = std::move(event.userdata);
        packet.frame.resize(event.packet->pkt_len);
        if (const void* at = rte_pktmbuf_read(event.packet, 0, event.packet->pkt_len, packet.frame.data());
            at != packet.frame.data())
            std::memcpy(packet.frame.data(), at, packet.frame.size());
        packet.fields.key = event.key;
        packet.fields.cookie = event.cookie;
        packet.fields.total_len = event.total_len;
        packet.fields.reason = static_cast<uint8_t>(event.reason);
        packet.fields.table = event.table;
    } else if (tables && event.kind == Event::Learn) {
        tables->learn(*event.learn, event.key);
    } else if (tables) {
        if (of::Flow* flow = tables->lookup(event.table, event.key)) tables->fin_timeout(flow, event.idle, event.hard);
    }
}

// Has the worker that has the bridge's first queue carry out the actions.
void Datapath::packet_out(unsigned bridge, const of::PacketOut& packet) {
    rte_mbuf* frame = make_packet(pool_, packet.frame);
    if (!frame) return;  // the pool is empty: as if the network had lost it
    Worker& worker = *workers_.front();
    Outgoing outgoing{static_cast<BridgeNo>(bridge), packet.in_port, packet.pipeline, packet.actions, frame};
    while (!worker.mailbox().send(std::move(outgoing))) {
        worker.wake();
        std::this_thread::yield();
    }
    worker.wake();
}

// Returns when every worker sees what was published, and packet-outs from before are sent.
void Datapath::settle() {
    for (const auto& worker : workers_)
        while (worker->mailbox().has_outgoing()) {
            worker->wake();
            std::this_thread::yield();
        }
    wait_for_workers();
    grace_->poll();
}

void Datapath::age() {
    const uint32_t now = shared_.second();
    grace_->poll();
    for (const std::shared_ptr<Fdb>& fdb : plan_->fdbs) {
        fdb->expire(now);
        // Each time to twice the size, with a moment for traffic to fill it, until nothing is evicted any more.
        while (auto old = fdb->grow()) {
            wait_for_workers();
            fdb->retire(std::move(old), now);
            std::this_thread::sleep_for(kRefill);
        }
    }
}

Datapath::Pool Datapath::mbufs() const { return {pool_->size, rte_mempool_in_use_count(pool_)}; }

}  // namespace turnout
