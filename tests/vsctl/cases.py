# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 a table's rows
"""What is typed behind ovs-vsctl, a chapter at a time. Each chapter begins without bridges, and with the veths
veth0 and veth1.
"""

from dataclasses import dataclass

_BR0 = "add-br br0 -- set bridge br0 datapath_type=netdev"


@dataclass(frozen=True)
class Chapter:
    """Commands, one a line. The databases are compared after each empty line and at the end."""

    name: str
    commands: str


CHAPTERS = [
    Chapter("bridges", f"""
        --version
        show
        list-br
        {_BR0}
        add-br br0
        --may-exist add-br br0
        add-br br1 -- set bridge br1 datapath_type=netdev other_config:hwaddr=02:00:00:00:00:11 other_config:datapath-id=00000000000000b1
        list-br
        br-exists br0
        br-exists nobr
        br-to-vlan br0
        br-to-parent br0
        br-to-parent nobr

        br-set-external-id br0 owner me
        br-get-external-id br0 owner
        br-get-external-id br0
        br-set-external-id br0 owner
        br-get-external-id br0
        set bridge br0 other_config:mac-aging-time=60 other_config:mac-table-size=1000 other_config:disable-in-band=true
        set bridge br0 other_config:hwaddr=02:00:00:00:00:aa other_config:datapath-id=00000000000000ab
        get bridge br0 datapath_id
        get interface br0 mac_in_use
        get interface br0 ofport
        set bridge br0 other-config:forward-bpdu=true
        set bridge br1 protocols=OpenFlow10,OpenFlow13,OpenFlow14
        set bridge br1 protocols=OpenFlow99

        clear bridge br0 other_config
        del-br br1
        del-br nobr
        --if-exists del-br nobr
        list-ports br0
        list-ifaces br0
        show
        """),
    Chapter("fake bridges", f"""
        {_BR0}
        add-br vlan10 br0 10
        --may-exist add-br vlan10 br0 10
        --may-exist add-br vlan10 br0 11
        add-br vlan10 br0 11
        add-br other nobr 5
        add-br other br0 5000
        list-br
        --real list-br
        --fake list-br
        br-to-vlan vlan10
        br-to-parent vlan10
        br-exists vlan10
        add-port vlan10 tap0 -- set interface tap0 type=tap
        port-to-br tap0
        iface-to-br tap0
        list-ports vlan10
        list-ports br0
        list-ifaces vlan10
        br-set-external-id vlan10 owner me
        br-get-external-id vlan10 owner
        br-get-external-id vlan10
        get-controller vlan10
        show

        add-br vlan20 br0 20 -- set-fail-mode br0 secure
        del-br vlan10
        list-br
        list-ports br0
        """),
    Chapter("ports of each type", f"""
        {_BR0}
        add-br br1 -- set bridge br1 datapath_type=netdev
        add-port br0 int0 -- set interface int0 type=internal mtu_request=1400 ofport_request=7
        add-port br0 int1 -- set interface int1 type=internal mac=\\"02:00:00:00:00:01\\"
        add-port br0 tap0 -- set interface tap0 type=tap
        add-port br0 veth0
        add-port br0 veth1 -- set interface veth1 type=system external_ids:iface-id=vm1
        --may-exist add-port br0 veth0
        add-port br0 veth0
        add-port br1 veth0
        --may-exist add-port br1 veth0
        add-port br0 pa -- set interface pa type=patch options:peer=pb

        add-port br1 pb -- set interface pb type=patch options:peer=pa
        get interface int0 ofport
        get interface int0 mtu
        get interface int1 mac_in_use
        get interface veth0 admin_state
        get interface pa ofport

        add-port br0 nosuch0
        add-port br0 wrong0 -- set interface wrong0 type=nonsense
        add-port br0 pc -- set interface pc type=patch
        add-port br0 int2 -- set interface int2 type=internal mtu_request=90000
        add-port br0 vxlan0 -- set interface vxlan0 type=vxlan options:remote_ip=192.0.2.1 options:key=7
        add-port br0 gre0 -- set interface gre0 type=gre options:remote_ip=192.0.2.2
        add-port br0 geneve0 -- set interface geneve0 type=geneve options:remote_ip=flow options:key=flow
        add-port br0 dpdk0 -- set interface dpdk0 type=dpdk options:dpdk-devargs=net_null0
        add-port br0 vhu0 -- set interface vhu0 type=dpdkvhostuser
        add-port br0 vhuc0 -- set interface vhuc0 type=dpdkvhostuserclient options:vhost-server-path=/nosuch/vhuc0
        list-ports br0
        list-ports br1
        list-ifaces br0
        port-to-br pb
        port-to-br nosuch
        iface-to-br pb
        iface-to-br nosuch

        set interface int0 ofport_request=99 mtu_request=1300
        set interface tap0 mtu_request=1400
        set interface tap0 type=internal
        del-port br0 int1
        del-port pb -- del-port pa
        del-port br1 veth0
        del-port nosuch
        --if-exists del-port nosuch
        --if-exists del-port br1 veth0
        --with-iface del-port veth0
        --if-exists --with-iface del-port veth0
        list-ports br0
        """),
    Chapter("VLANs", f"""
        {_BR0}
        add-port br0 int0 tag=10 -- set interface int0 type=internal
        add-port br0 int1 trunks=[20,21,22] -- set interface int1 type=internal
        add-port br0 int2 tag=30 vlan_mode=native-untagged trunks=31,32 -- set interface int2 type=internal
        add-port br0 int3 tag=30 vlan_mode=native-tagged -- set interface int3 type=internal
        get port int0 tag
        get port int1 trunks

        set port int0 tag=11
        set port int0 trunks=40
        set port int0 tag=5000
        set port int0 tag=4095
        set port int0 vlan_mode=sideways
        add port int1 trunks 23
        remove port int1 trunks 20 21
        get port int1 trunks
        set port int3 vlan_mode=dot1q-tunnel
        set port int3 cvlans=5 other_config:qinq-ethtype=802.1q
        set port int2 other_config:priority-tags=true
        clear port int0 tag trunks
        set bridge br0 flood_vlans=10,11
        """),
    Chapter("bonds", f"""
        {_BR0}
        add-bond br0 bond0 tap0 tap1 -- set interface tap0 type=tap -- set interface tap1 type=tap
        add-bond br0 bond0 tap0 tap1
        --may-exist add-bond br0 bond0 tap0 tap1
        --may-exist add-bond br0 bond0 tap0 tap2
        set port bond0 bond_mode=balance-slb lacp=active bond_updelay=100 bond_downdelay=100 other_config:lacp-time=fast
        list-ports br0
        list-ifaces br0
        iface-to-br tap1
        get port bond0 bond_mode
        set port bond0 bond_mode=nonsense
        set port bond0 lacp=sometimes

        add-bond-iface br0 bond0 tap2 -- set interface tap2 type=tap
        del-bond-iface br0 bond0 tap0
        --fake-iface add-bond br0 bond1 tap3 tap4 tag=5 -- set interface tap3 type=tap -- set interface tap4 type=tap
        del-port br0 bond0
        """),
    Chapter("mirrors, QoS and collectors", f"""
        {_BR0}
        add-port br0 int0 -- set interface int0 type=internal
        add-port br0 int1 -- set interface int1 type=internal
        -- set bridge br0 mirrors=@m -- --id=@int0 get port int0 -- --id=@int1 get port int1 -- --id=@m create mirror name=m0 select_dst_port=@int0 select_src_port=@int0 output_port=@int1
        list mirror m0
        get mirror m0 name
        set mirror m0 select_all=true snaplen=100
        set mirror m0 snaplen=1

        set port int0 qos=@q -- --id=@q create qos type=linux-htb other_config:max-rate=10000000 queues:0=@q0 queues:1=@q1 -- --id=@q0 create queue other_config:min-rate=1000000 -- --id=@q1 create queue other_config:max-rate=5000000 dscp=10
        set interface int0 ingress_policing_rate=1000 ingress_policing_burst=100
        set interface int1 ingress_policing_kpkts_rate=100 ingress_policing_kpkts_burst=10
        get qos linux-htb nosuch
        set qos linux-htb type=linux-hfsc
        clear port int0 qos
        --all destroy qos
        --all destroy queue

        -- set bridge br0 netflow=@n -- --id=@n create netflow targets=\\"192.0.2.1:5566\\" active_timeout=60
        -- set bridge br0 sflow=@s -- --id=@s create sflow agent=br0 targets=\\"192.0.2.1:6343\\" header=128 sampling=64 polling=10
        -- set bridge br0 ipfix=@i -- --id=@i create ipfix targets=\\"192.0.2.1:4739\\" sampling=64
        -- --id=@br0 get bridge br0 -- --id=@cs create flow_sample_collector_set id=1 bridge=@br0 ipfix=@i -- --id=@i create ipfix targets=\\"192.0.2.1:4739\\"
        -- --all destroy flow_sample_collector_set -- clear bridge br0 netflow -- clear bridge br0 sflow -- clear bridge br0 ipfix
        remove bridge br0 mirrors m0
        clear bridge br0 mirrors
        """),
    Chapter("controllers, managers and TLS", f"""
        {_BR0}
        get-controller br0
        get-fail-mode br0
        set-controller br0 tcp:127.0.0.1:1 ptcp:0:127.0.0.1
        get-controller br0
        set-fail-mode br0 secure
        get-fail-mode br0
        set-fail-mode br0 sideways
        set-fail-mode nobr secure
        set controller tcp\\:127.0.0.1\\:1 max_backoff=2000 inactivity_probe=10000 connection_mode=out-of-band controller_rate_limit=200 controller_burst_limit=50
        set controller tcp\\:127.0.0.1\\:1 enable_async_messages=false controller_queue_size=50
        set controller ptcp\\:0\\:127.0.0.1 max_backoff=100
        set controller br0 max_backoff=9

        set-controller br0 tcp:127.0.0.1:2
        set-controller br0 nonsense:127.0.0.1
        set controller br0 connection_mode=in-band local_ip=192.0.2.9 local_netmask=255.255.255.0 local_gateway=192.0.2.1
        del-controller br0
        del-controller br0
        del-fail-mode br0
        set-controller nobr tcp:127.0.0.1:1

        get-manager
        set-manager ptcp:0:127.0.0.1 tcp:127.0.0.1:1
        get-manager
        set manager tcp\\:127.0.0.1\\:1 inactivity_probe=7000 max_backoff=2000

        del-manager
        get-ssl
        set-ssl /nosuch/key.pem /nosuch/cert.pem /nosuch/ca.pem
        get-ssl
        --bootstrap set-ssl /nosuch/key.pem /nosuch/cert.pem /nosuch/ca.pem
        get-ssl
        del-ssl
        """),
    Chapter("spanning trees, snooping and flow tables", f"""
        {_BR0}
        add-port br0 tap0 -- set interface tap0 type=tap
        set bridge br0 stp_enable=true other_config:stp-priority=0x7800
        set port tap0 other_config:stp-path-cost=10

        set bridge br0 stp_enable=false rstp_enable=true other_config:rstp-priority=4096

        set bridge br0 rstp_enable=false
        set bridge br0 mcast_snooping_enable=true other_config:mcast-snooping-disable-flood-unregistered=true
        set port tap0 other_config:mcast-snooping-flood=true
        set port tap0 protected=true
        -- --id=@t0 create flow_table name=first flow_limit=100 overflow_policy=evict groups=\\"NXM_OF_IN_PORT[]\\" -- --id=@t1 create flow_table name=second flow_limit=5 -- set bridge br0 flow_tables:0=@t0 flow_tables:1=@t1
        get flow_table first flow_limit
        set flow_table first overflow_policy=perhaps
        remove bridge br0 flow_tables 1
        set bridge br0 auto_attach=@a -- --id=@a create AutoAttach system_name=here system_description=there
        clear bridge br0 auto_attach
        set interface tap0 lldp:enable=true
        set interface tap0 bfd:enable=true bfd:min_tx=1000
        set interface tap0 cfm_mpid=5
        set interface tap0 bfd:enable=false lldp:enable=false -- clear interface tap0 cfm_mpid
        """),
    Chapter("the database's own verbs", f"""
        {_BR0}
        add-port br0 tap0 -- set interface tap0 type=tap
        --columns=name,ofport,type list interface tap0
        --columns=name find interface type=tap
        --columns=name find interface type=tap ofport=77
        --bare --columns=name find bridge datapath_type=netdev
        --format=csv --no-headings --columns=name,tag list port tap0
        --format=json --columns=name,tag list port tap0
        --format=table --columns=name,stp_enable list bridge
        get bridge br0 stp_enable fail_mode other_config
        get bridge br0 other_config:nosuch
        --if-exists get bridge br0 other_config:nosuch
        --if-exists get bridge nobr name
        get bridge nobr name
        get bridge br0 nosuch
        get nosuch br0 name
        list interface nosuch
        --if-exists list interface nosuch
        set interface tap0 external_ids:a=b external_ids:c=d
        add interface tap0 external_ids e=f
        add interface tap0 external_ids e=g
        remove interface tap0 external_ids a
        remove interface tap0 external_ids c=nosuch
        get interface tap0 external_ids
        clear interface tap0 external_ids
        clear interface tap0 name
        set interface tap0 ofport_request=many
        set interface tap0 ofport_request=70000
        set interface tap0 nosuch=1
        set bridge br0 name=br9
        set port tap0 tag={{1,2}}
        --if-exists set interface nosuch type=tap
        set interface nosuch type=tap

        wait-until interface tap0 ofport>0
        wait-until bridge br0 name=br0 datapath_type=netdev
        wait-until interface tap0 type{{=}}tap,system
        --timeout=1 wait-until interface tap0 ofport=99
        destroy bridge nosuch
        --if-exists destroy bridge nosuch
        create bridge name=loose
        create qos type=linux-htb other_config:max-rate=1
        --all destroy qos
        comment what we did
        add-br
        add-port br0
        nonsense br0
        --may-exist del-br br0
        --nonsense list-br
        """),
    Chapter("transactions", f"""
        {_BR0} -- add-port br0 tap0 -- set interface tap0 type=tap ofport_request=5 -- add-port br0 int0 tag=9 -- set interface int0 type=internal -- get bridge br0 name
        add-port br0 tap1 -- set interface tap1 type=tap -- add-port br0 tap1
        list-ports br0
        -- --id=@i create interface name=int1 type=internal -- --id=@p create port name=int1 interfaces=@i -- add bridge br0 ports @p
        -- --id=@i create interface name=int2 type=internal -- --id=@p create port name=int2 interfaces=@nosuch -- add bridge br0 ports @p
        add-br br1 -- set bridge br1 datapath_type=netdev -- --id=@p get port tap0 -- remove bridge br0 ports @p -- add bridge br1 ports @p
        --no-wait set bridge br0 external_ids:x=y
        --no-wait --dry-run add-br br7
        --oneline list-ports br0 -- list-ports br1
        del-port int0 -- add-port br0 int0 -- set interface int0 type=internal
        del-br br0 -- {_BR0} -- set bridge br0 fail_mode=secure

        del-port tap0 -- add-port br0 tap0 tag=4 -- set interface tap0 type=internal
        rename
        -- del-br br0 -- del-br br1
        list-br
        """),
    Chapter("emer-reset", f"""
        {_BR0} stp_enable=true other_config:hwaddr=02:00:00:00:00:aa external_ids:keep=me
        set-fail-mode br0 secure -- set-controller br0 tcp:127.0.0.1:1 -- set-manager tcp:127.0.0.1:1 -- set-ssl /nosuch/key.pem /nosuch/cert.pem /nosuch/ca.pem
        add-port br0 int0 tag=5 other_config:stp-path-cost=10 -- set interface int0 type=internal other_config:x=y ingress_policing_rate=1000 external_ids:keep=me
        -- set port int0 qos=@q -- --id=@q create qos type=linux-htb
        -- set bridge br0 mirrors=@m -- --id=@m create mirror name=m0 select_all=true

        emer-reset
        list-ports br0
        get-fail-mode br0
        """),
    Chapter("settings of the switch", """
        set Open_vSwitch . external_ids:system-id=here external_ids:hostname=host
        get Open_vSwitch . external_ids:system-id
        set Open_vSwitch . system_type=Turnout system_version=1
        set Open_vSwitch . other_config:n-handler-threads=1
        set Open_vSwitch . other_config:enable-statistics=true

        remove Open_vSwitch . other_config enable-statistics
        list-zone-tp netdev
        add-zone-tp netdev zone=1 icmp_first=2 icmp_reply=3
        set Open_vSwitch . datapaths:netdev=@d -- --id=@d create Datapath datapath_version=0
        add-zone-tp netdev zone=1 icmp_first=2 icmp_reply=3
        add-zone-tp netdev zone=1 icmp_first=2
        --may-exist add-zone-tp netdev zone=1 icmp_first=2
        list-zone-tp netdev
        list-dp-cap netdev

        del-zone-tp netdev zone=1
        del-zone-tp netdev zone=1
        --if-exists del-zone-tp netdev zone=1
        clear Open_vSwitch . datapaths

        set-manager ptcp:0:127.0.0.1 -- get-manager -- del-manager -- get-manager
        set Open_vSwitch . other_config:vlan-limit=2 other_config:flow-restore-wait=true other_config:pmd-cpu-mask=0x2
        get Open_vSwitch . ovs_version
        get Open_vSwitch . dpdk_initialized
        init
        set Open_vSwitch . other_config:stats-update-interval=10000
        --retry list-br
        """),
]  # fmt: skip
RESET = (
    "-- --all destroy flow_sample_collector_set -- del-manager -- del-ssl -- clear Open_vSwitch . bridges"
    " -- clear Open_vSwitch . other_config -- clear Open_vSwitch . external_ids"
    " -- clear Open_vSwitch . system_type -- clear Open_vSwitch . system_version",
    "-- --all destroy qos -- --all destroy queue",
)
