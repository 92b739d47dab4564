// SPDX-License-Identifier: Apache-2.0
// The inside of Tables, for the tables*.cpp files: each is about one subject and implements part of Impl.
//
// A change is prepared for the version next(), which no worker uses yet, and becomes visible, whole, by publish(). What
// it removes stays until then, and is handed to the reclaimer only afterwards.
#pragma once

#include <map>
#include <span>

#include "engine/openflow/errors.hpp"
#include "engine/openflow/flow.hpp"
#include "engine/openflow/programs.hpp"
#include "engine/openflow/tables.hpp"

namespace turnout::of {

inline constexpr uint32_t kAllMeters = 0xffffffff;
inline constexpr size_t kMaxMeters = 1 << 16, kMaxBands = 8;

enum Reason : uint8_t { kIdle, kHard, kDelete, kGroupDelete, kMeterDelete, kEviction };  // OFPRR_*

// Flows by the second at which their timeouts are to be looked at; those without any are not in it.
class Wheel {
public:
    void put(Flow& flow, uint32_t due);  // again: moves it
    void drop(Flow& flow);
    // Takes out what is due by `now`.
    std::vector<Flow*> take(uint32_t now);

private:
    static constexpr uint32_t kSlots = 1024;  // a flow that is due later than in so many seconds is passed over
    std::array<std::vector<Flow*>, kSlots> slots_;
    uint32_t taken_ = 0;
};

// A tally that goes back when its last holder goes.
struct OwnTally {
    explicit OwnTally(Host& from) : host(from), id(from.new_tally()) {}
    ~OwnTally() { host.free_tally(id); }
    OwnTally(const OwnTally&) = delete;
    OwnTally& operator=(const OwnTally&) = delete;
    Host& host;
    TallyId id;
};

struct GroupState {
    std::shared_ptr<const Group> group;
    std::shared_ptr<OwnTally> tally;
    uint64_t created = 0;  // [ns]
};
struct MeterState {
    std::shared_ptr<Meter> meter;
    std::shared_ptr<OwnTally> tally;
    uint64_t created = 0;  // [ns]
};

struct Tables::Impl {
    explicit Impl(Host& host);
    ~Impl();

    // What no longer is in the next version.
    struct Retired {
        Host* host;
        std::vector<Flow*> flows;
        std::vector<TallyId> tallies;
        std::vector<std::shared_ptr<const SharedProgram>> programs;
        std::vector<std::unique_ptr<const Groups>> groups;
        std::vector<std::unique_ptr<const Meters>> meters;
        std::vector<std::unique_ptr<const Reads>> reads;
        ~Retired();
    };

    // --- tables.cpp: messages, publication
    enum class Kind { FlowMod, PacketOut, GroupMod, MeterMod, Barrier, Other };
    static Kind kind_of(Bytes message);
    Received receive(Bytes data, const SessionView& session);
    void carry_out(Kind kind, Bytes message, const SessionView& session, Wire& replies);
    void packet_out(Bytes message);
    void barrier(Bytes message, Wire& replies);
    Version next() const { return pipeline.version.load(std::memory_order_relaxed) + 1; }
    void publish();
    void publish_reads();
    template <typename Book, typename Map>
    void publish_book(const Book& book, std::unique_ptr<const Map>& published, std::atomic<const Map*>& to,
                      bool& book_changed, bool after);
    const Rule* find_all_normal() const;
    Retired& bin();

    // --- tables_flows.cpp
    struct Cause {  // of a change, for events
        uint8_t reason = 0;
        uint32_t session = 0, xid = 0;
    };
    struct Filter {  // which flows a request is about, beyond its match
        uint32_t out_port = kPortAny, out_group = kAnyGroup;
        uint64_t cookie = 0, cookie_mask = 0;
        bool wants_all() const { return out_port == kPortAny && out_group == kAnyGroup && !cookie_mask; }
        bool wants(const Flow& flow) const;
    };
    struct NewFlow {
        uint8_t table;
        uint16_t priority;
        uint64_t cookie;
        uint16_t idle, hard, importance, flags;
    };
    void flow_mod(Bytes message, const SessionView& session);
    void change_flows(const FlowMod& mod, uint8_t version, const Cause& cause);
    void add_flow(const Match& match, const NewFlow& what, std::shared_ptr<SharedProgram> program, bool resets,
                  const Cause& cause);
    void modify_flow(Flow& flow, std::shared_ptr<SharedProgram> program, const FlowMod& mod, const Cause& cause);
    void check(const Program& program, std::span<const uint32_t> groups) const;
    template <typename Visit>
    void visit(uint8_t table, const Match& match, const Filter& filter, const Visit& each) const;
    std::vector<Flow*> select(uint8_t table, const Match& match, const Filter& filter) const;
    std::vector<Flow*> select_strict(uint8_t table, const Match& match, uint16_t priority, const Filter& filter) const;
    // What all changes are made of, each of which can be undone before it is published:
    Flow& insert(const Match& match, const NewFlow& what, std::shared_ptr<SharedProgram> program, TallyId tally);
    void replace(Flow& flow, std::shared_ptr<SharedProgram> program, TallyId tally);
    void remove(Flow& flow);
    void remove_flow(Flow& flow, const Cause& cause);  // with all that follows from it
    void forget_learned(const Cause& cause);

