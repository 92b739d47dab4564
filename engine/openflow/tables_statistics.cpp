// SPDX-License-Identifier: Apache-2.0
// Statistics requests (OpenFlow 1.0, 5.3.5; 1.3.5, A.3.5) and Nicira's, answered in messages of less than 64 KiB.
#include <array>
#include <cstring>
#include <optional>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

enum Type : uint16_t {
    kFlow = 1,
    kAggregate = 2,
    kTable = 3,
    kGroup = 6,
    kGroupDesc = 7,
    kGroupFeatures = 8,
    kMeter = 9,
    kMeterConfig = 10,
    kMeterFeatures = 11,
    kExperimenter = 0xffff,
};
constexpr uint8_t kStats10 = 16, kMultipart = 18;  // the reply's type is one more
constexpr uint16_t kMore = 1;
constexpr size_t kLongest = 65535;

void put_duration(Wire& out, uint64_t ns) {
    put32(out, static_cast<uint32_t>(ns / 1'000'000'000));
    put32(out, static_cast<uint32_t>(ns % 1'000'000'000));
}

// What a request is about: its type, and how long its header is.
struct Asked {
    uint16_t type;
    size_t header;
};

Asked asked(Bytes request) {
    const bool of10 = request.size() > 1 && request[0] == kOf10;
    const size_t plain = of10 ? 12 : 16;
    if (request.size() < plain) throw error::kRequestLen;
    if (request[1] != (of10 ? kStats10 : kMultipart)) throw error::kRequestType;
    const uint16_t type = be16(&request[8]);
    if (of10 && type > kTable && type != kExperimenter) throw error::kRequestStat;
    if (type != kExperimenter) return {type, plain};
    // Nicira's, in 1.0: 0 and 1 are flow and aggregate statistics with NXM matches, 7 to 9 what 1.1 brought of groups.
    if (request.size() < plain + (of10 ? 12 : 8)) throw error::kRequestLen;
    if (be32(&request[plain]) != kNiciraVendor) throw error::kRequestVendor;
    const uint32_t subtype = be32(&request[plain + 4]);
    constexpr std::array<uint16_t, 10> kTypes{kFlow, kAggregate, 0, 0, 0, 0, 0, kGroup, kGroupDesc, kGroupFeatures};
    if (!of10 || subtype >= kTypes.size() || kTypes[subtype] == 0) throw error::kRequestSubtype;
    return {kTypes[subtype], plain + 12};
}

// A reply under way, cut into messages between entries.
class Reply {
public:
    Reply(Bytes request, size_t header) : header_(request.begin(), request.begin() + static_cast<ptrdiff_t>(header)) {
        header_[1]++;
        set16(header_, 10, 0);
        open();
    }
    // Call done() after each entry that was appended here.
    Wire& body() { return messages_.back(); }
    void done() {
        Wire& last = messages_.back();
        if (last.size() <= kLongest) {
            begun_ = last.size();
            return;
        }
        const Wire entry(last.begin() + static_cast<ptrdiff_t>(begun_), last.end());
        last.resize(begun_);
        set16(last, 10, kMore);
        close();
        open();
        messages_.back().insert(messages_.back().end(), entry.begin(), entry.end());
        begun_ = messages_.back().size();
    }
    std::vector<Wire> take() {
        close();
        return std::move(messages_);
    }

private:
    void open() {
        messages_.emplace_back().reserve(kLongest + 4096);
        messages_.back() = header_;
        begun_ = header_.size();
    }
    void close() { set16(messages_.back(), 2, messages_.back().size()); }

    Wire header_;
    std::vector<Wire> messages_;
    size_t begun_ = 0;  // where the entry under way begins
};

uint32_t id_in(Bytes request, size_t header) {
    if (request.size() < header + 8) throw error::kRequestLen;
    return be32(&request[header]);
}

// Entries of books by id: one, or all.
template <typename Book, typename Visit>
void for_each_of(const Book& book, bool all, uint32_t id, const Visit& visit) {
    if (all) {
        for (const auto& [each, state] : book) visit(each, state);
    } else if (const auto found = book.find(id); found != book.end()) {
        visit(id, found->second);
    }
}

}  // namespace

struct Tables::Impl::Statistics {
    const Impl& tables;
    Bytes request;
    const SessionView& session;
    size_t header;
    Reply& reply;

    void flows() const {
        const FlowStatsRequest about = decode_flow_stats_request(request);
        check(about);
        // NXM requests get NXM replies, whatever the session's flow format.
        const bool nxm = be16(&request[8]) == kExperimenter;
        const FlowFormat format = nxm ? FlowFormat::Nxm : session.version == kOf10 ? FlowFormat::Of10 : FlowFormat::Oxm;
        visit(about, [&](const Flow& flow) {
            encode_flow_stats(reply.body(), session.version, format, tables.stats_of(flow));
            reply.done();
        });
    }

    void aggregate() const {
        const FlowStatsRequest about = decode_flow_stats_request(request);
        check(about);
        uint64_t packets = 0, bytes = 0;
        uint32_t flows = 0;
        visit(about, [&](const Flow& flow) {
            const Host::Tally tally = tables.host.tally(flow.rule->tally);
            packets += tally.packets;
            bytes += tally.bytes;
            flows++;
        });
        Wire& out = reply.body();
        put64(out, packets);
        put64(out, bytes);
        put32(out, flows);
        zeros(out, 4);
        reply.done();
    }

    void table_counts() const {
        for (unsigned i = 0; i < kTables; i++) {
            Wire& out = reply.body();
            const Tables::TableConfig& config = tables.tables[i].config;
            put8(out, static_cast<uint8_t>(i));
            zeros(out, 3);
            if (session.version == kOf10) {
                constexpr size_t kName = 32;
                const size_t length = std::min(config.name.size(), kName - 1);
                out.insert(out.end(), config.name.begin(), config.name.begin() + static_cast<ptrdiff_t>(length));
                zeros(out, kName - length);
                put32(out, 0x3fffff);  // wildcards: all
                put32(out, config.limit);
            }
            put32(out, tables.tables[i].flows);
            put64(out, tables.host.tally(tables.pipeline.looked_up[i]).packets);
            put64(out, tables.host.tally(tables.pipeline.matched[i]).packets);
            reply.done();
        }
    }

    void groups() const {
        const uint32_t id = id_in(request, header);
        for_each_of(tables.groups, id == kAllGroups, id, [&](uint32_t each, const GroupState& state) {
            Wire& out = reply.body();
            put16(out, static_cast<uint16_t>(40 + 16 * state.group->buckets.size()));
            zeros(out, 2);
            put32(out, each);
            put32(out, tables.programs.count_of_group(each));
            zeros(out, 4);
            put_tally(out, state.tally->id);
            put_duration(out, tables.now - state.created);
            for (const Bucket& bucket : state.group->buckets) put_tally(out, bucket.tally);
            reply.done();
        });
    }

    void group_descriptions() const {
        const uint32_t wanted = session.version == kOf10 ? id_in(request, header) : kAllGroups;
        for_each_of(tables.groups, wanted == kAllGroups, wanted, [&](uint32_t id, const GroupState& state) {
            Wire& out = reply.body();
            const size_t at = out.size();
            zeros(out, 2);
            put8(out, state.group->type);
            zeros(out, 1);
            put32(out, id);
            encode_buckets(out, session.version, *state.group);
            set16(out, at, out.size() - at);
            reply.done();
        });
    }

    void group_features() const {
        constexpr uint32_t kTypes = 0xf;         // all four
        constexpr uint32_t kCapabilities = 0x7;  // select weight, select liveness, chaining
        // Output, copy TTL, and from set MPLS TTL to pop PBB: what OFPAT_* numbers 0, 11, 12 and 15 to 27 stand for.
        constexpr uint32_t kActions = 1 << 0 | 3 << 11 | 0x1fff << 15;
        Wire& out = reply.body();
        put32(out, kTypes);
        put32(out, kCapabilities);
        for (int type = 0; type < 4; type++) put32(out, 0xffffff00);
        for (int type = 0; type < 4; type++) put32(out, kActions);
        reply.done();
    }

    void meters() const {
        for_each_meter([&](uint32_t id, const MeterState& state) {
            Wire& out = reply.body();
            put32(out, id);
            put16(out, static_cast<uint16_t>(40 + 16 * state.meter->band_tally.size()));
            zeros(out, 6);
            put32(out, tables.programs.count_of_meter(id));
            put_tally(out, state.tally->id);
            put_duration(out, tables.now - state.created);
            for (const TallyId band : state.meter->band_tally) put_tally(out, band);
            reply.done();
        });
    }

    void meter_configs() const {
        for_each_meter([&](uint32_t id, const MeterState& state) {
            const MeterConfig& config = state.meter->config;
            Wire& out = reply.body();
            put16(out, static_cast<uint16_t>(8 + 16 * config.bands.size()));
            put16(out, config.flags);
            put32(out, id);
            for (const MeterConfig::Band& band : config.bands) {
                put16(out, band.type);
                put16(out, 16);
                put32(out, band.rate);
                put32(out, band.burst);
                put8(out, band.prec_level);
                zeros(out, 3);
            }
            reply.done();
        });
    }

    void meter_features() const {
        constexpr uint32_t kBands = 1 << MeterConfig::Band::Drop | 1 << MeterConfig::Band::DscpRemark;
        constexpr uint32_t kFlags =
            MeterConfig::kKbps | MeterConfig::kPktps | MeterConfig::kBurst | MeterConfig::kStats;
        Wire& out = reply.body();
        put32(out, static_cast<uint32_t>(kMaxMeters));
        put32(out, kBands);
        put32(out, kFlags);
        put8(out, static_cast<uint8_t>(kMaxBands));
        zeros(out, 3);
        reply.done();
    }

private:
    static void check(const FlowStatsRequest& about) {
        if (about.table >= kTables && about.table != kAllTables) throw error::kRequestTable;
    }
    template <typename Visit>
    void visit(const FlowStatsRequest& about, const Visit& each) const {
        tables.visit(about.table, about.match, {about.out_port, about.out_group, about.cookie, about.cookie_mask},
                     each);
    }
    void put_tally(Wire& out, TallyId id) const {
        const Host::Tally tally = tables.host.tally(id);
        put64(out, tally.packets);
        put64(out, tally.bytes);
    }
    template <typename Visit>
    void for_each_meter(const Visit& visit) const {
        const uint32_t id = id_in(request, header);
        if (id != kAllMeters && !tables.meters.contains(id)) throw error::kUnknownMeter;
        for_each_of(tables.meters, id == kAllMeters, id, visit);
    }
};

std::vector<Wire> Tables::Impl::statistics(Bytes request, const SessionView& session) {
    now = host.now_ns();
    try {
        const Asked about = asked(request);
        Reply reply(request, about.header);
        const Statistics answer{*this, request, session, about.header, reply};
        switch (about.type) {
            case kFlow:
                answer.flows();
                break;
            case kAggregate:
                answer.aggregate();
                break;
            case kTable:
                answer.table_counts();
                break;
            case kGroup:
                answer.groups();
                break;
            case kGroupDesc:
                answer.group_descriptions();
                break;
            case kGroupFeatures:
                answer.group_features();
                break;
            case kMeter:
                answer.meters();
                break;
            case kMeterConfig:
                answer.meter_configs();
                break;
            case kMeterFeatures:
                answer.meter_features();
                break;
            default:
                throw error::kRequestStat;
        }
        return reply.take();
    } catch (const OfError& error) {
        const auto header = peek(request);
        std::vector<Wire> replies(1);
        encode_error(replies[0], session.version, header ? header->xid : 0, error, request);
        return replies;
    }
}

}  // namespace turnout::of
