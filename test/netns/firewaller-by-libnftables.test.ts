import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { NFT_TOOLS } from '../support/filter-tools.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';

describeFirewaller('nftables by libnftables', (ns) => new NftablesFirewaller(ns, 'libnftables'), NFT_TOOLS);
