# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""What is typed behind stock ovs-ofctl; what it prints must be what it prints of Open vSwitch."""

from tests.ofctl.script import Script

_13 = ("OpenFlow13",)
_14 = ("OpenFlow14",)
_13_14 = ("OpenFlow13", "OpenFlow14")
_ALL = ("", "OpenFlow13", "OpenFlow14")

_FLOWS = """
    priority=10,in_port=1,actions=output:2
    priority=20,tcp,nw_dst=10.0.0.0/8,tp_dst=80,actions=output:3
    priority=30,cookie=0x1234,udp,tp_src=53,actions=drop
    table=1,priority=5,arp,arp_op=1,actions=CONTROLLER:128
    table=1,priority=5,ipv6,ipv6_dst=fd00::/64,actions=ALL
    table=2,priority=7,idle_timeout=60,hard_timeout=600,dl_vlan=5,actions=strip_vlan,output:4
"""
_FILL = "add-flows br0 @flows"

SWITCH = [
    Script("show", "show br0", _ALL),
    Script("show of a bridge that is not there", "show nosuch"),
    Script("dump-desc", "dump-desc br0", _ALL, differs="the switch's own name, make and version"),
    Script("dump-tables", f"{_FILL}\n dump-tables br0", _ALL, {"flows": _FLOWS}, ordered=True),
    Script("dump-table-features", "dump-table-features br0", _13_14, ordered=True,
           differs="lists what Turnout has: PBB, copy_ttl; lacks ct and tunnels' options"),
    Script("dump-table-desc", "dump-table-desc br0", _13_14, ordered=True),
    Script("mod-table: eviction and vacancy", """
        mod-table br0 3 evict
        dump-table-desc br0
        mod-table br0 3 noevict
        mod-table br0 3 vacancy:20,80
        dump-table-desc br0
        mod-table br0 3 novacancy
        dump-table-desc br0""", _14),
    Script("probe", "probe br0\n probe nosuch", _ALL),
    Script("get-frags and set-frags", """
        get-frags br0
        set-frags br0 drop
        get-frags br0
        set-frags br0 nx-match
        get-frags br0
        set-frags br0 reassemble
        get-frags br0
        set-frags br0 normal
        get-frags br0""", _ALL),
    Script("dump-tlv-map", "dump-tlv-map br0", differs="no Geneve options before issue 6"),
    Script("dump-ipfix-bridge", "dump-ipfix-bridge br0", differs="no IPFIX"),
]  # fmt: skip

PORTS = [
    Script("dump-ports", "dump-ports br0", _ALL),
    Script("dump-ports of one", "dump-ports br0 2\n dump-ports br0 p3\n dump-ports br0 LOCAL", _ALL),
    Script("dump-ports of one that is not there", "dump-ports br0 99\n dump-ports br0 nosuch", _ALL),
    Script("dump-ports-desc", "dump-ports-desc br0", _ALL),
    Script("dump-ports-desc of one", "dump-ports-desc br0 2\n dump-ports-desc br0 LOCAL\n dump-ports-desc br0 99", ("", "OpenFlow13", "OpenFlow15")[:2]),
    Script("mod-port down and up", """
        mod-port br0 2 down
        dump-ports-desc br0
        mod-port br0 p2 up
        dump-ports-desc br0""", _ALL),
    Script("mod-port of flags", """
        mod-port br0 1 no-flood
        mod-port br0 1 no-receive
        mod-port br0 1 no-forward
        mod-port br0 1 no-packet-in
        show br0
        mod-port br0 1 flood
        mod-port br0 1 receive
        mod-port br0 1 forward
        mod-port br0 1 packet-in
        show br0""", _ALL),
    Script("mod-port stp", "mod-port br0 1 no-stp\n mod-port br0 1 no-receive-stp\n mod-port br0 1 receive-stp"),
    Script("mod-port of a port that is not there", "mod-port br0 99 down\n mod-port br0 nosuch down\n mod-port br0 1 sideways"),
    Script("queue-stats", "queue-stats br0\n queue-stats br0 1\n queue-stats br0 1 5\n queue-stats br0 99", _ALL),
    Script("queue-get-config", "queue-get-config br0\n queue-get-config br0 1\n queue-get-config br0 99", _ALL),
]  # fmt: skip

