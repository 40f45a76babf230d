/**
 * The table of `bridge-table.ts` as text for `nft -f`, without an element. A test compares what the kernel shows of both:
 * nft has no words for some of the expressions that the raw messages need, and adds them itself.
 */
export const BRIDGE_TABLE_TEXT = `table bridge isthmus {
  set networks { type ifname; }
  set guarded { type ifname; }
  set macspoof { type ifname . ether_addr; }
  set bound { type ifname; }
  set allowed4 { type ifname . ipv4_addr; }
  set allowed6 { type ifname . ipv6_addr; }
  set leased4 { type ipv4_addr; }
  set leased6 { type ipv6_addr; }
  set allowed_target { typeof iifname . @nh,384,128; }
  set leased_target { typeof @nh,384,128; }
  set isolated { type ifname; }
  chain packets4 {
    iifname . ip saddr != @allowed4 ip saddr @leased4 iifname @bound drop
    meta protocol ip udp dport 68 iifname @bound drop
  }

  chain discovery {
    icmpv6 type nd-router-advert iifname @bound drop
    icmpv6 type nd-redirect iifname @bound drop
    ip6 nexthdr != ipv6-icmp icmpv6 type nd-neighbor-advert iifname @bound drop
    ip6 nexthdr != ipv6-icmp icmpv6 type nd-neighbor-solicit iifname @bound drop
    icmpv6 type nd-neighbor-advert iifname . @nh,384,128 != @allowed_target @nh,384,128 @leased_target iifname @bound drop
    icmpv6 type nd-neighbor-solicit ip6 saddr :: iifname . @nh,384,128 != @allowed_target @nh,384,128 @leased_target iifname @bound drop
  }

  chain packets6 {
    iifname . ip6 saddr != @allowed6 ip6 saddr @leased6 iifname @bound drop
    meta l4proto ipv6-icmp goto discovery
    meta protocol ip6 udp dport 546 iifname @bound drop
  }

  chain claims4 {
    arp htype != 1 iifname @bound drop
    iifname . arp saddr ether != @macspoof iifname @bound drop
    iifname . arp saddr ip != @allowed4 arp saddr ip @leased4 iifname @bound drop
  }

  chain claims {
    meta protocol ip goto packets4
    meta protocol ip6 goto packets6
    meta protocol arp goto claims4
    meta protocol 8021q iifname @bound drop
    meta protocol 8021ad iifname @bound drop
  }

  chain spoof {
    type filter hook prerouting priority dstnat; policy accept;
    iifname . ether saddr @macspoof goto claims
    iifname @guarded drop
  }

  chain isolation {
    type filter hook forward priority -300; policy accept;
    iifname @isolated oifname @isolated meta pkttype != host drop
  }
}
`;
