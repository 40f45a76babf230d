/** Options of a rule itself that only match. */
const OWN: ReadonlySet<string> = new Set([
  ...['-s', '--source', '--src', '-d', '--destination', '--dst', '-i', '--in-interface', '-f', '--fragment'],
]);

/**
 * Options by match, from iptables-extensions(8): those that only look at the packet. Not here: `recent`, `quota` and
 * `nfacct`, which write, and `set --update-counters`.
 */
const MATCHES: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    addrtype: '--src-type --dst-type --limit-iface-in',
    comment: '--comment',
    connlimit: '--connlimit-upto --connlimit-above --connlimit-mask --connlimit-saddr --connlimit-daddr',
    connmark: '--mark',
    conntrack:
      '--ctstate --ctproto --ctorigsrc --ctorigdst --ctreplsrc --ctrepldst --ctorigsrcport --ctorigdstport --ctreplsrcport --ctrepldstport --ctstatus --ctexpire --ctdir',
    cpu: '--cpu',
    devgroup: '--src-group',
    dscp: '--dscp --dscp-class',
    ecn: '--ecn-tcp-cwr --ecn-tcp-ece --ecn-ip-ect',
    hashlimit:
      '--hashlimit-upto --hashlimit-above --hashlimit-burst --hashlimit-mode --hashlimit-srcmask --hashlimit-dstmask --hashlimit-name --hashlimit-htable-size --hashlimit-htable-max --hashlimit-htable-expire --hashlimit-htable-gcinterval',
    helper: '--helper',
    hl: '--hl-eq --hl-lt --hl-gt',
    iprange: '--src-range --dst-range',
    length: '--length',
    limit: '--limit --limit-burst',
    mac: '--mac-source',
    mark: '--mark',
    multiport: '--source-ports --sports --destination-ports --dports --ports',
    physdev: '--physdev-in --physdev-is-in --physdev-is-bridged',
    pkttype: '--pkt-type',
    policy: '--dir --pol --strict --reqid --spi --proto --mode --tunnel-src --tunnel-dst --next',
    realm: '--realm',
    rpfilter: '--loose --validmark --accept-local --invert',
    sctp: '--source-port --sport --destination-port --dport --chunk-types',
    set: '--match-set --return-nomatch',
    socket: '--transparent --nowildcard',
    state: '--state',
    statistic: '--mode --probability --every --packet',
    string: '--algo --from --to --string --hex-string --icase',
    tcp: '--source-port --sport --destination-port --dport --tcp-flags --syn --tcp-option',
    tcpmss: '--mss',
    time: '--datestart --datestop --timestart --timestop --contiguous --weekdays --monthdays --kerneltz',
    tos: '--tos',
    ttl: '--ttl-eq --ttl-lt --ttl-gt',
    u32: '--u32',
    udp: '--source-port --sport --destination-port --dport',
  }).map(([name, options]) => [name, new Set(options.split(' '))]),
);

/**
 * Splits the conditions into words: one word per item, as in the reference, or a match with its values in one string.
 */
export function conditionWords(conditions: readonly string[]): string[] {
  return conditions.flatMap((text) => (/^[-!]/.test(text) ? text.split(/ +/).filter(Boolean) : [text]));
}

/**
 * Returns the first of the words that is not part of a match; undefined if all are. Options have to be written out:
 * iptables takes every abbreviation that it finds unique.
 */
export function notMatching(words: readonly string[]): string | undefined {
  const allowed = new Set(OWN);
  let needsModule = false;
  for (const word of words) {
    if (/[\p{C}]/u.test(word)) return word;
    if (needsModule) {
      const options = MATCHES.get(word);
      if (options === undefined) return word;
      for (const option of options) allowed.add(option);
      needsModule = false;
    } else if (word === '-m' || word === '--match') needsModule = true;
    else if (word.startsWith('-') && !allowed.has(optionOf(word))) return word;
  }
  return needsModule ? words.at(-1) : undefined;
}

/** `--sport=80` and `-s10.0.0.0/8` have the value in one word with the option. */
function optionOf(word: string): string {
  return word.startsWith('--') ? (word.split('=', 1)[0] ?? word) : word.slice(0, 2);
}