FLOWS = [
    Script("dump-flows", f"{_FILL}\n dump-flows br0", _ALL, {"flows": _FLOWS}),
    Script("dump-flows of an empty switch", "dump-flows br0\n dump-aggregate br0", _ALL),
    Script("dump-flows --names", f"{_FILL}\n dump-flows --names br0\n dump-flows --no-names br0", _ALL, {"flows": _FLOWS}),
    Script("dump-flows --stats", f"{_FILL}\n dump-flows --stats br0\n dump-flows --no-stats br0", _ALL, {"flows": _FLOWS}),
    Script("dump-flows --sort", f"{_FILL}\n dump-flows --no-stats --sort=priority br0 table=0\n dump-flows --no-stats --rsort=priority br0 table=0\n dump-flows --no-stats --sort=tcp_dst --sort=in_port br0 table=0",
           _ALL, {"flows": _FLOWS}, ordered=True),
    Script("dump-flows --rsort", f"{_FILL}\n dump-flows --no-stats --rsort br0 table=0", _ALL, {"flows": _FLOWS}, ordered=True),
    Script("dump-flows of a table", f"{_FILL}\n dump-flows br0 table=1\n dump-flows br0 table=9\n dump-flows br0 table=253", _ALL, {"flows": _FLOWS}),
    Script("dump-flows by match", f"{_FILL}\n dump-flows br0 ip\n dump-flows br0 tcp\n dump-flows br0 in_port=1\n dump-flows br0 tcp,nw_dst=10.0.0.0/8\n dump-flows br0 tcp,nw_dst=10.1.0.0/16\n dump-flows br0 in_port=p1",
           _ALL, {"flows": _FLOWS}),
    Script("dump-flows by cookie", f"{_FILL}\n dump-flows br0 cookie=0x1234/-1\n dump-flows br0 cookie=0x30/0xf0\n dump-flows br0 cookie=0/1", _ALL, {"flows": _FLOWS}),
    Script("dump-flows by out_port", f"{_FILL}\n dump-flows br0 out_port=2\n dump-flows br0 out_port=CONTROLLER\n dump-flows br0 out_port=77\n dump-flows br0 out_port=p3", _ALL, {"flows": _FLOWS}),
    Script("dump-flows by out_group", """
        add-group br0 group_id=7,type=all
        add-flow br0 in_port=1,actions=group:7
        add-flow br0 in_port=2,actions=2
        dump-flows br0 out_group=7
        dump-flows br0 out_group=8""", _13_14),
    Script("dump-aggregate", f"{_FILL}\n dump-aggregate br0\n dump-aggregate br0 table=1\n dump-aggregate br0 tcp\n dump-aggregate br0 cookie=0x1234/-1\n dump-aggregate br0 out_port=2",
           _ALL, {"flows": _FLOWS}),
    Script("add-flow replaces the same match and priority", """
        add-flow br0 priority=5,tcp,actions=1
        add-flow br0 priority=5,tcp,actions=2
        add-flow br0 priority=6,tcp,actions=3
        dump-flows br0""", _ALL),
    Script("add-flow with every flag", """
        add-flow br0 send_flow_rem,priority=1,actions=1
        add-flow br0 check_overlap,priority=2,tcp,actions=1
        dump-flows br0""", _ALL),
    Script("add-flow with flags of 1.3", "add-flow br0 reset_counts,no_packet_counts,no_byte_counts,priority=3,tcp,actions=2\n dump-flows br0", _13_14),
    Script("add-flow with an importance", "add-flow br0 importance=7,priority=3,tcp,actions=2\n dump-flows br0", _14),
    Script("add-flow: overlap refused", """
        add-flow br0 priority=5,tcp,actions=1
        add-flow br0 check_overlap,priority=5,ip,actions=2
        add-flow br0 check_overlap,priority=6,ip,actions=2
        dump-flows br0""", _ALL),
    Script("add-flow: bad table", "add-flow br0 table=254,actions=1\n add-flow br0 table=255,actions=1\n dump-flows br0", _ALL,
           differs="table 254 is hidden in Open vSwitch; 1.3.5 (7.4.4.4) names OFPFMFC_BAD_TABLE_ID for it"),
    Script("add-flow: bad group", "add-flow br0 actions=group:55\n dump-flows br0", _13_14),
    Script("add-flow: bad meter", "add-flow br0 actions=meter:55,1\n dump-flows br0", _13_14),
    Script("add-flow: bad port", "add-flow br0 actions=output:65500\n add-flow br0 actions=output:4294967040", _ALL),
    Script("add-flow: port that is not there yet", "add-flow br0 actions=output:77\n dump-flows br0", _ALL),
    Script("add-flow: set_field without its prerequisite", "add-flow br0 actions=set_field:1.2.3.4->ip_src\n add-flow br0 udp,actions=set_field:80->tcp_dst\n dump-flows br0", _ALL),
    Script("add-flow: a field without its prerequisite is left out", "add-flow br0 nw_src=1.2.3.4,actions=1\n dump-flows br0", _ALL),
    Script("add-flow: timeouts and cookie", "add-flow br0 cookie=0xdeadbeefcafe,idle_timeout=5,hard_timeout=65535,priority=65535,tcp,actions=1\n dump-flows br0", _ALL),
    Script("add-flow --names", "add-flow br0 in_port=p1,actions=output:p2,p3\n dump-flows --names br0", _ALL),
    Script("add-flow --bundle", "add-flow --bundle br0 tcp,actions=1\n add-flow --bundle br0 actions=group:99\n dump-flows br0", _14),
    Script("add-flows", f"{_FILL}\n dump-flows --no-stats br0", _ALL, {"flows": _FLOWS}),
    Script("add-flows with other commands in the file", """
        add-flows br0 @flows
        dump-flows br0""", _ALL, {"flows": """
        add in_port=1,actions=1
        add in_port=2,actions=2
        modify in_port=1,actions=3
        delete in_port=2
        add in_port=4,actions=4
        modify_strict priority=1,in_port=1,actions=4
        delete_strict priority=1,in_port=4"""}),
    Script("add-flows --bundle: all", "add-flows --bundle br0 @flows\n dump-flows br0", _14, {"flows": _FLOWS}),
    Script("add-flows --bundle: none, because the last is refused", "add-flow br0 arp,actions=4\n add-flows --bundle br0 @flows\n dump-flows br0",
           _14, {"flows": "tcp,actions=1\n udp,actions=2\n ip,actions=group:99"}),
    Script("add-flows: stops at the first that is refused", "add-flows br0 @flows\n dump-flows br0", _13, {"flows": "tcp,actions=1\n udp,actions=group:99\n arp,actions=2"}),
    Script("mod-flows", """
        add-flow br0 cookie=1,priority=5,tcp,actions=1
        add-flow br0 cookie=2,priority=6,udp,actions=2
        mod-flows br0 ip,actions=3
        dump-flows br0
        mod-flows br0 arp,actions=4
        dump-flows br0
        mod-flows --strict br0 priority=6,udp,actions=5
        mod-flows --strict br0 priority=7,tcp,actions=5
        dump-flows br0""", _ALL),
    Script("mod-flows by cookie", """
        add-flow br0 cookie=1,priority=5,tcp,actions=1
        add-flow br0 cookie=2,priority=6,tcp,actions=2
        mod-flows br0 cookie=1/-1,tcp,actions=3
        dump-flows br0
        mod-flows br0 cookie=9/-1,arp,actions=4
        dump-flows br0""", _ALL),
    Script("mod-flows keeps counters and timeouts, sets the cookie", """
        add-flow br0 cookie=1,idle_timeout=50,priority=5,tcp,actions=1
        mod-flows br0 cookie=9,tcp,idle_timeout=70,actions=3
        dump-flows br0""", _ALL),
    Script("del-flows of all", f"{_FILL}\n del-flows br0\n dump-flows br0", _ALL, {"flows": _FLOWS}),
    Script("del-flows by match", f"{_FILL}\n del-flows br0 ip\n dump-flows br0\n del-flows br0 table=1\n dump-flows br0\n del-flows br0 table=2,dl_vlan=6\n dump-flows br0", _ALL, {"flows": _FLOWS}),
    Script("del-flows --strict", f"{_FILL}\n del-flows --strict br0 priority=10,in_port=1\n del-flows --strict br0 priority=11,in_port=1\n del-flows --strict br0 tcp,nw_dst=10.0.0.0/8,tp_dst=80\n dump-flows br0",
           _ALL, {"flows": _FLOWS}),
    Script("del-flows by cookie", f"{_FILL}\n del-flows br0 cookie=0x1000/0xf000\n dump-flows br0\n del-flows br0 cookie=0/-1,table=0\n dump-flows br0", _ALL, {"flows": _FLOWS}),
    Script("del-flows by out_port", f"{_FILL}\n del-flows br0 out_port=2\n dump-flows br0\n del-flows br0 table=2,out_port=4\n dump-flows br0", _ALL, {"flows": _FLOWS}),
    Script("del-flows by out_group", """
        add-group br0 group_id=7,type=all,bucket=output:1
        add-flow br0 tcp,actions=group:7
        add-flow br0 udp,actions=1
        del-flows br0 out_group=7
        dump-flows br0""", _13_14),
    Script("del-flows: with the group goes the flow", """
        add-group br0 group_id=7,type=all,bucket=output:1
        add-flow br0 tcp,actions=group:7
        add-flow br0 udp,actions=1
        del-groups br0 group_id=7
        dump-flows br0""", _13_14),
    Script("del-flows: with the meter goes the flow", """
        add-meter br0 meter=7,pktps,band=type=drop,rate=10
        add-flow br0 tcp,actions=meter:7,1
        add-flow br0 udp,actions=1
        del-meter br0 meter=7
        dump-flows br0""", _13_14),
    Script("replace-flows", f"{_FILL}\n replace-flows br0 @other\n dump-flows --no-stats br0\n replace-flows br0 @flows\n dump-flows --no-stats br0",
           _ALL, {"flows": _FLOWS, "other": "priority=10,in_port=1,actions=output:3\n arp,actions=4"}),
    Script("replace-flows --bundle", f"{_FILL}\n replace-flows --bundle br0 @other\n dump-flows --no-stats br0", _14,
           {"flows": _FLOWS, "other": "priority=10,in_port=1,actions=output:3\n arp,actions=4"}),
    Script("diff-flows with a file", f"{_FILL}\n diff-flows br0 @flows\n diff-flows br0 @other\n diff-flows @other br0", _ALL,
           {"flows": _FLOWS, "other": "priority=10,in_port=1,actions=output:3\n arp,actions=4"}),
]  # fmt: skip

