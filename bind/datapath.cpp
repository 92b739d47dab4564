// SPDX-License-Identifier: Apache-2.0
// Datapath and the plain records that go in and out of it. Calls that build, wait or touch hardware release the GIL.
#include "engine/worker/datapath.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <rte_ether.h>

#include <cstdio>
#include <cstring>

#include "bind/bind.hpp"
#include "engine/base/error.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace turnout {
namespace {

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

VlanMode vlan_mode(const std::string& name) {
    if (name == "access") return VlanMode::Access;
    if (name == "trunk") return VlanMode::Trunk;
    if (name == "native-tagged") return VlanMode::NativeTagged;
    if (name == "native-untagged") return VlanMode::NativeUntagged;
    throw Error("vlan_mode '" + name + "': one of access, trunk, native-tagged, native-untagged is needed");
}

std::string mac_text(uint64_t mac) {
    char text[18];
    const auto at = [&](unsigned i) { return static_cast<unsigned>(mac >> 8 * i & 0xff); };
    std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", at(0), at(1), at(2), at(3), at(4), at(5));
    return text;
}

uint64_t mac_of(const std::string& text) {
    rte_ether_addr mac;
    if (rte_ether_unformat_addr(text.c_str(), &mac) != 0) throw Error("'" + text + "' is no MAC address");
    uint64_t number = 0;
    std::memcpy(&number, mac.addr_bytes, sizeof mac.addr_bytes);
    return number;
}

void bind_specs(nb::module_& m) {
    nb::class_<BridgeSpec>(m, "BridgeSpec", "A bridge of a topology.")
        .def(
            "__init__",
            [](BridgeSpec* self, unsigned number, uint32_t mac_aging, uint32_t mac_table_size) {
                new (self) BridgeSpec{number, mac_aging, mac_table_size};
            },
            nb::kw_only(), "number"_a, "mac_aging"_a, "mac_table_size"_a,
            "number: 0 to 255. mac_aging: seconds. mac_table_size: addresses.");
    nb::class_<PortSpec>(m, "PortSpec", "A port of a topology.")
        .def(
            "__init__",
            [](PortSpec* self, unsigned number, unsigned bridge, int device, int peer, const std::string& mode,
               uint16_t tag, std::vector<uint16_t> trunks, uint32_t ofport, uint32_t config) {
                new (self)
                    PortSpec{number, bridge, device, peer, vlan_mode(mode), tag, std::move(trunks), ofport, config};
            },
            nb::kw_only(), "number"_a, "bridge"_a, "device"_a, "peer"_a, "vlan_mode"_a, "tag"_a, "trunks"_a,
            "ofport"_a = 0, "config"_a = 0,
            "number: 1 to 4095. device: from attach(), or -1 for a patch port, whose peer is a port's number or -1.\n"
            "vlan_mode: access, trunk, native-tagged or native-untagged. trunks: VLANs; empty: all.\n"
            "ofport: its OpenFlow number in the bridge, 1 to 65279 or 4294967294 (LOCAL); 0: none. config: OFPPC_* "
            "bits.");
    nb::class_<QueueSpec>(m, "QueueSpec", "Which worker polls an rx queue.")
        .def(
            "__init__",
            [](QueueSpec* self, unsigned port, unsigned queue, unsigned worker) {
                new (self) QueueSpec{port, queue, worker};
            },
            nb::kw_only(), "port"_a, "queue"_a, "worker"_a);
}

void bind_records(nb::module_& m) {
    nb::class_<DeviceInfo>(m, "DeviceInfo", "What a device says of itself. speed_mbps: 4294967295 if unknown.")
        .def_ro("driver", &DeviceInfo::driver)
        .def_ro("mac", &DeviceInfo::mac)
        .def_ro("link_up", &DeviceInfo::link_up)
        .def_ro("speed_mbps", &DeviceInfo::speed_mbps)
        .def_ro("mtu", &DeviceInfo::mtu)
        .def_ro("rxqs", &DeviceInfo::rxqs)
        .def_ro("txqs", &DeviceInfo::txqs);
    nb::class_<PortTotals>(m, "PortCounters", "Totals since the port was published.")
        .def_ro("port", &PortTotals::port)
        .def_ro("rx_packets", &PortTotals::rx_packets)
        .def_ro("rx_bytes", &PortTotals::rx_bytes)
        .def_ro("tx_packets", &PortTotals::tx_packets)
        .def_ro("tx_bytes", &PortTotals::tx_bytes);
    nb::class_<DropTotal>(m, "Drop", "Packets that a port lost for one reason.")
        .def_ro("port", &DropTotal::port)
        .def_prop_ro("reason",
                     [](const DropTotal& drop) { return std::string(kDropNames[static_cast<unsigned>(drop.reason)]); })
        .def_ro("packets", &DropTotal::packets);
    nb::class_<QueueLoad>(m, "QueueLoad", "An rx queue's load since its device was attached.")
        .def_ro("port", &QueueLoad::port)
        .def_ro("queue", &QueueLoad::queue)
        .def_ro("worker", &QueueLoad::worker)
        .def_ro("packets", &QueueLoad::packets)
        .def_ro("cycles", &QueueLoad::cycles);
    nb::class_<WorkerLoad>(m, "WorkerLoad", "A worker's load since it started; total_cycles is the time that passed.")
        .def_ro("worker", &WorkerLoad::worker)
        .def_ro("core", &WorkerLoad::core)
        .def_ro("packets", &WorkerLoad::packets)
        .def_ro("busy_cycles", &WorkerLoad::busy_cycles)
        .def_ro("total_cycles", &WorkerLoad::total_cycles)
        .def_ro("sleeps", &WorkerLoad::sleeps);
    nb::class_<Address>(m, "FdbEntry", "A learned MAC address. age: seconds since it was last heard.")
        .def_prop_ro("mac", [](const Address& address) { return mac_text(address.mac); })
        .def_ro("vlan", &Address::vlan)
        .def_ro("port", &Address::port)
        .def_ro("age", &Address::age)
        .def_ro("is_static", &Address::is_static, "It neither ages nor moves.");
    nb::class_<Fdb::Totals>(m, "FdbTotals", "What a bridge's workers have done to its addresses.")
        .def_ro("learned", &Fdb::Totals::learned)
        .def_ro("expired", &Fdb::Totals::expired)
        .def_ro("evicted", &Fdb::Totals::evicted)
        .def_ro("moved", &Fdb::Totals::moved);
}

}  // namespace

