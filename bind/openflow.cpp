// SPDX-License-Identifier: Apache-2.0
// A bridge's OpenFlow tables, and what happens in them, as Python's sessions and tools hold them.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>

#include "bind/bind.hpp"
#include "engine/openflow/flow.hpp"
#include "engine/openflow/packet_in.hpp"
#include "engine/openflow/programs.hpp"
#include "engine/parse/parse.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace turnout {
namespace {

nb::bytes to_bytes(const of::Wire& wire) { return nb::bytes(wire.data(), wire.size()); }

// What lies in a bytes-like object, for as long as this does.
class Buffer {
public:
    explicit Buffer(nb::handle from) {
        if (PyObject_GetBuffer(from.ptr(), &view_, PyBUF_SIMPLE)) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    of::Bytes bytes() const { return {static_cast<const uint8_t*>(view_.buf), static_cast<size_t>(view_.len)}; }

private:
    Py_buffer view_;
};

// A flow as it was: its match is on the wire already, so that a million of them fit.
struct FlowRecord {
    explicit FlowRecord(const of::FlowStats& of)
        : stats(of), program(static_cast<const of::SharedProgram*>(of.program)->shared_from_this()) {
        of::Wire wire;
        of::encode_match(wire, of::kOf13, of::FlowFormat::Oxm, of.match);
        match.assign(wire.begin() + 4, wire.begin() + of::be16(&wire[2]));
    }

