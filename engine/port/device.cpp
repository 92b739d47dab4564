// SPDX-License-Identifier: Apache-2.0
#include "engine/port/device.hpp"

#include <linux/if_tun.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_vhost.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>

#include "engine/base/error.hpp"
#include "engine/port/eal.hpp"
#include "engine/port/netns.hpp"

namespace turnout {
namespace {

constexpr uint64_t kTxChecksums =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kTxWanted = kTxChecksums | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

constexpr uint64_t bit(unsigned n) { return uint64_t{1} << n; }
// virtio 1.2, 5.1.3 "Feature bits"
constexpr uint64_t kGuestChecksum = bit(1), kGuestTso4 = bit(7), kGuestTso6 = bit(8);

int on_event(uint16_t, rte_eth_event_type type, void* self, void*) {
    auto* device = static_cast<Device*>(self);
    if (type == RTE_ETH_EVENT_QUEUE_STATE) device->queues_changed();
    device->link_changed();
    return 0;
}

std::string reason(int error) {
    const std::string detail = last_dpdk_line();
    return std::string(rte_strerror(error < 0 ? -error : error)) + (detail.empty() ? "" : " (DPDK: " + detail + ")");
}

}  // namespace

Device::Device(const DeviceConfig& config, rte_mempool* pool, std::function<void()> changed)
    : name_(config.devargs.substr(0, config.devargs.find(','))),
      changed_(std::move(changed)),
      rxqs_(config.rxqs),
      txqs_(config.txqs),
      mtu_(config.mtu),
      devargs_(config.devargs),
      netns_(config.netns) {
    if (std::max(rxqs_, txqs_) > kMaxQueues || rxqs_ == 0 || txqs_ == 0)
        throw Error(name_ + ": queues must be 1 to " + std::to_string(kMaxQueues));
    for (auto& lock : tx_locks_) rte_spinlock_init(&lock);
    in_netns(netns_, [&] {
        probe();
        try {
            configure(config, pool);
        } catch (...) {
            close();
            throw;
        }
    });
}

Device::~Device() { close(); }

void Device::probe() {
    forget_dpdk_lines();
    if (rte_eth_dev_get_port_by_name(name_.c_str(), &id_) == 0) throw Error(name_ + ": that device is in use already");
    if (const int error = rte_dev_probe(devargs_.c_str()); error != 0)
        throw Error(name_ + ": DPDK can't create it: " + reason(error) + "; check the port's options: " + devargs_);
    if (rte_eth_dev_get_port_by_name(name_.c_str(), &id_) == 0) return;
    rte_dev_iterator iterator;
    uint16_t found;
    RTE_ETH_FOREACH_MATCHING_DEV(found, devargs_.c_str(), &iterator) {
        id_ = found;
        rte_eth_iterator_cleanup(&iterator);
        return;
    }
    throw Error(name_ + ": DPDK found no network device of that name");
}

void Device::configure(const DeviceConfig& config, rte_mempool* pool) {
    rte_eth_dev_info info;
    if (const int error = rte_eth_dev_info_get(id_, &info); error != 0)
        throw Error(name_ + ": no device information: " + reason(error));
    driver_ = info.driver_name;
    is_vhost_ = driver_ == "net_vhost";
    is_tap_ = driver_ == "net_tap";
    if (rxqs_ > info.max_rx_queues || txqs_ > info.max_tx_queues)
        throw Error(name_ + ": " + std::to_string(rxqs_) + " rx and " + std::to_string(txqs_) +
                    " tx queues asked for, the driver has " + std::to_string(info.max_rx_queues) + " and " +
                    std::to_string(info.max_tx_queues));

    rte_eth_conf conf{};
    conf.rxmode.mtu = std::min<uint32_t>(config.mtu, std::max<uint16_t>(info.max_mtu, RTE_ETHER_MTU));
    conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    // A vhost device that is not asked for checksum offload computes each guest's checksums itself.
    if (is_vhost_)
        conf.rxmode.offloads |= info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    // The TAP driver offers checksums and segmentation, but does them in software, and segments for IPv4 alone: ours
    // do.
    conf.txmode.offloads = info.tx_offload_capa & (is_tap_ ? uint64_t{RTE_ETH_TX_OFFLOAD_MULTI_SEGS} : kTxWanted);
    if (rxqs_ > 1 && info.flow_type_rss_offloads && !is_tap_) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    }
    conf.intr_conf.rxq = 1;
    rx_interrupts_ = true;
    int error = rte_eth_dev_configure(id_, rxqs_, txqs_, &conf);
    if (error != 0 || is_vhost_) {  // vhost: its queue descriptors come and go with the guest, see arm()
        conf.intr_conf.rxq = 0;
        rx_interrupts_ = false;
        error = rte_eth_dev_configure(id_, rxqs_, txqs_, &conf);
    }
    if (error != 0) throw Error(name_ + ": DPDK can't configure it: " + reason(error));

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
        if (error != 0 && error != -ENOTSUP && config.mtu > RTE_ETHER_MTU)
            throw Error(name_ + ": MTU " + std::to_string(config.mtu) + " refused: " + reason(error));
        txqs_active_ = txqs_;
        for (uint16_t q = 0; q < txqs_; q++) active_[q] = q;
    }
    tx_offloads_ = is_vhost_ ? 0 : conf.txmode.offloads;
    rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_LSC, on_event, this);
    rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_QUEUE_STATE, on_event, this);
    if ((error = rte_eth_dev_start(id_)) != 0) throw Error(name_ + ": DPDK can't start it: " + reason(error));
    started_ = true;
    rte_eth_promiscuous_enable(id_);
    set_persistent(true);
    link_changed();
}