    // --- tables_events.cpp
    FlowStats stats_of(const Flow& flow) const;
    void report(FlowEvent::Kind kind, const Flow& flow, const Cause& cause);
    void check_vacancy(uint8_t table);

    // --- tables_expiry.cpp
    void schedule(Flow& flow);
    std::optional<uint8_t> expired(const Flow& flow, uint32_t& due) const;
    void expire();
    void make_room(uint8_t table);
    uint32_t evict(uint8_t table, uint32_t count);
    void shrink_reads();

    // --- tables_groups.cpp
    void group_mod(Bytes message, const SessionView& session);
    void set_group(Group group);
    void check_group(const Group& group) const;
    void delete_groups(uint32_t id, const Cause& cause);
    bool leads_to(uint32_t from, uint32_t to) const;

    // --- tables_meters.cpp
    void meter_mod(Bytes message, const SessionView& session);
    void set_meter(const MeterMod& mod);
    void delete_meters(uint32_t id, const Cause& cause);

    // --- tables_bundles.cpp
    struct Undo {
        enum Kind { Inserted, Altered, Replaced, Removed } kind;  // Altered: all but its rule
        Flow* flow;
        std::shared_ptr<SharedProgram> program;  // as before the change, like all below
        std::unique_ptr<Match> match;            // null: Inserted
        TallyId tally;
        uint16_t priority;
        uint8_t table;
        uint64_t cookie, created, modified;
        uint32_t since;
        uint16_t idle, hard, importance, flags;
    };
    Wire commit(const std::vector<Bytes>& messages, const SessionView& session);
    void note(Undo::Kind kind, Flow& flow);
    void roll_back();
    void put_back(const Undo& undo);

    // --- tables_statistics.cpp
    struct Statistics;
    std::vector<Wire> statistics(Bytes request, const SessionView& session);

    // --- tables_learn.cpp
    void learn(const Learn& learn, const FlowKey& key);

    struct Table {
        TableConfig config;
        uint32_t flows = 0;         // in the next version
        uint8_t vacancy_event = 0;  // the one that can come next; 0: none is wanted
        bool touched = false;       // by the change under way
    };
    struct PendingEvent {
        FlowEvent event;
        TallyId tally;  // read when the event's version has been published
    };

    Host& host;
    uint64_t now = 0;  // [ns] when the call under way began
    Pipeline pipeline{host.reclaimer()};
    std::array<Table, kTables> tables;
    Programs programs;
    Wheel wheel;
    std::map<uint32_t, GroupState> groups;
    std::map<uint32_t, MeterState> meters;

    std::map<SharedProgram::Learned, uint32_t> learners;  // flows with a learn() that keeps what it learns alive
    std::vector<SharedProgram::Learned> forgotten;        // whose last one went in the change under way

    FlowKey reads{};  // all that next() looks at; grows, until shrink_reads() works it out afresh
    std::unique_ptr<const Reads> published_reads;
    std::unique_ptr<const Groups> published_groups;
    std::unique_ptr<const Meters> published_meters;

    // The change under way.
    bool changed = false, groups_changed = false, meters_changed = false;
    bool may_shrink = false;  // something that read keys went, since the reads were last worked out
    bool unseen = false;      // something was published or sent that workers may not have seen yet
    std::unique_ptr<Retired> retired;
    std::vector<PacketOut> packets;  // of a bundle, sent when it is committed
    bool in_bundle = false;
    std::vector<Undo> undo;

    bool monitored = false;
    std::vector<PendingEvent> events;
    size_t settled = 0;  // events whose version has been published
    std::vector<VacancyEvent> vacancies;
};

// The flows of the next version that the match covers and the filter wants.
template <typename Visit>
void Tables::Impl::visit(uint8_t table, const Match& match, const Filter& filter, const Visit& each) const {
    const bool all = filter.wants_all();
    const unsigned first = table == kAllTables ? 0 : table, last = table == kAllTables ? kTables - 1 : table;
    for (unsigned i = first; i <= last; i++)
        if (tables[i].flows)
            pipeline.tables[i]->for_each(match, next(), [&](Rule& rule) {
                if (all || filter.wants(*rule.flow)) each(*rule.flow);
            });
}

}  // namespace turnout::of
