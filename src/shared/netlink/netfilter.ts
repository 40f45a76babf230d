/** Numbers of the kernel's packet filter and connection tracking, under the kernel's names, by header. */

// linux/netfilter/nfnetlink.h, nf_tables.h
export const NFNL_MSG_BATCH_BEGIN = 16;
export const NFNL_MSG_BATCH_END = 17;
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_BATCH_GENID = 1;
export const NFPROTO_BRIDGE = 7;
export const NFT_MSG_GETTABLE = 1;
export const NFT_MSG_DELTABLE = 2;
export const NFT_MSG_NEWGEN = 15;
export const NFT_MSG_GETGEN = 16;
export const NFTA_TABLE_NAME = 1;
export const NFTA_GEN_ID = 1;
export const NFTA_GEN_PROC_PID = 2;
export const NFTA_GEN_PROC_NAME = 3;
/** Multicast group of changes to the ruleset. linux/netfilter/nfnetlink.h */
export const NFNLGRP_NFTABLES = 7;
export const NFT_MSG_NEWCHAIN = 3;
export const NFT_MSG_DELSET = 11;

// linux/netfilter/nf_tables.h, linux/netfilter.h: rules and chains
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;
export const NFT_MSG_GETCHAIN = 4;
export const NFT_MSG_DELCHAIN = 5;
export const NFT_MSG_NEWRULE = 6;
export const NFT_MSG_GETRULE = 7;
export const NFT_MSG_DELRULE = 8;
export const NFTA_CHAIN_TABLE = 1;
export const NFTA_CHAIN_NAME = 3;
export const NFTA_CHAIN_POLICY = 5;
export const NFTA_RULE_TABLE = 1;
export const NFTA_RULE_CHAIN = 2;
export const NFTA_RULE_HANDLE = 3;
export const NFTA_RULE_EXPRESSIONS = 4;
export const NFTA_RULE_POSITION = 6;
export const NFTA_RULE_USERDATA = 7;
export const NFTA_LIST_ELEM = 1;
export const NFTA_EXPR_NAME = 1;
export const NFTA_EXPR_DATA = 2;
export const NFTA_META_DREG = 1;
export const NFTA_META_KEY = 2;
export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
export const NFTA_CMP_SREG = 1;
export const NFTA_CMP_OP = 2;
export const NFTA_CMP_DATA = 3;
export const NFT_CMP_EQ = 0;
export const NFTA_RANGE_SREG = 1;
export const NFTA_RANGE_OP = 2;
export const NFTA_RANGE_FROM_DATA = 3;
export const NFTA_RANGE_TO_DATA = 4;
export const NFT_RANGE_NEQ = 1;
export const NFTA_PAYLOAD_DREG = 1;
export const NFTA_PAYLOAD_BASE = 2;
export const NFTA_PAYLOAD_OFFSET = 3;
export const NFTA_PAYLOAD_LEN = 4;
export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFTA_BITWISE_SREG = 1;
export const NFTA_BITWISE_DREG = 2;
export const NFTA_BITWISE_LEN = 3;
export const NFTA_BITWISE_MASK = 4;
export const NFTA_BITWISE_XOR = 5;
export const NFTA_DATA_VALUE = 1;
export const NFTA_DATA_VERDICT = 2;
export const NFTA_VERDICT_CODE = 1;
export const NFTA_VERDICT_CHAIN = 2;
export const NFTA_IMMEDIATE_DREG = 1;
export const NFTA_IMMEDIATE_DATA = 2;
/** NFTA_MATCH_NAME and NFTA_TARGET_NAME; the INFO of both is 3. */
export const NFTA_XT_NAME = 1;
export const NFTA_XT_REV = 2;
export const NFTA_XT_INFO = 3;
export const NFT_REG_VERDICT = 0;
export const NFT_REG_1 = 1;
export const NFTNL_UDATA_RULE_COMMENT = 0;
export const NF_DROP = 0;
export const NF_ACCEPT = 1;
export const NFT_JUMP = 0xfffffffd;
export const NFT_GOTO = 0xfffffffc;
export const NFT_RETURN = 0xfffffffb;

// linux/netfilter/nfnetlink_conntrack.h
export const NFNL_SUBSYS_CTNETLINK = 1;
export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_DELETE = 2;
export const IPCTNL_MSG_CT_GET_STATS = 5;
export const CTA_TUPLE_ORIG = 1;
export const CTA_ID = 12;
export const CTA_ZONE = 18;
export const CTA_FILTER = 25;
export const CTA_TUPLE_IP = 1;
export const CTA_TUPLE_PROTO = 2;
export const CTA_IP_V4_SRC = 1;
export const CTA_IP_V4_DST = 2;
export const CTA_IP_V6_SRC = 3;
export const CTA_IP_V6_DST = 4;
export const CTA_PROTO_NUM = 1;
export const CTA_PROTO_SRC_PORT = 2;
export const CTA_PROTO_DST_PORT = 3;
export const CTA_FILTER_ORIG_FLAGS = 1;
export const CTA_FILTER_REPLY_FLAGS = 2;
export const CTA_STATS_GLOBAL_ENTRIES = 1;
/** net/netfilter/nf_conntrack_netlink.c: bits of CTA_FILTER_ORIG_FLAGS. */
export const CTA_FILTER_F_IP_DST = 1 << 1;
export const CTA_FILTER_F_PROTO_NUM = 1 << 3;
export const CTA_FILTER_F_PROTO_DST_PORT = 1 << 5;

