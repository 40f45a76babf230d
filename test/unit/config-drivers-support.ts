import { strict as assert } from 'node:assert';
import { documentOf } from '../../src/shared/config/document.ts';
import type { InterfaceDriver } from '../../src/shared/config/inside.ts';
import {
  type PluginConfig,
  type PluginName,
  parsePlugin,
  type Reading,
} from '../../src/shared/config/plugin-config.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Json } from '../../src/shared/model/json.ts';

/** Drivers that the reference has too. */
export type DropInDriver = Exclude<InterfaceDriver, 'remote'>;

/** The least that each of them needs. */
export const LEAST: Readonly<Record<DropInDriver, Json>> = {
  macvlan: {},
  ipvlan: {},
  vlan: { master: 'eth0', vlanId: 7 },
  ptp: {},
  dummy: {},
  tap: {},
  'host-device': { device: 'eth1' },
};
export const DRIVERS = Object.keys(LEAST) as DropInDriver[];

/** A parsed configuration of one of these drivers. */
export type InterfacePlugin = Extract<PluginConfig, { kind: 'interface' }>;

export const OWN_IPAM: readonly string[] = ['isthmus', 'host-local', 'static'];

/** Parses a configuration of one of these drivers as the plugin of this name reads it. */
export function parseAs(plugin: PluginName, json: Json, more: Partial<Reading> = {}): InterfacePlugin {
  const config = parsePlugin(documentOf({ cniVersion: '1.1.0', name: 'web', ...json }), {
    ...{ plugin, command: 'ADD', args: '', ifName: 'eth0', version: '1.1.0' },
    isOwn: (type) => OWN_IPAM.includes(type),
    ...more,
  });
  assert.ok(config.kind === 'interface', config.kind);
  return config;
}

/** Under the name isthmus, with the driver's least keys. */
export function parseOwn(driver: DropInDriver, json: Json = {}, more: Partial<Reading> = {}): InterfacePlugin {
  return parseAs('isthmus', { driver, ...LEAST[driver], ...json }, more);
}

/** Under the driver's own name, with its least keys. */
export function parseDropIn(driver: DropInDriver, json: Json = {}, more: Partial<Reading> = {}): InterfacePlugin {
  return parseAs(driver, { type: driver, ...LEAST[driver], ...json }, more);
}

/** The message of the NetError that `work` throws. */
export function refusal(work: () => unknown, kind: NetError['kind'] = 'invalid-config'): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.notEqual(error.hint, '');
    return error.message;
  }
  throw new assert.AssertionError({ message: 'it was accepted' });
}

/** Asserts that both names of a driver refuse the keys with a message that matches. */
export function assertRefused(driver: DropInDriver, json: Json, message: RegExp): void {
  assert.match(
    refusal(() => parseOwn(driver, json)),
    message,
  );
  assert.match(
    refusal(() => parseDropIn(driver, json)),
    message,
  );
}

/** Asserts that both names of a driver read the same options from the keys. */
export function assertOptions(driver: DropInDriver, json: Json, options: Json): void {
  assert.deepEqual(parseOwn(driver, json).options, { driver, ...options });
  assert.deepEqual(parseDropIn(driver, json).options, { driver, ...options });
}
