# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""Instructions (5.9), action sets (5.10) and group types (5.6.1) of OpenFlow 1.3.5."""

from tests.peers import wire
from tests.semantics.case import UP, Case, Step, case
from tests.semantics.packets import IP, UDP, A, B, C, Dot1Q, ether, mpls, tcp, udp, vlan  # noqa: F401

INSTRUCTIONS = [
    case("5.9 Goto-Table", "actions=goto_table:5\n table=5 actions=2", 1, udp(), {2: udp()}),
    case("5.9 Goto-Table to the last table", "actions=goto_table:253\n table=253 actions=2", 1, udp(), {2: udp()}),
    case("5.4 Goto-Table to an empty table: a miss, dropped", "actions=goto_table:5", 1, udp(), {}),
    case("5.9 Apply-Actions comes before Goto-Table: the next table sees the change",
         f"ip actions=set_field:{C}->eth_dst,goto_table:1\n table=1,dl_dst={C} actions=2\n table=1,dl_dst={B} actions=3",
         1, udp(), {2: ether(C) / udp().payload}),
    case("5.9 Write-Actions: nothing leaves before the pipeline ends, the set's changes are not seen by matches",
         f"actions=write_actions(set_field:{C}->eth_dst,output:2),goto_table:1\n table=1,dl_dst={B} actions=3",
         1, udp(), {3: udp(), 2: ether(C) / udp().payload}),
    case("5.9 Write-Actions of a later table replaces the earlier output",
         "actions=write_actions(output:2),goto_table:1\n table=1 actions=write_actions(output:3)", 1, udp(), {3: udp()}),
    case("5.9 Write-Actions replaces a set_field of the same field, keeps another's",
         f"ip actions=write_actions(set_field:9.9.9.9->ip_dst,set_field:{C}->eth_dst,output:2),goto_table:1\n"
         "table=1,ip actions=write_actions(set_field:8.8.8.8->ip_dst)",
         1, udp(), {2: ether(C) / udp(dst="8.8.8.8").payload}),
    case("5.9 Clear-Actions empties the set", "actions=write_actions(output:2),goto_table:1\n table=1 actions=clear_actions",
         1, udp(), {}),
    case("5.9 Clear-Actions comes before Write-Actions",
         "actions=write_actions(output:2),goto_table:1\n table=1 actions=clear_actions,write_actions(output:3)",
         1, udp(), {3: udp()}),
    case("5.9 Clear-Actions leaves what was applied", "actions=2,write_actions(output:3),goto_table:1\n"
         "table=1 actions=clear_actions", 1, udp(), {2: udp()}),
    case("5.9 Write-Metadata, masked, keeps other bits",
         "actions=write_metadata:0xff00,goto_table:1\n table=1 actions=write_metadata:0x5/0xf,goto_table:2\n"
         "table=2,metadata=0xff05 actions=2", 1, udp(), {2: udp()}),
    case("5.9 metadata is 0 before it is written", "metadata=0 actions=2", 1, udp(), {2: udp()}),
    case("5.10 an action set without output or group drops", f"actions=write_actions(set_field:{C}->eth_dst)", 1, udp(), {}),
    case("5.4 no instructions: the action set, here empty", "actions=drop", 1, udp(), {}),
    Case("5.9 all instructions of one flow",
         """ip actions=set_field:9.9.9.9->ip_src,3,clear_actions,write_actions(output:2),write_metadata:7,goto_table:1
            table=1,metadata=7 actions=4""",
         [Step(1, udp(), {3: udp(src="9.9.9.9"), 4: udp(src="9.9.9.9"), 2: udp(src="9.9.9.9")})]),
]  # fmt: skip

ACTION_SETS = [
    case("5.10 order: pop before push, whichever was written first",
         "dl_vlan=7 actions=write_actions(output:2,push_vlan:0x8100,pop_vlan,set_field:4105->vlan_vid)",
         1, vlan(7), {2: vlan(9)}),
    case("5.10 order: TTL before set, set before output",
         "ip actions=write_actions(output:2,set_field:9.9.9.9->ip_dst,dec_ttl)", 1, udp(), {2: udp(ttl=63, dst="9.9.9.9")}),
    case("5.10 order: push MPLS before push VLAN", "ip actions=write_actions(push_vlan:0x8100,push_mpls:0x8847,output:2)",
         1, udp(), {2: ether() / Dot1Q(vlan=0, type=0x8847) / mpls(0).payload}),
    case("5.10 group and output in a set: the output is ignored", "actions=write_actions(output:2,group:1)", 1, udp(),
         {3: udp()}, groups="group_id=1,type=indirect,bucket=output:3"),
    case("5.10 one output only: the last written", "actions=write_actions(output:2),goto_table:1\n"
         "table=1 actions=goto_table:2\n table=2 actions=write_actions(output:4)", 1, udp(), {4: udp()}),
    case("5.10 to the controller", "actions=write_actions(output:controller)", 1, udp(), {UP: udp()}),
    case("5.10 dec_ttl in a set, TTL 1: dropped", "ip actions=write_actions(output:2,dec_ttl)", 1, udp(ttl=1), {}),
]  # fmt: skip