# Every spelling that the switch has to give back as it was.
_MATCHES = """
    in_port=LOCAL
    dl_src=02:00:00:00:00:01
    dl_dst=01:00:00:00:00:00/01:00:00:00:00:00
    dl_type=0x1234
    dl_vlan=7,dl_vlan_pcp=3
    dl_vlan=0
    vlan_tci=0
    vlan_tci=0x1000/0x1000
    dl_vlan=5,arp,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/24,arp_op=2
    arp,arp_sha=02:00:00:00:00:01,arp_tha=02:00:00:00:00:02
    ip,nw_src=10.0.0.1,nw_dst=10.0.0.0/8,nw_tos=184
    ip,nw_ecn=1,nw_ttl=64,nw_proto=99
    ip,nw_src=10.0.0.1/255.0.255.0
    ip,ip_frag=yes
    ip,ip_frag=not_later
    icmp,icmp_type=8,icmp_code=0
    tcp,tp_src=80,tp_dst=0x1000/0xf000
    tcp,tcp_flags=+syn-ack
    udp,tp_src=1,tp_dst=2
    sctp,tp_src=1,tp_dst=2
    ipv6,ipv6_src=fd00::1,ipv6_dst=fd00::/64,ipv6_label=0x12345
    tcp6,tp_dst=80
    udp6,tp_src=53
    icmp6,icmp_type=135,nd_target=fd00::9,nd_sll=02:00:00:00:00:01
    icmp6,icmp_type=136,nd_tll=02:00:00:00:00:01
    mpls,mpls_label=100,mpls_tc=3,mpls_bos=1
    mplsm,mpls_label=5
    rarp
    tun_id=0x5
    tun_id=0x100/0xff00
    metadata=0x1234
    metadata=0x5/0xf
    reg0=5,reg15=0x10/0xf0
    xreg1=0x123456789
    xxreg1=0x1/0xff
    pkt_mark=5
    conj_id=9,ip
"""
_ACTIONS_BOTH = """
    drop
    1
    IN_PORT,2
    NORMAL
    FLOOD
    ALL
    LOCAL
    CONTROLLER:65535
    CONTROLLER:128
    controller(reason=no_match,max_len=128,id=5)
    controller(userdata=01.02.03)
    output(port=1,max_len=100)
    output:NXM_NX_REG0[0..15]
    mod_vlan_vid:7,mod_vlan_pcp:3,1
    mod_dl_src:02:00:00:00:00:01,mod_dl_dst:02:00:00:00:00:02,1
    load:5->NXM_NX_REG0[],1
    load:5->NXM_NX_REG1[4..7],1
    set_field:5->reg2,1
    set_field:0x5/0xf->reg3,1
    set_field:02:00:00:00:00:05->eth_src,1
    set_field:5->tun_id,1
    set_field:0x1234->metadata,1
    move:NXM_NX_REG0[]->NXM_NX_REG1[],1
    move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],1
    push:NXM_NX_REG0[],pop:NXM_NX_REG1[]
    resubmit:3
    resubmit(,2)
    resubmit(4,2)
    note:01.02.03.04.05.06
    exit
    clone(set_field:5->reg0,1),2
    multipath(symmetric_l4,50,modulo_n,10,0,NXM_NX_REG0[0..7])
    multipath(eth_src,0,hrw,5,0,NXM_NX_REG1[])
    bundle(eth_src,50,hrw,ofport,members:1,2,3)
    bundle(symmetric_l4,60,active_backup,ofport,members:1,2)
    bundle_load(symmetric_l4,60,hrw,ofport,NXM_NX_REG0[],members:1,2)
    learn(table=2,idle_timeout=10,hard_timeout=20,priority=5,cookie=0x7,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],output:NXM_OF_IN_PORT[])
    learn(table=2,send_flow_rem,delete_learned,reg0=5,load:0x3->NXM_NX_REG1[])
    sample(probability=100,collector_set_id=1,obs_domain_id=2,obs_point_id=3)
    set_queue:5,1,pop_queue
    push_mpls:0x8847,set_mpls_label:100,set_mpls_tc:3,set_mpls_ttl:64,1
"""


