# SPDX-License-Identifier: Apache-2.0
"""A learning switch in OpenFlow 1.0: packet-ins of misses, flows by port and address, packet-outs."""

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.mac import haddr_to_bin
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_0


class LearningSwitch(OSKenApp):
    OFP_VERSIONS = (ofproto_v1_0.OFP_VERSION,)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._ports = {}

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        message = event.msg
        datapath = message.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        frame = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        self.logger.info("packet in %s %s from %d", frame.src, frame.dst, message.in_port)
        self._ports[datapath.id, frame.src] = message.in_port
        port = self._ports.get((datapath.id, frame.dst), ofproto.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(port)]
        if port != ofproto.OFPP_FLOOD:
            match = parser.OFPMatch(
                in_port=message.in_port, dl_dst=haddr_to_bin(frame.dst), dl_src=haddr_to_bin(frame.src)
            )
            flow = parser.OFPFlowMod(
                datapath=datapath, match=match, cookie=0, command=ofproto.OFPFC_ADD, actions=actions,
                priority=ofproto.OFP_DEFAULT_PRIORITY, flags=ofproto.OFPFF_SEND_FLOW_REM,
            )  # fmt: skip
            datapath.send_msg(flow)
        data = message.data if message.buffer_id == ofproto.OFP_NO_BUFFER else None
        datapath.send_msg(
            parser.OFPPacketOut(
                datapath=datapath,
                buffer_id=message.buffer_id,
                in_port=message.in_port,
                actions=actions,
                data=data,
            )
        )

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, event):
        self.logger.info("port %d: reason %d", event.msg.desc.port_no, event.msg.reason)