_AB = "group_id=1,type={},bucket=output:2,bucket=output:3"

GROUPS = [
    case("5.6.1 all: a copy into each bucket", "actions=group:1", 1, udp(), {2: udp(), 3: udp()},
         groups=_AB.format("all")),
    case("5.6.1 all: changes in a bucket stay there, and after the group the packet is as before", "actions=group:1,4", 1,
         udp(), {2: ether(C) / udp().payload, 3: udp(), 4: udp()},
         groups=f"group_id=1,type=all,bucket=set_field:{C}->eth_dst,output:2,bucket=output:3"),
    case("5.6.1 all: a bucket to the port of entry by number sends nothing", "actions=group:1", 3, udp(), {2: udp()},
         groups=_AB.format("all")),
    case("5.6.1 all without buckets drops", "actions=group:1", 1, udp(), {}, groups="group_id=1,type=all"),
    case("5.6.1 indirect: its one bucket", "actions=group:1", 1, udp(), {2: udp()},
         groups="group_id=1,type=indirect,bucket=output:2"),
    case("5.6.1 select with one bucket", "actions=group:1", 1, udp(), {2: udp()},
         groups="group_id=1,type=select,bucket=output:2"),
    case("5.6.1 select: a bucket of weight 0 gets nothing", "actions=group:1", 1, udp(), {3: udp()},
         groups="group_id=1,type=select,bucket=weight:0,output:2,bucket=weight:5,output:3"),
    case("5.6.1 select: a bucket whose watch port is down gets nothing", "actions=group:1", 1, udp(), {3: udp()},
         groups="group_id=1,type=select,bucket=watch_port:99,output:2,bucket=watch_port:3,output:3"),
    case("5.6.1 fast failover: the first live bucket", "actions=group:1", 1, udp(), {2: udp()},
         groups="group_id=1,type=fast_failover,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3"),
    case("5.6.1 fast failover: a bucket whose watch port is not there is passed over", "actions=group:1", 1, udp(),
         {3: udp()}, groups="group_id=1,type=fast_failover,bucket=watch_port:99,output:2,bucket=watch_port:3,output:3"),
    case("5.6.1 fast failover without a live bucket drops", "actions=group:1", 1, udp(), {},
         groups="group_id=1,type=fast_failover,bucket=watch_port:99,output:2"),
    case("5.6.1 fast failover watching a group", "actions=group:1", 1, udp(), {3: udp()},
         groups="group_id=2,type=fast_failover,bucket=watch_port:99,output:2\n group_id=3,type=fast_failover,"
         "bucket=watch_port:3,output:3\n group_id=1,type=fast_failover,bucket=watch_group:2,group:2,bucket=watch_group:3,"
         "group:3"),
    case("5.6 groups chained", "actions=group:1", 1, udp(), {2: udp(), 4: ether(C) / udp().payload},
         groups=f"group_id=2,type=indirect,bucket=set_field:{C}->eth_dst,output:4\n"
         "group_id=1,type=all,bucket=output:2,bucket=group:2"),
    case("5.6 a bucket's actions are a set: order as in 5.10", "ip actions=group:1", 1, udp(), {2: udp(ttl=63)},
         groups="group_id=1,type=indirect,bucket=actions=output:2,dec_ttl"),
    case("5.6 a group in an action set, after a set_field", f"actions=write_actions(group:1,set_field:{C}->eth_dst)", 1,
         udp(), {2: ether(C) / udp().payload, 3: ether(C) / udp().payload}, groups=_AB.format("all")),
    Case("5.6.1 select: one flow always takes the same bucket",
         "actions=group:1", [Step(1, udp(), {2: [udp()]})] * 4, groups="group_id=1,type=select,bucket=output:2"),
]  # fmt: skip

PIPELINES = [*INSTRUCTIONS, *ACTION_SETS, *GROUPS]
__all__ = ["PIPELINES", "A", "wire"]