def _numbered(lines: str, make: str) -> str:
    return "\n".join(
        make.format(number, line.strip()) for number, line in enumerate(lines.strip().splitlines(), start=1)
    )


_IP_ACTIONS = """
    ip,|mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8,mod_nw_tos:184,1
    tcp,|mod_tp_src:80,mod_tp_dst:81,1
    udp,|set_field:80->udp_src,set_field:5->udp_dst,1
    dl_vlan=5,|strip_vlan,1
    ip,|dec_ttl,1
    ip,|dec_ttl(1,2),1
    ip,|mod_nw_ttl:64,1
    ip,|mod_nw_ecn:2,1
    tcp,|fin_timeout(idle_timeout=5,hard_timeout=10),1
    ip,|conjunction(5,1/2)
    ip,|conjunction(5,1/2),conjunction(6,2/3)
    mpls,|dec_mpls_ttl,1
    mpls,|pop_mpls:0x0800,1
    mpls,|set_field:5->mpls_label,1
    ipv6,|set_field:fd00::1->ipv6_src,1
    ipv6,|set_field:0x12345->ipv6_label,1
    arp,|set_field:2->arp_op,set_field:1.2.3.4->arp_spa,1
    icmp,|set_field:0->icmp_type,1
    ip,|move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],1
    tcp,|learn(table=1,fin_idle_timeout=1,fin_hard_timeout=2,eth_type=0x800,nw_proto=6,NXM_OF_IP_DST[]=NXM_OF_IP_SRC[],output:NXM_NX_REG0[0..15])
    ip,|load:0xa0b0c0d->NXM_OF_IP_SRC[],1
"""

