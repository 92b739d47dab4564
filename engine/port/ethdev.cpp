// SPDX-License-Identifier: Apache-2.0
#include "engine/port/ethdev.hpp"

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_vhost.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/port/eal.hpp"
#include "engine/port/netns.hpp"
#include "engine/port/reconnect.hpp"

namespace turnout {
namespace {

constexpr uint64_t kTxChecksums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kTxWanted = kTxChecksums | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }
// virtio 1.2, 5.1.3 "Feature bits"
constexpr uint64_t kGuestChecksum = bit(1), kGuestTso4 = bit(7), kGuestTso6 = bit(8);

int on_event(uint16_t, rte_eth_event_type type, void* self, void*) {
    auto* device = static_cast<EthDevice*>(self);
    if (type == RTE_ETH_EVENT_QUEUE_STATE)
        device->queues_changed();
    else
        device->link_changed();
    return 0;
}

// Takes the signal off a descriptor. Never waits, whatever kind of descriptor the far end has given us.
void drain(int fd) {
    uint64_t count;
    const iovec into{&count, sizeof count};
    if (fd >= 0) [[maybe_unused]]
        const ssize_t ignored = preadv2(fd, &into, 1, -1, RWF_NOWAIT);
}

std::string reason(int error) {
    const std::string detail = last_dpdk_line();
    return std::string(rte_strerror(error < 0 ? -error : error)) + (detail.empty() ? "" : " (DPDK: " + detail + ")");
}

}  // namespace

EthDevice::EthDevice(const EthConfig& config, rte_mempool* pool, std::function<void()> changed)
    : Device(config.devargs.substr(0, config.devargs.find(',')), config.rxqs, config.txqs, config.mtu),
      changed_(std::move(changed)),
      connects_(config.devargs.find(",client=1") != std::string::npos) {
    in_netns(config.netns, [&] {
        probe(config.devargs);
        try {
            configure(config, pool);
        } catch (...) {
            close();
            throw;
        }
    });
}

EthDevice::~EthDevice() { close(); }

uint16_t EthDevice::rx(uint16_t queue, std::span<rte_mbuf*> room) {
    return rte_eth_rx_burst(id_, queue, room.data(), static_cast<uint16_t>(room.size()));
}

Device::Sent EthDevice::tx(uint16_t queue, std::span<rte_mbuf*> packets) {
    // A NIC that is to do checksums may want headers made ready; where there is nothing to do this is one comparison.
    const uint16_t ready = rte_eth_tx_prepare(id_, queue, packets.data(), static_cast<uint16_t>(packets.size()));
    if (ready == 0) return {0, Drop::Refused};
    return {rte_eth_tx_burst(id_, queue, packets.data(), ready), Drop::TxFull};
}

void EthDevice::probe(const std::string& devargs) {
    forget_dpdk_lines();
    if (rte_eth_dev_get_port_by_name(name_.c_str(), &id_) == 0) throw Error(name_ + ": that device is in use already");
    if (const int error = rte_dev_probe(devargs.c_str()); error != 0)
        throw Error(name_ + ": DPDK can't create it: " + reason(error) + "; check the port's options: " + devargs);
    if (rte_eth_dev_get_port_by_name(name_.c_str(), &id_) == 0) return;
    rte_dev_iterator iterator;
    uint16_t found;
    RTE_ETH_FOREACH_MATCHING_DEV(found, devargs.c_str(), &iterator) {
        id_ = found;
        rte_eth_iterator_cleanup(&iterator);
        return;
    }
    rte_eal_hotplug_remove(name_.find(':') == std::string::npos ? "vdev" : "pci", name_.c_str());
    throw Error(name_ + ": DPDK made no network device of it; check the port's options: " + devargs);
}