// linux/netfilter/nf_tables.h: elements of sets
export const NFPROTO_INET = 1;
export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_GETSETELEM = 13;
export const NFT_MSG_DELSETELEM = 14;
export const NFTA_SET_ELEM_LIST_TABLE = 1;
export const NFTA_SET_ELEM_LIST_SET = 2;
export const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
export const NFTA_SET_ELEM_KEY = 1;
export const NFTA_SET_ELEM_DATA = 2;
export const NFTA_SET_ELEM_FLAGS = 3;
export const NFTA_SET_ELEM_KEY_END = 10;
export const NFT_SET_ELEM_INTERVAL_END = 1;
export const NFTA_SET_ELEM_USERDATA = 6;
export const NFTNL_UDATA_SET_ELEM_COMMENT = 0;

// linux/netfilter/nf_tables.h, linux/netfilter_bridge.h: creation of a table
export const NFT_MSG_NEWTABLE = 0;
export const NFT_MSG_NEWSET = 9;
export const NFTA_CHAIN_HOOK = 4;
export const NFTA_CHAIN_TYPE = 7;
export const NFTA_HOOK_HOOKNUM = 1;
export const NFTA_HOOK_PRIORITY = 2;
export const NF_BR_PRE_ROUTING = 0;
export const NF_BR_FORWARD = 2;
export const NFTA_SET_TABLE = 1;
export const NFTA_SET_NAME = 2;
export const NFTA_SET_KEY_TYPE = 4;
export const NFTA_SET_KEY_LEN = 5;
export const NFTA_SET_ID = 10;
export const NFTA_SET_USERDATA = 13;
export const NFT_META_PROTOCOL = 1;
export const NFT_META_L4PROTO = 16;
export const NFT_META_PKTTYPE = 19;
export const NFT_META_SECPATH = 25;
export const NFT_RT_XFRM = 4;
export const NFT_REG_2 = 2;
export const NFT_REG32_01 = 9;
export const NFT_CMP_NEQ = 1;
export const NFT_PAYLOAD_LL_HEADER = 0;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
export const NFTA_LOOKUP_SET = 1;
export const NFTA_LOOKUP_SREG = 2;
export const NFTA_LOOKUP_DREG = 3;
export const NFTA_LOOKUP_FLAGS = 5;
export const NFT_LOOKUP_F_INV = 1;
export const NFT_META_NFPROTO = 15;
export const NFTA_RULE_COMPAT = 5;
export const NFTA_RULE_COMPAT_PROTO = 1;
export const NFTA_RULE_COMPAT_FLAGS = 2;
export const NFTA_FIB_DREG = 1;
export const NFTA_FIB_RESULT = 2;
export const NFTA_FIB_FLAGS = 3;
export const NFT_FIB_RESULT_ADDRTYPE = 3;
export const NFTA_FIB_F_DADDR = 2;
export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_LOCAL_OUT = 3;

// linux/netfilter/x_tables.h, linux/netfilter_ipv4/ip_tables.h: iptables-legacy
export const SOL_IP = 0;
export const SOL_IPV6 = 41;
export const IPPROTO_RAW = 255;
export const IPT_SO_GET_INFO = 64;
export const IPT_SO_GET_ENTRIES = 65;
export const IPT_F_GOTO = 2;
export const IP6T_F_GOTO = 4;
export const NF_INET_LOCAL_IN = 1;
export const NF_INET_FORWARD = 2;
export const XT_RETURN = -5;

// linux/netfilter/nf_tables.h, linux/netfilter.h: what others' rules look at
export const NFT_META_IIF = 4;
export const NFT_META_OIF = 5;
export const NFT_CT_STATE = 0;
export const NFT_CT_STATUS = 2;
export const NFT_REG32_00 = 8;
export const NF_INET_POST_ROUTING = 4;
export const NFTA_META_SREG = 3;
export const NFT_META_NFTRACE = 12;

// linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h: traces
export const NFNLGRP_NFTRACE = 9;
export const NFT_MSG_TRACE = 17;
export const NFTA_TRACE_TABLE = 1;
export const NFTA_TRACE_CHAIN = 2;
export const NFTA_TRACE_RULE_HANDLE = 3;
export const NFTA_TRACE_TYPE = 4;
export const NFTA_TRACE_VERDICT = 5;
export const NFTA_TRACE_ID = 6;
export const NFTA_TRACE_NETWORK_HEADER = 8;
export const NFTA_TRACE_POLICY = 16;
export const NFT_TRACETYPE_POLICY = 1;
export const NFT_TRACETYPE_RULE = 3;
export const NFTA_TABLE_FLAGS = 2;
export const NFT_TABLE_F_DORMANT = 1;
export const NFT_TABLE_F_OWNER = 2;