SYNTAX = [
    Script("every match field comes back as it was given",
           "add-flows br0 @flows\n dump-flows --no-stats br0", _ALL,
           {"flows": _numbered(_MATCHES, "priority={},{},actions=1")}),
    Script("every action comes back as it was given",
           "add-flows br0 @flows\n dump-flows --no-stats br0", _ALL,
           {"flows": _numbered(_ACTIONS_BOTH, "table=1,priority={},actions={}")}),
    Script("actions with prerequisites come back as they were given",
           "add-flows br0 @flows\n dump-flows --no-stats br0", _ALL,
           {"flows": _numbered(_IP_ACTIONS, "table=1,priority={},{}").replace("|", "actions=")}),
    Script("instructions come back as they were given",
           "add-group br0 group_id=1,type=all\n add-meter br0 meter=1,kbps,band=type=drop,rate=10\n add-flows br0 @flows\n dump-flows --no-stats br0",
           _13_14, {"flows": """
        priority=1,actions=goto_table:5
        priority=2,actions=clear_actions
        priority=3,actions=write_actions(output:1,set_field:5->reg0)
        priority=4,actions=1,write_metadata:0x5/0xff,goto_table:2
        priority=5,actions=meter:1,2,clear_actions,write_actions(group:1),write_metadata:1,goto_table:200
        priority=6,actions=group:1
        priority=7,actions=push_vlan:0x8100,set_field:4103->vlan_vid,1
        priority=8,actions=push_vlan:0x88a8,1
        priority=9,dl_vlan=1,actions=pop_vlan,1
        priority=10,actions=set_queue:3,1
        priority=11,actions=write_actions(drop)"""}),
    Script("1.0's enqueue", "add-flow br0 actions=enqueue:1:5\n dump-flows br0", ("",)),
]  # fmt: skip

