import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { encryptedPort } from '../../src/shared/config/overlay.ts';
import { roomOf, underlayFor } from '../../src/shared/model/overlay-room.ts';

/** Bytes on the wire of a packet of `size`: RFC 4303, section 2; RFC 4106; RFC 7348, section 5. */
function onWire(size: number, family: 4 | 6, isEncrypted: boolean): number {
  const [ip, udp, vxlan, ethernet] = [family === 4 ? 20 : 40, 8, 8, 14];
  const inner = udp + vxlan + ethernet + size;
  if (!isEncrypted) return ip + inner;
  const [spiAndSequence, iv, trailer, tag] = [8, 8, 2, 16];
  const padded = Math.ceil((inner + trailer) / 4) * 4;
  return ip + spiAndSequence + iv + padded + tag;
}

describe('room for the headers of an overlay', () => {
  for (const family of [4, 6] as const)
    for (const isEncrypted of [false, true])
      it(`IPv${family}${isEncrypted ? ', encrypted' : ''}: the largest MTU of which every packet fits`, () => {
        fc.assert(
          fc.property(fc.integer({ min: 1280, max: 9216 }), (mtu) => {
            const room = roomOf(mtu, family, isEncrypted);
            for (let size = room - 8; size <= room; size++) assert.ok(onWire(size, family, isEncrypted) <= mtu);
            assert.ok(onWire(room + 1, family, isEncrypted) > mtu);
            const needed = underlayFor(room, family, isEncrypted);
            assert.ok(needed <= mtu && roomOf(needed, family, isEncrypted) >= room);
            assert.ok(roomOf(underlayFor(mtu, family, isEncrypted), family, isEncrypted) >= mtu);
          }),
        );
      });

  it('has a port of its own', () => {
    assert.deepEqual([4789, 1, 65_534, 65_535].map(encryptedPort), [4790, 2, 65_535, 65_534]);
  });
});