// A TAP that outlives a crash of ours keeps its addresses, routes and namespace; a clean end takes it away.
void Device::set_persistent(bool on) {
    if (!is_tap_ || !rx_interrupts_) return;
    if (const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0); fd >= 0) ioctl(fd, TUNSETPERSIST, on ? 1 : 0);
}

void Device::close() {
    rte_eth_dev_info info;
    const bool known = rte_eth_dev_info_get(id_, &info) == 0;
    rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_INTR_LSC, on_event, this);
    rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_QUEUE_STATE, on_event, this);
    if (started_) {
        set_persistent(false);
        rte_eth_dev_stop(id_);
    }
    rte_eth_dev_close(id_);
    if (known && info.device) rte_dev_remove(info.device);
}

void Device::link_changed() {
    rte_eth_link link{};
    const bool up = rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    const bool was_up = up_.exchange(up);
    if (is_vhost_) {
        if (was_up && !up) {  // the guest left; the next one enables its queues anew
            enabled_.fill(false);
            txqs_active_ = 0;
        }
        uint64_t features = 0, offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
        const int vid = rte_eth_vhost_get_vid_from_port_id(id_);
        if (vid >= 0) rte_vhost_get_negotiated_features(vid, &features);
        offloads |= kTxChecksums;  // for a guest without GUEST_CSUM the driver computes them
        if ((features & kGuestChecksum) && (features & kGuestTso4) && (features & kGuestTso6))
            offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
        tx_offloads_ = offloads;
    }
    changed_();
}

void Device::queues_changed() {
    rte_eth_vhost_queue_event event;
    while (rte_eth_vhost_get_queue_event(id_, &event) == 0)
        if (!event.rx && event.queue_id < kMaxQueues) enabled_[event.queue_id] = event.enable;
    uint16_t n = 0;
    for (uint16_t q = 0; q < txqs_; q++)
        if (enabled_[q]) active_[n++] = q;
    txqs_active_ = n;
}

int Device::arm(uint16_t queue) {
    if (is_vhost_) {
        const int vid = rte_eth_vhost_get_vid_from_port_id(id_);
        rte_vhost_vring ring{};
        const auto index = static_cast<uint16_t>(queue * 2 + 1);  // a device's rx is the guest's tx ring
        if (vid < 0 || rte_vhost_get_vhost_vring(vid, index, &ring) != 0) return kNoPeer;
        rte_vhost_enable_guest_notification(vid, index, 1);
        return ring.kickfd >= 0 ? ring.kickfd : kNoPeer;
    }
    if (!rx_interrupts_) return kNoSignal;
    rte_eth_dev_rx_intr_enable(id_, queue);
    const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue);
    return fd >= 0 ? fd : kNoSignal;
}

void Device::disarm(uint16_t queue) {
    if (is_vhost_) {
        const int vid = rte_eth_vhost_get_vid_from_port_id(id_);
        if (vid >= 0) rte_vhost_enable_guest_notification(vid, static_cast<uint16_t>(queue * 2 + 1), 0);
    } else if (rx_interrupts_) {
        rte_eth_dev_rx_intr_disable(id_, queue);
    }
}

DeviceInfo Device::info() const {
    rte_ether_addr mac{};
    rte_eth_macaddr_get(id_, &mac);
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    rte_ether_format_addr(text, sizeof text, &mac);
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    rte_eth_link link{};
    rte_eth_link_get_nowait(id_, &link);
    return {driver_, lower, up(), link.link_speed, mtu_, rxqs_, txqs_};
}

}  // namespace turnout
