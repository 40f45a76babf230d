import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { NFT_TOOLS } from '../support/filter-tools.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';

describeFirewaller('nftables by nft', (ns) => new NftablesFirewaller(ns, 'nft'), NFT_TOOLS);