void EthDevice::configure(const EthConfig& config, rte_mempool* pool) {
    rte_eth_dev_info info;
    if (const int error = rte_eth_dev_info_get(id_, &info); error != 0)
        throw Error(name_ + ": no device information: " + reason(error));
    driver_ = info.driver_name;
    is_vhost_ = driver_ == "net_vhost";
    tells_link_ = info.dev_flags && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC);
    txqs_come_and_go_ = is_vhost_;
    txqs_ = std::min(txqs_, info.max_tx_queues);  // workers can share one
    if (rxqs_ > info.max_rx_queues || txqs_ == 0)
        throw Error(name_ + ": " + std::to_string(rxqs_) + " rx queues asked for, the driver has " +
                    std::to_string(info.max_rx_queues));

    rte_eth_conf conf{};
    const uint32_t declared = info.max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
    conf.rxmode.mtu = std::min<uint32_t>({config.mtu, info.max_mtu, std::max<uint32_t>(declared, RTE_ETHER_MIN_MTU)});
    conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    // A vhost device that is not asked for checksum offload computes each guest's checksums itself.
    if (is_vhost_)
        conf.rxmode.offloads |= info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    conf.txmode.offloads = info.tx_offload_capa & kTxWanted;
    if (rxqs_ > 1 && info.flow_type_rss_offloads) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    }
    conf.intr_conf.lsc = tells_link_;
    conf.intr_conf.rxq = 1;
    rx_interrupts_ = true;
    int error = rte_eth_dev_configure(id_, rxqs_, txqs_, &conf);
    if (error != 0 || is_vhost_) {  // vhost: its queue descriptors come and go with the guest, see arm()
        conf.intr_conf.rxq = 0;
        rx_interrupts_ = false;
        error = rte_eth_dev_configure(id_, rxqs_, txqs_, &conf);
    }
    if (error != 0) throw Error(name_ + ": DPDK can't configure it: " + reason(error));
    set_up_queues(config, pool);
    tx_offloads_ = is_vhost_ ? 0 : conf.txmode.offloads;
    start();
}

void EthDevice::set_up_queues(const EthConfig& config, rte_mempool* pool) {
    int error = 0;
    uint16_t rx_desc = config.rx_desc, tx_desc = config.tx_desc;
    rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_desc, &tx_desc);
    const int socket = rte_eth_dev_socket_id(id_);
    for (uint16_t q = 0; q < rxqs_; q++)
        if ((error = rte_eth_rx_queue_setup(id_, q, rx_desc, static_cast<unsigned>(socket), nullptr, pool)) != 0)
            throw Error(name_ + ": rx queue " + std::to_string(q) + ": " + reason(error));
    for (uint16_t q = 0; q < txqs_; q++)
        if ((error = rte_eth_tx_queue_setup(id_, q, tx_desc, static_cast<unsigned>(socket), nullptr)) != 0)
            throw Error(name_ + ": tx queue " + std::to_string(q) + ": " + reason(error));
    if (!is_vhost_) {
        error = rte_eth_dev_set_mtu(id_, config.mtu);
        // AF_PACKET's driver declares 1,518 bytes, whatever the slots of its ring hold.
        if (error != 0 && error != -ENOTSUP && config.mtu > RTE_ETHER_MTU && driver_ != "net_af_packet")
            throw Error(name_ + ": MTU " + std::to_string(config.mtu) + " refused: " + reason(error));
        enabled_.fill(true);
        use_txqs(enabled_);
    }
}

void EthDevice::start() {
    rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_LSC, on_event, this);
    rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_QUEUE_STATE, on_event, this);
    if (const int error = rte_eth_dev_start(id_); error != 0)
        throw Error(name_ + ": DPDK can't start it: " + reason(error));
    started_ = true;
    rx_interrupts_ = rx_interrupts_ && rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0) >= 0;
    rte_eth_promiscuous_enable(id_);
    link_changed();
}

void EthDevice::close() {
    rte_eth_dev_info info;
    const bool known = rte_eth_dev_info_get(id_, &info) == 0;
    for (const rte_eth_event_type type : {RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_QUEUE_STATE})
        while (rte_eth_dev_callback_unregister(id_, type, on_event, this) == -EAGAIN) std::this_thread::yield();
    if (started_) rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
    if (known && info.device) rte_dev_remove(info.device);
    if (awaits_guest_) Reconnect::await(-1);
}