GROUPS = [
    Script("add-group, dump-groups, dump-group-stats", """
        add-group br0 group_id=1,type=all,bucket=output:1,bucket=output:2
        add-group br0 group_id=2,type=select,bucket=weight:100,output:1,bucket=weight:50,output:2
        add-group br0 group_id=3,type=indirect,bucket=output:1
        add-group br0 group_id=4,type=ff,bucket=watch_port:1,output:1,bucket=watch_group:1,output:2
        add-group br0 group_id=5,type=all
        dump-groups br0
        dump-groups br0 4
        dump-groups br0 99
        dump-group-stats br0
        dump-group-stats br0 group_id=1
        dump-group-stats br0 group_id=99""", _ALL),
    Script("dump-group-features", "dump-group-features br0", _ALL,
           differs="Turnout's list of actions has copy_ttl and PBB, too"),
    Script("add-group: refused", """
        add-group br0 group_id=1,type=all,bucket=output:1
        add-group br0 group_id=1,type=all,bucket=output:2
        add-group br0 group_id=4294967040,type=all
        add-group br0 group_id=2,type=indirect
        add-group br0 group_id=3,type=all,bucket=group:77
        dump-groups br0""", _ALL),
    Script("mod-group", """
        add-group br0 group_id=1,type=all,bucket=output:1
        mod-group br0 group_id=1,type=select,bucket=output:2,bucket=output:3
        mod-group br0 group_id=9,type=all
        mod-group --may-create br0 group_id=9,type=all,bucket=output:4
        dump-groups br0""", _ALL),
    Script("mod-group: a loop is refused", """
        add-group br0 group_id=1,type=all,bucket=output:1
        add-group br0 group_id=2,type=all,bucket=group:1
        mod-group br0 group_id=1,type=all,bucket=group:2
        dump-groups br0""", _13_14, differs="Open vSwitch takes a loop and stops the packet; 1.3.5 (6.5) names OFPGMFC_LOOP for it"),
    Script("del-groups", """
        add-group br0 group_id=1,type=all,bucket=output:1
        add-group br0 group_id=2,type=all,bucket=output:2
        del-groups br0 group_id=9
        del-groups br0 group_id=1
        dump-groups br0
        del-groups br0
        dump-groups br0""", _ALL),
    Script("insert-buckets and remove-buckets", """
        add-group br0 group_id=1,type=select,bucket=bucket_id:1,output:1
        insert-buckets br0 group_id=1,command_bucket_id=last,bucket=bucket_id:3,output:3
        insert-buckets br0 group_id=1,command_bucket_id=first,bucket=bucket_id:0,output:4
        insert-buckets br0 group_id=1,command_bucket_id=1,bucket=bucket_id:2,output:2
        dump-groups br0
        remove-buckets br0 group_id=1,command_bucket_id=1
        dump-groups br0
        remove-buckets br0 group_id=1,command_bucket_id=last
        remove-buckets br0 group_id=1,command_bucket_id=first
        remove-buckets br0 group_id=1,command_bucket_id=77
        dump-groups br0
        remove-buckets br0 group_id=1,command_bucket_id=all
        insert-buckets br0 group_id=55,command_bucket_id=last,bucket=output:3
        dump-groups br0""", ("",)),
    Script("add-groups", "add-groups br0 @groups\n dump-groups br0", _ALL,
           {"groups": "group_id=1,type=all,bucket=output:1\n group_id=2,type=indirect,bucket=group:1"}),
    Script("add-groups --bundle", "add-groups --bundle br0 @groups\n dump-groups br0\n add-groups --bundle br0 @bad\n dump-groups br0", _14,
           {"groups": "group_id=1,type=all,bucket=output:1\n group_id=2,type=indirect,bucket=group:1",
            "bad": "group_id=3,type=all\n group_id=1,type=all"}),
    Script("buckets with sets of actions", """
        add-group br0 group_id=1,type=all,bucket=set_field:02:00:00:00:00:05->eth_dst,push_vlan:0x8100,output:1,bucket=dec_ttl,output:2
        dump-groups br0""", _13_14),
]  # fmt: skip

