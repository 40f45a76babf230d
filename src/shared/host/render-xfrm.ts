import type { Op } from '../model/op.ts';
import { REPLAY_WINDOW } from '../model/xfrm.ts';
import { pair, type Word } from './render-words.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

/** What stands for a key wherever people read. */
const KEY = '<key>';

/** The SPI as `ip xfrm` prints it: `0x0000a1b2`. */
export function spiText(spi: number): string {
  return `0x${spi.toString(16).padStart(8, '0')}`;
}

export function stateWords(op: OpOf<'xfrm.state.add' | 'xfrm.state.delete'>): Word[] {
  const { src, dst, spi } = op.state;
  const id = ['src', src, 'dst', dst, 'proto', 'esp', 'spi', spiText(spi)];
  if (op.op === 'xfrm.state.delete') return id;
  const { reqid, seconds } = op.state;
  const order = ['flag', 'esn', 'replay-window', REPLAY_WINDOW];
  const limit = seconds === undefined ? [] : ['limit', 'time-hard', seconds];
  return [...id, 'reqid', reqid, 'mode', 'transport', ...order, 'aead', 'rfc4106(gcm(aes))', KEY, 128, ...limit];
}

export function policyWords(op: OpOf<'xfrm.policy.replace' | 'xfrm.policy.delete'>): Word[] {
  const { direction, family, src, dst, port, priority, through } = op.policy;
  const [any, length] = family === 4 ? ['0.0.0.0/0', 32] : ['::/0', 128];
  const whole = (address: string | undefined): string => (address === undefined ? any : `${address}/${length}`);
  const selector = ['src', whole(src), 'dst', whole(dst), 'proto', 'udp', 'dport', port, 'dir', direction];
  if (op.op === 'xfrm.policy.delete') return ['delete', ...selector];
  const action = through === undefined ? ['action', 'block'] : [];
  const template =
    through === undefined
      ? []
      : [
          ...['tmpl', 'src', src, 'dst', dst, 'proto', 'esp'],
          ...pair('spi', through.spi === 0 ? undefined : spiText(through.spi)),
          ...['reqid', through.reqid, 'mode', 'transport'],
        ];
  return ['update', ...selector, ...action, 'priority', priority, ...template];
}
