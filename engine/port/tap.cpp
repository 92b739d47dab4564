// SPDX-License-Identifier: Apache-2.0
#include "engine/port/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "engine/base/error.hpp"
#include "engine/port/netns.hpp"
#include "engine/port/virtio_header.hpp"

namespace turnout {
namespace {

constexpr unsigned kLongest = 65536 + 64;  // a super-packet with its headers [bytes]
constexpr unsigned kMostSegments = 64;     // of a packet to send
constexpr uint64_t kOffloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
                               RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
                               RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

[[noreturn]] void fail(const std::string& iface, const std::string& what) {
    const int error = errno;
    const std::string hint = error == EPERM    ? "; CAP_NET_ADMIN is needed, run as root"
                             : error == EBUSY  ? "; another process has it open"
                             : error == ENOENT ? "; is the tun module loaded?"
                                               : "";
    throw Error("tap " + iface + ": " + what + ": " + std::strerror(error) + hint);
}

// An ifreq for `iface`, and a socket to say it on.
struct Request {
    explicit Request(const std::string& iface) : fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        iface.copy(ifr.ifr_name, IFNAMSIZ - 1);
    }
    ~Request() { ::close(fd); }
    bool operator()(unsigned long what) { return ioctl(fd, what, &ifr) == 0; }