void EthDevice::link_changed() {
    std::scoped_lock one_at_a_time(link_lock_);
    rte_eth_link link{};
    const bool up = !tells_link_ || (rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP);
    const bool was_up = up_.exchange(up);
    if (was_up && !up) wait_for_notify();
    if (is_vhost_) {
        if (was_up && !up) {  // the guest left; the next one enables its queues anew
            enabled_.fill(false);
            use_txqs(enabled_);
        }
        uint64_t features = 0, offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
        const int vid = rte_eth_vhost_get_vid_from_port_id(id_);
        if (vid >= 0) rte_vhost_get_negotiated_features(vid, &features);
        offloads |= kTxChecksums;  // for a guest without GUEST_CSUM the driver computes them
        if ((features & kGuestChecksum) && (features & kGuestTso4) && (features & kGuestTso6))
            offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
        tx_offloads_ = offloads;
    }
    const bool awaits = is_vhost_ && connects_ && !up;
    if (awaits != std::exchange(awaits_guest_, awaits)) Reconnect::await(awaits ? 1 : -1);
    changed_();
}

void EthDevice::queues_changed() {
    rte_eth_vhost_queue_event event;
    while (rte_eth_vhost_get_queue_event(id_, &event) == 0)
        if (!event.rx && event.queue_id < kMaxQueues) enabled_[event.queue_id] = event.enable;
    use_txqs(enabled_);
    changed_();
}

int EthDevice::arm(uint16_t queue) {
    if (is_vhost_) return notify(queue, true);
    if (!rx_interrupts_) return kNoSignal;
    rte_eth_dev_rx_intr_enable(id_, queue);
    const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue);
    return fd >= 0 ? fd : kNoSignal;
}

void EthDevice::disarm(uint16_t queue) {
    if (is_vhost_) notify(queue, false);
    if (!rx_interrupts_) return;
    rte_eth_dev_rx_intr_disable(id_, queue);
    drain(rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue));
}

// Tells the guest whether to kick when it has put packets into its ring; returns the descriptor of the kicks, or
// kNoPeer.
int EthDevice::notify(uint16_t queue, bool on) {
    const auto ring = static_cast<uint16_t>(queue * 2 + 1);  // a device's rx is the guest's tx
    int fd = kNoPeer;
    at_ring_++;
    if (up_) {  // both in one total order with link_changed(): either it sees us, or we see it
        const int vid = rte_eth_vhost_get_vid_from_port_id(id_);
        rte_vhost_vring vring{};
        if (vid >= 0 && rte_vhost_get_vhost_vring(vid, ring, &vring) == 0 && vring.desc) {
            rte_vhost_enable_guest_notification(vid, ring, on);
            fd = vring.kickfd >= 0 ? vring.kickfd : kNoPeer;
            if (!on) drain(vring.kickfd);
        }
    }
    at_ring_--;
    return fd;
}

// When a guest dies, DPDK reports its link down and then unmaps its memory. rx and tx are guarded against that,
// notify() is not: it must be over by then. When a guest leaves in order, the report comes with its rings locked, and
// notify() may wait for just that lock, safe behind it: so this wait has an end.
void EthDevice::wait_for_notify() const {
    const uint64_t end = rte_get_timer_cycles() + rte_get_timer_hz() / 50;
    while (at_ring_ > 0 && rte_get_timer_cycles() < end) rte_pause();
}

DeviceInfo EthDevice::info() const {
    rte_ether_addr mac{};
    rte_eth_macaddr_get(id_, &mac);
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    rte_ether_format_addr(text, sizeof text, &mac);
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    rte_eth_link link{};
    rte_eth_link_get_nowait(id_, &link);
    return {driver_, lower, link.link_status == RTE_ETH_LINK_UP, link.link_speed, mtu_, rxqs_, txqs_};
}

}  // namespace turnout
