// SPDX-License-Identifier: Apache-2.0
// What one worker and control send each other: packets for controllers and requests upwards, packet-outs downwards.
//
// Two bounded rings each way, of records made beforehand: one for those in use, one for those that are free. Nobody
// waits: who finds no free record has to do without. The worker's calls allocate, free and lock nothing; the descriptor
// (an eventfd, shared by all mailboxes) becomes readable when something came into an empty mailbox.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/flow/key.hpp"
#include "engine/openflow/action.hpp"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace turnout {

// Why a packet goes to a controller, as Open vSwitch counts the reasons.
enum class Reason : uint8_t {
    NoMatch = 0,
    Action = 1,
    InvalidTtl = 2,
    ActionSet = 3,
    Group = 4,
    PacketOut = 5,
    ExplicitMiss = 6,  // by a rule that is there for what no other one matches
    ImplicitMiss = 7
};

// From a worker.
struct Event {
    enum Kind : uint8_t { PacketIn, Learn, FinTimeout } kind;
    uint8_t table;  // whose rule it was
    BridgeNo bridge;
    FlowKey key;  // as of the action

    // PacketIn
    Reason reason;
    uint16_t controller;
    uint16_t max_len;    // bytes that the controller wants
    uint32_t total_len;  // of the frame
    uint64_t cookie;     // ~0: no rule
    std::shared_ptr<const std::vector<uint8_t>> userdata;
    rte_mbuf* packet = nullptr;  // the frame, maybe in several segments

    std::shared_ptr<const of::Learn> learn;  // Learn
    uint16_t idle, hard;                     // FinTimeout [s]: for the rule that `key` finds in `table`
};

// From control.
struct Outgoing {
    BridgeNo bridge = 0;
    uint32_t in_port = of::kPortController;  // OpenFlow's
    FlowKey pipeline{};                      // metadata, tunnel and registers count
    of::Actions actions;
    rte_mbuf* packet = nullptr;
};

class Mailbox {
public:
    // Needs EAL. Throws Error.
    explicit Mailbox(int eventfd, unsigned events = 512, unsigned outgoing = 512);
    ~Mailbox();  // neither side uses it any more
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // --- worker
    Event* blank();             // null: full
    void post(Event* event);    // takes a blank() back, filled in
    Outgoing* next();           // null: none
    void done(Outgoing* sent);  // its packet is gone
    bool has_outgoing() const;

    // --- control
    // Calls take(event) for at most `most` events; returns how many there were. If more wait, the eventfd is readable
    // again.
    template <typename Take>
    unsigned take(unsigned most, const Take& take) {
        unsigned n = 0;
        for (Event* event; n < most && (event = next_event()); n++) {
            take(*event);
            recycle(event);
        }
        if (n == most) rekick();
        return n;
    }
    // false: the worker has not yet sent enough of those before; nothing was taken.
    bool send(Outgoing&& outgoing);

private:
    Event* next_event();
    void recycle(Event* event);
    void rekick();
    void kick();

    int eventfd_;
    std::vector<Event> events_;
    std::vector<Outgoing> outgoing_;
    rte_ring *posted_ = nullptr, *blank_ = nullptr;  // events
    rte_ring *sent_ = nullptr, *idle_ = nullptr;     // outgoing
};

// The frame in an mbuf, or several; null: the pool is empty.
rte_mbuf* make_packet(rte_mempool* pool, std::span<const uint8_t> frame);

}  // namespace turnout
