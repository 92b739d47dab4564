// SPDX-License-Identifier: Apache-2.0
// A bridge's flow tables, groups and meters as control changes them: what flow_mod, group_mod, meter_mod and the
// statistics requests mean (OpenFlow 1.0 and 1.3.5, section 6.4; Open vSwitch where that is silent).
//
// All calls are control's, from one thread. A change is published to workers with one version, whole.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/openflow/codec.hpp"
#include "engine/openflow/pipeline.hpp"

namespace turnout::of {

// What tables need of the datapath around them.
class Host {
public:
    virtual ~Host() = default;
    virtual Reclaimer& reclaimer() = 0;
    virtual TallyId new_tally() = 0;  // its count starts at zero
    virtual void free_tally(TallyId id) = 0;
    struct Tally {
        uint64_t packets, bytes;
        uint32_t used;
    };  // used: second() of the last packet; 0: never
    virtual Tally tally(TallyId id) const = 0;
    virtual uint32_t second() const = 0;  // since the datapath's start
    virtual uint64_t now_ns() const = 0;  // monotonic
    virtual void wait_for_workers() = 0;  // returns when all that was published is seen by every worker
    virtual bool port_exists(uint32_t of_port) const = 0;
    // Has a worker carry out the actions on the frame.
    virtual void packet_out(const PacketOut& packet) = 0;
};

struct Flow;  // flow.hpp

// Something that happened to a flow and that some session may want to hear of.
struct FlowEvent {
    enum Kind : uint8_t { Added, Modified, Removed } kind;
    FlowStats flow;                          // counters as of then
    std::shared_ptr<const Program> program;  // keeps flow.program alive
    uint32_t xid = 0;
    uint32_t session = 0;  // who caused it; 0: nobody (timeout, eviction)
};

// A table's free space crossed a bound (OpenFlow 1.4, 7.4.5). reason: OFPTR_VACANCY_DOWN or _UP.
struct VacancyEvent {
    uint8_t table;
    uint8_t reason;
    uint8_t vacancy;  // [%]
};

// What a session has agreed on.
struct SessionView {
    uint32_t id = 0;
    uint8_t version = kOf13;
    FlowFormat format = FlowFormat::Oxm;
    bool may_write = true;  // not a slave
};

struct Received {
    size_t consumed = 0;  // bytes; what follows is a message for Python, an incomplete one, or nothing
    Wire replies;         // errors, barrier replies
};

class Tables {
public:
    explicit Tables(Host& host);
    ~Tables();  // no worker is left, and the host's reclaimer is drained
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;

    Pipeline& pipeline();

    // Carries out the run of whole messages at the start of `data` that are flow_mods (OF and NX), packet_outs,
    // group_mods, meter_mods and barriers; stops before any other. At most one version is published per run.
    Received receive(Bytes data, const SessionView& session);
    // A bundle: all messages or none, under one version. Returns the error reply for the first that fails; empty:
    // committed.
    Wire commit(const std::vector<Bytes>& messages, const SessionView& session);

    // Replies to flow, aggregate, table, group, group desc, group features, meter, meter config and meter features
    // statistics requests of any version: whole messages, each below 64 KiB, the last without the MORE flag.
    std::vector<Wire> statistics(Bytes request, const SessionView& session);

    // Removes what has timed out, or must go to keep a table's limit; call about once a second.
    void expire();
    // What happened since the last call, of flows that ask for flow-removed, or of all if `monitored`.
    std::vector<FlowEvent> take_events();
    void monitor(bool all);
    std::vector<VacancyEvent> take_vacancies();
    // Flows as a monitor's initial reply wants them.
    void for_each(const FlowStatsRequest& request, const std::function<void(const FlowStats&)>& visit) const;

    // The flow that a packet with this key meets in the table; null: none. It may go with the next change.
    Flow* lookup(uint8_t table, const FlowKey& key) const;
    FlowStats describe(const Flow& flow) const;

    // NXAST_LEARN, asked for by a packet.
    void learn(const Learn& learn, const FlowKey& key);
    // NXAST_FIN_TIMEOUT: a flow of lookup()'s need not live longer than this [s]; 0: as it was.
    void fin_timeout(Flow* flow, uint16_t idle, uint16_t hard);

    struct TableConfig {
        uint32_t limit = 1'000'000;  // flows
        bool evict = false;
        std::string name;
        bool vacancy = false;
        uint8_t vacancy_down = 0, vacancy_up = 0;
    };
    void configure(uint8_t table, const TableConfig& config);
    TableConfig config(uint8_t table) const;
    void clear();  // removes all flows and groups, without events (fail mode)

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace turnout::of