METERS = [
    Script("add-meter, dump-meters, dump-meter", """
        add-meter br0 meter=1,kbps,band=type=drop,rate=1000
        add-meter br0 meter=2,pktps,burst,stats,band=type=drop,rate=100,burst_size=50
        add-meter br0 meter=3,kbps,bands=type=drop,rate=100,type=drop,rate=200
        dump-meters br0
        dump-meter br0 meter=2
        dump-meter br0 meter=9
        meter-stats br0 meter=9
        mod-meter br0 meter=1,pktps,band=type=drop,rate=7
        mod-meter br0 meter=9,pktps,band=type=drop,rate=7
        dump-meters br0
        add-meter br0 meter=1,kbps,band=type=drop,rate=1
        del-meter br0 meter=1
        del-meter br0 meter=77
        dump-meters br0
        del-meters br0
        dump-meters br0""", _13_14),
    Script("meter-stats", "add-meter br0 meter=2,pktps,band=type=drop,rate=100\n meter-stats br0\n meter-stats br0 meter=2", _13_14),
    Script("meter-features", "meter-features br0", _13_14, differs="Turnout remarks DSCP, too, and has other limits"),
    Script("DSCP remark", "add-meter br0 meter=1,kbps,band=type=dscp_remark,rate=5,prec_level=1\n dump-meters br0", _13_14,
           differs="Open vSwitch's user-space datapath lacks DSCP remark"),
]  # fmt: skip

BUNDLES = [
    Script("bundle of flows and groups", "bundle br0 @bundle\n dump-flows br0\n dump-groups br0", _ALL, {"bundle": """
        group add group_id=1,type=all,bucket=output:1
        flow add priority=5,tcp,actions=group:1
        flow add priority=6,udp,actions=2
        flow modify udp,actions=3
        flow delete arp
        group modify group_id=1,type=all,bucket=output:4
        packet-out in_port=controller,packet=020000000001020000000002123400,actions=drop"""}),
    Script("bundle: one refused, nothing changes", "add-flow br0 arp,actions=1\n bundle br0 @bundle\n dump-flows br0\n dump-groups br0", _14, {"bundle": """
        group add group_id=1,type=all,bucket=output:1
        flow delete arp
        flow add tcp,actions=2
        flow add udp,actions=group:77"""}),
    Script("--bundle on single commands", """
        add-flow --bundle br0 tcp,actions=1
        mod-flows --bundle br0 tcp,actions=2
        dump-flows br0
        add-group --bundle br0 group_id=1,type=all
        mod-group --bundle br0 group_id=1,type=select
        dump-groups br0
        del-groups --bundle br0 group_id=1
        del-flows --bundle br0 tcp
        dump-flows br0
        dump-groups br0""", _14),
]  # fmt: skip

PACKETS = [
    Script("packet-out", """
        packet-out br0 in_port=controller,packet=020000000001020000000002123400,actions=output:1
        packet-out br0 in_port=1,packet=020000000001020000000002123400,actions=table
        packet-out br0 in_port=LOCAL,packet=020000000001020000000002123400,actions=flood""", _ALL),
    Script("packet-out: refused", """
        packet-out br0 in_port=controller,packet=02,actions=output:1
        packet-out br0 in_port=controller,packet=020000000001020000000002123400,actions=group:99
        packet-out br0 in_port=4294967295,packet=020000000001020000000002123400,actions=output:1
        packet-out br0 in_port=controller,packet=0200000000010200000000021234xx,actions=output:1""", _13_14),
    Script("a flow counts what packet-out sends through it", """
        add-flow br0 in_port=1,actions=2
        packet-out br0 in_port=1,packet=0200000000010200000000021234000000000000,actions=table
        dump-flows br0""", _ALL),
]  # fmt: skip

SCRIPTS = [*SWITCH, *PORTS, *FLOWS, *SYNTAX, *GROUPS, *METERS, *BUNDLES, *PACKETS]