void bind_datapath(nb::module_& m) {
    bind_specs(m);
    bind_records(m);
    // close() needs a datapath that can be gone; the pointer inside makes every later call an error, not a crash.
    struct Handle {
        std::unique_ptr<Datapath> datapath;
        Datapath& get() const {
            if (!datapath) throw Error("the datapath is closed");
            return *datapath;
        }
    };
    nb::class_<Handle>(m, "Datapath", "Workers, devices and the topology that joins them. One caller at a time.")
        .def(
            "__init__",
            [](Handle* self, const std::vector<unsigned>& cores, unsigned mbufs, unsigned mtu, int64_t spin_us) {
                nb::gil_scoped_release unlocked;
                new (self) Handle{std::make_unique<Datapath>(cores, mbufs, mtu, spin_us)};
            },
            nb::kw_only(), "cores"_a, "mbufs"_a, "mtu"_a, "spin_us"_a,
            "A worker on each core. mbufs: buffers in the pool, each for a packet of `mtu` bytes. spin_us: how long an "
            "idle\n"
            "worker spins before it sleeps; -1: for ever.")
        .def(
            "attach",
            [](const Handle& self, const std::string& devargs, uint16_t rxqs, uint16_t txqs, uint16_t rx_desc,
               uint16_t tx_desc, uint16_t mtu, const std::string& netns) {
                nb::gil_scoped_release unlocked;
                return self.get().attach({devargs, rxqs, txqs, rx_desc, tx_desc, mtu, netns});
            },
            "devargs"_a, nb::kw_only(), "rxqs"_a, "txqs"_a, "rx_desc"_a, "tx_desc"_a, "mtu"_a, "netns"_a,
            "Hot-plug a DPDK device and start it; returns its id. Nothing is left behind where it raises EngineError.")
        .def(
            "attach_tap",
            [](const Handle& self, const std::string& iface, const std::string& mac, uint16_t queues, uint16_t mtu,
               const std::string& netns, bool one_queue, bool owned) {
                nb::gil_scoped_release unlocked;
                return self.get().attach_tap({iface, mac, queues, mtu, netns, one_queue, owned});
            },
            "iface"_a, nb::kw_only(), "mac"_a, "queues"_a, "mtu"_a, "netns"_a, "one_queue"_a = false, "owned"_a = false,
            "Create a kernel TAP, or attach to it; returns its id. mac: of the kernel's side, \"\" for its own choice. "
            "netns:\n"
            "the network namespace that it is in, \"\" for ours. one_queue: of the kind that Open vSwitch opens, too. "
            "owned:\n"
            "it goes at the end even if it is there now. Nothing is left behind where it raises EngineError.")
        .def(
            "owns", [](const Handle& self, unsigned device) { return self.get().owns(device); }, "device"_a,
            "Whether a kernel interface goes with the device.")
        .def(
            "keep", [](const Handle& self, unsigned device) { self.get().keep(device); }, "device"_a,
            "Have the device's kernel interface outlive it, with its addresses and routes.")
        .def(
            "detach", [](const Handle& self, unsigned device) { self.get().detach(device); }, "device"_a, Unlocked(),
            "Stop and remove a device that no published port has.")
        .def(
            "device_info", [](const Handle& self, unsigned device) { return self.get().device_info(device); },
            "device"_a)
        .def(
            "publish",
            [](const Handle& self, const std::vector<BridgeSpec>& bridges, const std::vector<PortSpec>& ports,
               const std::vector<QueueSpec>& queues) {
                nb::gil_scoped_release unlocked;
                self.get().publish(bridges, ports, queues);
            },
            "bridges"_a, "ports"_a, "queues"_a,
            "Replace the whole topology at once; returns when every worker has left the old one.")
        .def("port_counters", [](const Handle& self) { return self.get().port_totals(); })
        .def(
            "drops", [](const Handle& self) { return self.get().drops(); }, "Only those that are not zero.")
        .def("queue_loads", [](const Handle& self) { return self.get().queue_loads(); })
        .def("worker_loads", [](const Handle& self) { return self.get().worker_loads(); })
        .def(
            "fdb", [](const Handle& self, unsigned bridge) { return self.get().fdb(bridge); }, "bridge"_a)
        .def(
            "fdb_flush", [](const Handle& self, unsigned bridge) { return self.get().fdb_flush(bridge); }, "bridge"_a,
            "Forget all learned addresses; returns how many there were.")
        .def(
            "fdb_add",
            [](const Handle& self, unsigned bridge, unsigned port, uint16_t vlan, const std::string& mac) {
                self.get().fdb_add(bridge, port, vlan, mac_of(mac));
            },
            "bridge"_a, "port"_a, "vlan"_a, "mac"_a, "Keep an address on a port for good.")
        .def(
            "fdb_del",
            [](const Handle& self, unsigned bridge, uint16_t vlan, const std::string& mac) {
                return self.get().fdb_del(bridge, vlan, mac_of(mac));
            },
            "bridge"_a, "vlan"_a, "mac"_a, "Forget an address that fdb_add() keeps; False: it keeps no such one.")
        .def(
            "fdb_totals", [](const Handle& self, unsigned bridge) { return self.get().fdb_totals(bridge); }, "bridge"_a)
        .def(
            "clear_fdb_totals", [](const Handle& self, unsigned bridge) { self.get().clear_fdb_totals(bridge); },
            "bridge"_a)
        .def(
            "age", [](const Handle& self) { self.get().age(); }, Unlocked(),
            "Collect expired addresses; to be called once a second.")
        .def(
            "tables", [](const Handle& self, unsigned bridge) { return TablesRef{self.get().tables(bridge)}; },
            "bridge"_a, "A bridge's OpenFlow tables.")
        .def(
            "set_frag",
            [](const Handle& self, unsigned bridge, unsigned mode) {
                if (mode > 3) throw Error("fragments: a mode from 0 to 3 is needed");
                self.get().tables(bridge)->pipeline().frag.store(static_cast<of::Frag>(mode));
            },
            "bridge"_a, "mode"_a, "What becomes of IP fragments: OFPC_FRAG_NORMAL, _DROP, _REASM, or Nicira's match.")
        .def(
            "take_packet_ins",
            [](const Handle& self, unsigned most) {
                nb::gil_scoped_release unlocked;
                return self.get().take_packet_ins(most);
            },
            "most"_a,
            "Carry out what packets asked of tables (learned flows); returns up to `most` packets for controllers.")
        .def(
            "packet_in_fd", [](const Handle& self) { return self.get().packet_in_fd(); },
            "A descriptor that is readable while take_packet_ins() has something to do.")
        .def(
            "mbufs",
            [](const Handle& self) {
                const Datapath::Pool pool = self.get().mbufs();
                return std::pair(pool.total, pool.in_use);
            },
            "(total, in use)")
        .def(
            "close", [](Handle& self) { self.datapath.reset(); }, Unlocked(),
            "Stop the workers, remove all devices, free the pool. A second call does nothing.");
}

}  // namespace turnout