    ifreq ifr{};
    int fd;
};

using Octets = std::array<uint8_t, RTE_ETHER_ADDR_LEN>;

Octets octets(const ifreq& ifr) {
    Octets mac;
    std::memcpy(mac.data(), ifr.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

Octets octets(const std::string& text) {
    rte_ether_addr mac;
    if (rte_ether_unformat_addr(text.c_str(), &mac) != 0) throw Error("'" + text + "' is no MAC address");
    return std::to_array(mac.addr_bytes);
}

std::string mac_text(const ifreq& ifr) {
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    const Octets mac = octets(ifr);
    std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return text;
}

}  // namespace

TapDevice::TapDevice(const TapConfig& config, rte_mempool* pool)
    : Device(config.iface, config.queues, config.queues, config.mtu), pool_(pool), rooms_(config.queues) {
    if (config.iface.empty() || config.iface.size() >= IFNAMSIZ)
        throw Error("tap '" + config.iface + "': an interface's name has 1 to 15 characters");
    in_netns(config.netns, [&] {
        try {
            Request before(config.iface);
            const bool existed = before(SIOCGIFHWADDR);
            const bool same = !config.mac.empty() && octets(before.ifr) == octets(config.mac);
            for (Room& room : rooms_) open_queue(config, room);
            ours_ = config.owned || !existed || same;  // the same: from before a crash of ours
            set_up(config);
        } catch (...) {
            close();
            throw;
        }
    });
    std::array<bool, kMaxQueues> all;
    all.fill(true);
    use_txqs(all);
    tx_offloads_ = kOffloads;
    up_ = true;
}

TapDevice::~TapDevice() { close(); }

void TapDevice::open_queue(const TapConfig& config, Room& room) {
    room.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (room.fd < 0) fail(name_, "/dev/net/tun");
    ifreq ifr{};
    config.iface.copy(ifr.ifr_name, IFNAMSIZ - 1);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (config.one_queue ? 0 : IFF_MULTI_QUEUE);
    if (ioctl(room.fd, TUNSETIFF, &ifr) != 0) {
        // One that was made beforehand may be of the other kind: 'ip tuntap add' makes those with one queue.
        ifr.ifr_flags ^= IFF_MULTI_QUEUE;
        if (errno != EINVAL || rooms_.size() > 1 || ioctl(room.fd, TUNSETIFF, &ifr) != 0)
            fail(name_, "the kernel refuses to open it");
    }
    int header = sizeof(VirtioHeader);
    if (ioctl(room.fd, TUNSETVNETHDRSZ, &header) != 0) fail(name_, "no virtio-net headers");
    if (ioctl(room.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) fail(name_, "no offloads");
}

void TapDevice::set_up(const TapConfig& config) {
    Request request(config.iface);
    if (!config.mac.empty()) {
        const Octets mac = octets(config.mac);
        request.ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        std::memcpy(request.ifr.ifr_hwaddr.sa_data, mac.data(), mac.size());
        if (!request(SIOCSIFHWADDR)) fail(name_, "MAC address " + config.mac);
    }
    request.ifr.ifr_mtu = config.mtu;
    if (!request(SIOCSIFMTU)) fail(name_, "MTU " + std::to_string(config.mtu));
    if (!request(SIOCGIFFLAGS)) fail(name_, "flags");
    request.ifr.ifr_flags |= IFF_UP;
    if (!request(SIOCSIFFLAGS)) fail(name_, "bringing it up");
    if (!request(SIOCGIFHWADDR)) fail(name_, "MAC address");
    mac_ = mac_text(request.ifr);
    // A crash of ours leaves it with its addresses, routes and namespace for the next start; a clean end takes it away.
    if (ours_) ioctl(rooms_[0].fd, TUNSETPERSIST, 1);
}

void TapDevice::close() {
    if (ours_) ioctl(rooms_[0].fd, TUNSETPERSIST, 0);
    for (Room& room : rooms_) {
        if (room.fd >= 0) ::close(room.fd);
        room.fd = -1;
        if (!room.buffers.empty())
            rte_pktmbuf_free_bulk(room.buffers.data(), static_cast<unsigned>(room.buffers.size()));
        room.buffers.clear();
    }
}

DeviceInfo TapDevice::info() const { return {"tap", mac_, up(), RTE_ETH_SPEED_NUM_UNKNOWN, mtu_, rxqs_, txqs_}; }

bool TapDevice::refill(Room& room) {
    const unsigned each = rte_pktmbuf_data_room_size(pool_) - RTE_PKTMBUF_HEADROOM;
    const size_t wanted = kLongest / each + 1, have = room.buffers.size();
    if (have >= wanted) return true;
    room.buffers.resize(wanted);
    if (rte_pktmbuf_alloc_bulk(pool_, room.buffers.data() + have, static_cast<unsigned>(wanted - have)) == 0)
        return true;
    room.buffers.resize(have);
    return false;
}

// The next frame, or null.
rte_mbuf* TapDevice::read_frame(Room& room) {
    if (!refill(room)) return nullptr;
    VirtioHeader header;
    std::array<iovec, kMostSegments + 1> parts;
    size_t n = 0;
    parts[n++] = {&header, sizeof header};
    for (rte_mbuf* buffer : room.buffers) parts[n++] = {rte_pktmbuf_mtod(buffer, void*), rte_pktmbuf_tailroom(buffer)};
    const ssize_t got = readv(room.fd, parts.data(), static_cast<int>(n));
    if (got <= static_cast<ssize_t>(sizeof header)) {
        if (got < 0 && errno == EBADFD) room.gone = true;
        return nullptr;
    }
    auto left = static_cast<uint32_t>(static_cast<size_t>(got) - sizeof header);
    rte_mbuf* frame = room.buffers[0];
    frame->pkt_len = left;
    size_t used = 0;
    for (rte_mbuf* last = nullptr; left > 0; used++) {
        rte_mbuf* segment = room.buffers[used];
        segment->data_len = static_cast<uint16_t>(std::min<uint32_t>(left, rte_pktmbuf_tailroom(segment)));
        left -= segment->data_len;
        if (last) last->next = segment;
        last = segment;
    }
    frame->nb_segs = static_cast<uint16_t>(used);
    room.buffers.erase(room.buffers.begin(), room.buffers.begin() + static_cast<ptrdiff_t>(used));
    take_request(header, frame);
    return frame;
}

uint16_t TapDevice::rx(uint16_t queue, std::span<rte_mbuf*> room) {
    uint16_t n = 0;
    while (n < room.size()) {
        rte_mbuf* frame = read_frame(rooms_[queue]);
        if (!frame) break;
        room[n++] = frame;
    }
    return n;
}

Device::Sent TapDevice::tx(uint16_t queue, std::span<rte_mbuf*> packets) {
    uint16_t sent = 0;
    for (; sent < packets.size(); sent++) {
        rte_mbuf* packet = packets[sent];
        VirtioHeader header = give_request(packet);
        std::array<iovec, kMostSegments + 1> parts;
        size_t n = 0;
        parts[n++] = {&header, sizeof header};
        if (packet->nb_segs > kMostSegments) return {sent, Drop::Refused};
        for (rte_mbuf* segment = packet; segment; segment = segment->next)
            parts[n++] = {rte_pktmbuf_mtod(segment, void*), segment->data_len};
        if (writev(rooms_[queue].fd, parts.data(), static_cast<int>(n)) < 0)
            return {sent, errno == EINVAL ? Drop::Refused : Drop::PortDown};  // a TAP takes all, or is down
        rte_pktmbuf_free(packet);
    }
    return {sent, Drop::PortDown};
}

int TapDevice::arm(uint16_t queue) { return rooms_[queue].gone ? kNoPeer : rooms_[queue].fd; }

}  // namespace turnout
