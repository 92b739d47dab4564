# SPDX-License-Identifier: Apache-2.0
"""A firewall with a REST interface, OpenFlow 1.3: ARP passes, the rest is denied but for the rules.

POST /rules {"nw_src": "10.0.0.1", "nw_dst": "10.0.0.2", "nw_proto": 1} answers {"id": N}; DELETE /rules/N;
GET /rules lists rules with packets counted, from the switch's flow statistics. The TCP port is in the
environment's FIREWALL_PORT.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_3

_COOKIES = 0xF1_0000


class Firewall(OSKenApp):
    OFP_VERSIONS = (ofproto_v1_3.OFP_VERSION,)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._datapath = None
        self._rules = {}
        self._statistics = {}
        self._answered = threading.Event()
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._reply(app.list())

            def do_POST(self):
                rule = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._reply({"id": app.add(rule)})

            def do_DELETE(self):
                app.remove(int(self.path.rsplit("/", 1)[1]))
                self._reply({})

            def _reply(self, body):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["FIREWALL_PORT"])), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        self._datapath = event.msg.datapath
        parser = self._datapath.ofproto_parser
        self._flow(parser.OFPMatch(eth_type=0x0806), priority=100, cookie=0)
        self.logger.info("connected %016x", self._datapath.id)

    def _flow(self, match, *, priority, cookie, delete=False):
        datapath = self._datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        normal = [parser.OFPActionOutput(ofproto.OFPP_NORMAL)]
        apply = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, normal)]
        datapath.send_msg(
            parser.OFPFlowMod(
                datapath=datapath,
                priority=priority,
                match=match,
                cookie=cookie,
                cookie_mask=2**64 - 1 if delete else 0,
                out_port=ofproto.OFPP_ANY,
                out_group=ofproto.OFPG_ANY,
                command=ofproto.OFPFC_DELETE if delete else ofproto.OFPFC_ADD,
                instructions=[] if delete else apply,
            )
        )

    def add(self, rule):
        number = len(self._rules) + 1
        names = {"nw_src": "ipv4_src", "nw_dst": "ipv4_dst", "nw_proto": "ip_proto"}
        fields = {names[key]: value for key, value in rule.items()}
        self._rules[number] = rule
        match = self._datapath.ofproto_parser.OFPMatch(eth_type=0x0800, **fields)
        self._flow(match, priority=10, cookie=_COOKIES + number)
        return number

    def remove(self, number):
        del self._rules[number]
        self._flow(
            self._datapath.ofproto_parser.OFPMatch(), priority=0, cookie=_COOKIES + number, delete=True
        )

    def list(self):
        self._answered.clear()
        self._statistics.clear()
        self._datapath.send_msg(self._datapath.ofproto_parser.OFPFlowStatsRequest(self._datapath))
        self._answered.wait(5)
        return [{"id": n, "packets": self._statistics.get(n), **rule} for n, rule in self._rules.items()]

    @set_ev_cls(ofp_event.EventOFPFlowStatsReply, MAIN_DISPATCHER)
    def statistics(self, event):
        for flow in event.msg.body:
            self._statistics[flow.cookie - _COOKIES] = flow.packet_count
        if not event.msg.flags & self._datapath.ofproto.OFPMPF_REPLY_MORE:
            self._answered.set()