    struct Stats {  // of::FlowStats without its match
        explicit Stats(const of::FlowStats& of)
            : cookie(of.cookie),
              packets(of.packets),
              bytes(of.bytes),
              age_ns(of.age_ns),
              idle_age(of.idle_age),
              hard_age(of.hard_age),
              priority(of.priority),
              idle(of.idle),
              hard(of.hard),
              importance(of.importance),
              flags(of.flags),
              table(of.table) {}
        uint64_t cookie, packets, bytes, age_ns;
        uint32_t idle_age, hard_age;
        uint16_t priority, idle, hard, importance, flags;
        uint8_t table;
    } stats;
    of::Wire match;
    std::shared_ptr<const of::Program> program;
};

nb::bytes flow_removed(const of::FlowEvent& event, uint8_t version, of::FlowFormat format, uint32_t xid) {
    of::Wire out;
    of::encode_flow_removed(out, version, format, xid, event.flow);
    return to_bytes(out);
}

// nx_flow_update_full and _abbrev of OpenFlow 1.0 sessions.
of::Wire nicira_update(const of::FlowEvent& event, bool actions, bool abbreviated) {
    constexpr std::array<uint16_t, 3> kEvents{0, 2, 1};  // added, modified, deleted
    constexpr uint16_t kAbbreviated = 3;
    const of::FlowStats& flow = event.flow;
    of::Wire out, match;
    of::put16(out, 0);
    of::put16(out, abbreviated ? kAbbreviated : kEvents[event.kind]);
    if (abbreviated) {
        of::put32(out, event.xid);
    } else {
        of::encode_match(match, of::kOf10, of::FlowFormat::Nxm, flow.match);
        of::put16(out, flow.reason);
        of::put16(out, flow.priority);
        of::put16(out, flow.idle);
        of::put16(out, flow.hard);
        of::put16(out, static_cast<uint16_t>(match.size()));
        of::put8(out, flow.table);
        of::zeros(out, 1);
        of::put64(out, flow.cookie);
        of::put(out, match);
        of::pad8(out, 0);
        if (actions) of::encode_program(out, of::kOf10, *flow.program);
    }
    of::set16(out, 0, out.size());
    return out;
}

// ofp_flow_update_full and _abbrev of OpenFlow 1.4.
of::Wire update(const of::FlowEvent& event, uint8_t version, bool instructions, bool abbreviated) {
    constexpr std::array<uint16_t, 3> kEvents{1, 3, 2};  // added, modified, removed
    constexpr uint16_t kAbbreviated = 4;
    const of::FlowStats& flow = event.flow;
    of::Wire out;
    of::put16(out, 0);
    of::put16(out, abbreviated ? kAbbreviated : kEvents[event.kind]);
    if (abbreviated) {
        of::put32(out, event.xid);
    } else {
        of::put8(out, flow.table);
        of::put8(out, event.kind == of::FlowEvent::Removed ? flow.reason : 0);
        of::put16(out, flow.idle);
        of::put16(out, flow.hard);
        of::put16(out, flow.priority);
        of::zeros(out, 4);
        of::put64(out, flow.cookie);
        of::encode_match(out, version, of::FlowFormat::Oxm, flow.match);
        if (instructions) of::encode_program(out, version, *flow.program);
    }
    of::set16(out, 0, out.size());
    return out;
}

nb::bytes monitor_update(const of::FlowEvent& event, uint8_t version, bool actions, bool abbreviated) {
    return to_bytes(version == of::kOf10 ? nicira_update(event, actions, abbreviated)
                                         : update(event, version, actions, abbreviated));
}

std::tuple<size_t, nb::bytes> receive(const TablesRef& self, nb::handle data, const of::SessionView& session) {
    const Buffer buffer(data);
    const auto tables = self.get();
    const of::SessionView view = session;
    of::Received received;
    {
        nb::gil_scoped_release unlocked;
        received = tables->receive(buffer.bytes(), view);
    }
    return {received.consumed, to_bytes(received.replies)};
}

nb::bytes commit(const TablesRef& self, const std::vector<nb::bytes>& messages, const of::SessionView& session) {
    std::vector<of::Bytes> wires;
    for (const nb::bytes& message : messages)
        wires.emplace_back(static_cast<const uint8_t*>(message.data()), message.size());
    const auto tables = self.get();
    const of::SessionView view = session;
    of::Wire reply;
    {
        nb::gil_scoped_release unlocked;
        reply = tables->commit(wires, view);
    }
    return to_bytes(reply);
}

std::vector<nb::bytes> statistics(const TablesRef& self, nb::handle request, const of::SessionView& session) {
    const Buffer buffer(request);
    const auto tables = self.get();
    const of::SessionView view = session;
    std::vector<of::Wire> replies;
    {
        nb::gil_scoped_release unlocked;
        replies = tables->statistics(buffer.bytes(), view);
    }
    std::vector<nb::bytes> messages;
    for (const of::Wire& reply : replies) messages.push_back(to_bytes(reply));
    return messages;
}

std::vector<FlowRecord> dump(const TablesRef& self, uint8_t table) {
    if (table >= of::kTables && table != of::kAllTables)
        throw Error("table " + std::to_string(table) + ": there are 254");
    std::vector<FlowRecord> records;
    of::FlowStatsRequest about;
    about.table = table;
    self.get()->for_each(about, [&](const of::FlowStats& flow) { records.emplace_back(flow); });
    return records;
}

std::optional<FlowRecord> lookup(const TablesRef& self, uint8_t table, const nb::bytes& key) {
    if (key.size() != sizeof(FlowKey)) throw Error("a flow key has " + std::to_string(sizeof(FlowKey)) + " bytes");
    const auto tables = self.get();
    const of::Flow* flow = tables->lookup(table, load<FlowKey>(static_cast<const uint8_t*>(key.data())));
    if (!flow) return {};
    return FlowRecord(tables->describe(*flow));
}

void configure(const TablesRef& self, unsigned table, uint32_t limit, bool evict, const std::string& name,
               uint8_t vacancy_down, uint8_t vacancy_up) {
    if (table >= of::kTables) throw Error("table " + std::to_string(table) + ": there are 254");
    self.get()->configure(static_cast<uint8_t>(table), {.limit = limit,
                                                        .evict = evict,
                                                        .name = name,
                                                        .vacancy = vacancy_down || vacancy_up,
                                                        .vacancy_down = vacancy_down,
                                                        .vacancy_up = vacancy_up});
}

nb::bytes key_of(const nb::bytes& frame, uint32_t in_port) {
    FlowKey key{};
    Layers layers;
    const auto* bytes = static_cast<const uint8_t*>(frame.data());
    parse({bytes, frame.size()}, static_cast<uint32_t>(frame.size()), Depth::L4, key, layers);
    key.arrival.in_port = Be32::of(in_port);
    return nb::bytes(&key, sizeof key);
}

std::string_view name_of(Style style) {
    constexpr std::array<std::string_view, 5> kNames{"decimal", "hex", "mac", "ipv4", "ipv6"};
    return kNames[static_cast<size_t>(style)];
}

std::string_view name_of(Prereq prereq) {
    constexpr std::array<std::string_view, 20> kNames{
        "none", "pushed", "vlan", "vlan2", "mpls", "mpls2", "mpls3",  "pbb", "arp",        "ipv4",
        "ipv6", "ip",     "tcp",  "udp",   "sctp", "icmp",  "icmpv6", "nd",  "nd_solicit", "nd_advert"};
    return kNames[static_cast<size_t>(prereq)];
}

// Fields that OpenFlow can name.
std::vector<const Field*> oxm_fields() {
    std::vector<const Field*> named;
    for (const Field& field : fields())
        if (field.oxm || field.nxm) named.push_back(&field);
    return named;
}

void bind_fields(nb::module_& m) {
    nb::class_<Field>(m, "OxmField", "A field of flow keys that OpenFlow can name.")
        .def_prop_ro("name", [](const Field& f) { return f.name; })
        .def_ro("oxm", &Field::oxm, "OXM header without mask bit; 0: none.")
        .def_ro("nxm", &Field::nxm, "NXM header without mask bit; 0: none.")
        .def_ro("offset", &Field::offset, "In the bytes of a key.")
        .def_ro("bytes", &Field::bytes)
        .def_ro("shift", &Field::shift, "Of the field in the number that these bytes are.")
        .def_ro("bits", &Field::bits)
        .def_ro("maskable", &Field::maskable)
        .def_ro("writable", &Field::writable)
        .def_prop_ro(
            "style", [](const Field& f) { return name_of(f.style); }, "decimal, hex, mac, ipv4 or ipv6.")
        .def_prop_ro(
            "prereq", [](const Field& f) { return name_of(f.prereq); }, "What a packet must be to have it.");
    m.def("oxm_fields", &oxm_fields, nb::rv_policy::reference, "All fields that OpenFlow can name.");
    m.def("key_of", &key_of, "frame"_a, "in_port"_a, "The flow key of a frame, as lookup() wants it.");
}

void bind_session(nb::module_& m) {
    nb::enum_<of::FlowFormat>(m, "FlowFormat", "How flows are written to a controller.")
        .value("OF10", of::FlowFormat::Of10)
        .value("OF10_TABLE_ID", of::FlowFormat::Of10TableId)
        .value("NXM", of::FlowFormat::Nxm)
        .value("NXM_TABLE_ID", of::FlowFormat::NxmTableId)
        .value("OXM", of::FlowFormat::Oxm);
    nb::enum_<of::PacketInFormat>(m, "PacketInFormat", "How packets are written to a controller.")
        .value("STANDARD", of::PacketInFormat::Standard)
        .value("NXT", of::PacketInFormat::Nxt)
        .value("NXT2", of::PacketInFormat::Nxt2);
    nb::class_<of::SessionView>(m, "SessionView", "What a session has agreed on.")
        .def(
            "__init__",
            [](of::SessionView* self, uint32_t id, uint8_t version, of::FlowFormat format, bool may_write) {
                new (self) of::SessionView{id, version, format, may_write};
            },
            nb::kw_only(), "id"_a, "version"_a, "format"_a, "may_write"_a,
            "version: as on the wire, 1, 4 or 5. may_write: not a slave.")
        .def_rw("id", &of::SessionView::id)
        .def_rw("version", &of::SessionView::version)
        .def_rw("format", &of::SessionView::format)
        .def_rw("may_write", &of::SessionView::may_write);
}

void bind_records(nb::module_& m) {
    nb::class_<FlowRecord>(m, "FlowRecord", "A flow as it was when this was taken. Ages and timeouts: seconds.")
        .def_prop_ro("table", [](const FlowRecord& r) { return r.stats.table; })
        .def_prop_ro("priority", [](const FlowRecord& r) { return r.stats.priority; })
        .def_prop_ro("cookie", [](const FlowRecord& r) { return r.stats.cookie; })
        .def_prop_ro("n_packets", [](const FlowRecord& r) { return r.stats.packets; })
        .def_prop_ro("n_bytes", [](const FlowRecord& r) { return r.stats.bytes; })
        .def_prop_ro("age_ns", [](const FlowRecord& r) { return r.stats.age_ns; })
        .def_prop_ro("idle_age", [](const FlowRecord& r) { return r.stats.idle_age; })
        .def_prop_ro("hard_age", [](const FlowRecord& r) { return r.stats.hard_age; })
        .def_prop_ro("idle", [](const FlowRecord& r) { return r.stats.idle; })
        .def_prop_ro("hard", [](const FlowRecord& r) { return r.stats.hard; })
        .def_prop_ro("importance", [](const FlowRecord& r) { return r.stats.importance; })
        .def_prop_ro(
            "flags", [](const FlowRecord& r) { return r.stats.flags; }, "OFPFF_* bits.")
        .def_prop_ro(
            "match", [](const FlowRecord& r) { return to_bytes(r.match); }, "OXM entries, without a header.")
        .def_prop_ro(
            "instructions",
            [](const FlowRecord& r) {
                of::Wire out;
                of::encode_program(out, of::kOf13, *r.program);
                return to_bytes(out);
            },
            "As OpenFlow 1.3 and Nicira's extensions write them.");
    nb::class_<of::FlowEvent>(m, "FlowEvent", "What happened to a flow.")
        .def_prop_ro("kind",
                     [](const of::FlowEvent& e) {
                         constexpr std::array<std::string_view, 3> kKinds{"added", "modified", "removed"};
                         return kKinds[e.kind];
                     })
        .def_prop_ro(
            "reason", [](const of::FlowEvent& e) { return e.flow.reason; }, "OFPRR_*, of one that is removed.")
        .def_ro("session", &of::FlowEvent::session, "Who caused it; 0: nobody.")
        .def_ro("xid", &of::FlowEvent::xid)
        .def_prop_ro("flow", [](const of::FlowEvent& e) { return FlowRecord(e.flow); })
        .def("flow_removed", &flow_removed, "version"_a, "format"_a, "xid"_a, "The whole message.")
        .def("monitor_update", &monitor_update, "version"_a, nb::kw_only(), "actions"_a, "abbreviated"_a,
             "An entry of a flow monitor's reply: Nicira's in OpenFlow 1.0, else 1.4's.");
    nb::class_<of::PacketIn>(m, "PacketIn", "A packet for controllers.")
        .def_ro("bridge", &of::PacketIn::bridge)
        .def_ro("controller", &of::PacketIn::controller, "The id of the controllers that it is for.")
        .def_ro("max_len", &of::PacketIn::max_len, "Bytes of the frame that they are to get.")
        .def_prop_ro("reason", [](const of::PacketIn& p) { return p.fields.reason; })
        .def_prop_ro("table", [](const of::PacketIn& p) { return p.fields.table; })
        .def_prop_ro("cookie", [](const of::PacketIn& p) { return p.fields.cookie; })
        .def_prop_ro("total_len", [](const of::PacketIn& p) { return p.fields.total_len; })
        .def_prop_ro("in_port", [](const of::PacketIn& p) { return p.fields.key.arrival.in_port.host(); })
        .def(
            "encode",
            [](const of::PacketIn& p, uint8_t version, of::PacketInFormat format, uint16_t max_len) {
                return to_bytes(p.encode(version, format, max_len));
            },
            "version"_a, "format"_a, "max_len"_a, "The whole message, with xid 0.");
}

void bind_tables(nb::module_& m) {
    nb::class_<TablesRef>(m, "Tables",
                          "A bridge's flow tables, groups and meters. Its methods are called from one thread at a time "
                          "and raise EngineError\nwhen the bridge is gone.")
        .def("receive", &receive, "data"_a, "session"_a,
             nb::sig("def receive(self, data: bytes | bytearray | memoryview, session: SessionView) "
                     "-> tuple[int, bytes]"),
             "Carry out the whole flow_mods, group_mods, meter_mods, packet_outs and barriers that the data begins "
             "with, up to any other\nmessage; returns how many bytes these were, and replies.")
        .def("commit", &commit, "messages"_a, "session"_a,
             "Carry out all messages at once or none; returns the error reply for the first that fails, b\"\" if none "
             "does.")
        .def("statistics", &statistics, "request"_a, "session"_a,
             nb::sig("def statistics(self, request: bytes | bytearray | memoryview, session: SessionView) "
                     "-> list[bytes]"),
             "The replies to a request for statistics of flows, tables, groups or meters, or an error.")
        .def(
            "expire",
            [](const TablesRef& self) {
                const auto tables = self.get();
                nb::gil_scoped_release unlocked;
                tables->expire();
            },
            "Remove flows whose time is up; to be called once a second.")
        .def(
            "take_events", [](const TablesRef& self) { return self.get()->take_events(); },
            "What happened since the last call to flows that ask for it, or to all if monitored.")
        .def(
            "take_vacancies",
            [](const TablesRef& self) {
                std::vector<std::tuple<int, int, int>> events;
                for (const of::VacancyEvent& e : self.get()->take_vacancies())
                    events.emplace_back(e.table, e.reason, e.vacancy);
                return events;
            },
            "(table, OFPTR_VACANCY_*, vacancy in percent) of tables whose vacancy crossed a bound since the last call.")
        .def(
            "monitor", [](const TablesRef& self, bool all) { self.get()->monitor(all); }, "all"_a,
            "Whether events of all flows are wanted.")
        .def("dump", &dump, "table"_a = of::kAllTables, "The flows of a table, or of all.")
        .def("lookup", &lookup, "table"_a, "key"_a, "The flow that a packet with this key (of key_of()) meets there.")
        .def("configure", &configure, "table"_a, nb::kw_only(), "limit"_a, "evict"_a, "name"_a, "vacancy_down"_a = 0,
             "vacancy_up"_a = 0,
             "limit: flows. evict: make room in a full table rather than refuse. vacancy_*: percent; 0 and 0: no "
             "events.")
        .def(
            "clear",
            [](const TablesRef& self) {
                const auto tables = self.get();
                nb::gil_scoped_release unlocked;
                tables->clear();
            },
            "Remove all flows and groups, without events.")
        .def(
            "miss_to_controller",
            [](const TablesRef& self, bool wanted) {
                for (auto& table : self.get()->pipeline().miss_to_controller) table = wanted;
            },
            "wanted"_a, "Whether packets that no rule matches go to controllers, as OpenFlow 1.0 has it.");
}

}  // namespace

void bind_openflow(nb::module_& m) {
    bind_fields(m);
    bind_session(m);
    bind_records(m);
    bind_tables(m);
}

}  // namespace turnout
