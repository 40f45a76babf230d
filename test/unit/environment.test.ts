import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { COMMANDS, type Environment, parseEnvironment } from '../../src/shared/runtime/environment.ts';

const FULL: Environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1.a_b-C',
  CNI_NETNS: '/run/netns/pod',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IP=10.0.0.2',
  CNI_PATH: '/opt/cni/bin::/usr/lib/cni',
};

function refusal(env: Environment): NetError {
  try {
    parseEnvironment(env);
  } catch (error) {
    assert.ok(error instanceof NetError);
    assert.equal(error.cniCode, 4, error.message);
    return error;
  }
  return assert.fail(`${JSON.stringify(env)} was taken`);
}

describe('environment', () => {
  it('is parsed with all variables; empty parts of CNI_PATH are dropped', () => {
    assert.deepEqual(parseEnvironment(FULL), {
      command: 'ADD',
      containerId: 'c1.a_b-C',
      netns: '/run/netns/pod',
      ifName: 'eth0',
      args: 'IP=10.0.0.2',
      path: ['/opt/cni/bin', '/usr/lib/cni'],
      ownNamespace: false,
    });
  });

  it('requires what the specification requires of each command, and names everything missing', () => {
    const missing = COMMANDS.map((command) => {
      try {
        parseEnvironment({ CNI_COMMAND: command });
        return [command, ''];
      } catch (error) {
        return [command, error instanceof NetError ? error.subject : String(error)];
      }
    });
    assert.deepEqual(Object.fromEntries(missing), {
      ADD: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME',
      CHECK: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME',
      DEL: 'CNI_CONTAINERID, CNI_IFNAME',
      STATUS: '',
      GC: '',
      VERSION: '',
    });
  });

  it('may lack CNI_NETNS for DEL', () => {
    const { CNI_NETNS, ...rest } = FULL;
    assert.equal(parseEnvironment({ ...rest, CNI_COMMAND: 'DEL' }).netns, '');
  });

  it('is not checked for variables that STATUS and GC do not need', () => {
    for (const CNI_COMMAND of ['STATUS', 'GC', 'VERSION']) {
      parseEnvironment({ CNI_COMMAND, CNI_CONTAINERID: '../x', CNI_IFNAME: 'far/too/long/for/a/name' });
    }
  });

  for (const value of ['1', 'true', 'TRUE']) {
    it(`CNI_NETNS_OVERRIDE=${value} permits the host's namespace as the sandbox`, () => {
      assert.equal(parseEnvironment({ ...FULL, CNI_NETNS_OVERRIDE: value }).ownNamespace, true);
    });
  }
  for (const value of ['', '0', 'yes', 'false']) {
    it(`CNI_NETNS_OVERRIDE=${value} does not`, () => {
      assert.equal(parseEnvironment({ ...FULL, CNI_NETNS_OVERRIDE: value }).ownNamespace, false);
    });
  }

  it('accepts an interface name of 15 bytes and rejects one of 16', () => {
    assert.equal(parseEnvironment({ ...FULL, CNI_IFNAME: 'e'.repeat(15) }).ifName.length, 15);
    assert.match(refusal({ ...FULL, CNI_IFNAME: 'e'.repeat(16) }).message, /CNI_IFNAME=e{16}: is longer than 15 bytes/);
    assert.match(refusal({ ...FULL, CNI_IFNAME: `${'ä'.repeat(7)}xy` }).message, /15 bytes/);
  });

  it('names the malformed variable with its value, on one line', () => {
    assert.match(refusal({ ...FULL, CNI_COMMAND: 'add' }).message, /^environment CNI_COMMAND=add: is not one of ADD, /);
    assert.match(refusal({ ...FULL, CNI_CONTAINERID: 'a\nb' }).message, /^environment CNI_CONTAINERID=a b: /);
    assert.match(refusal({ ...FULL, CNI_IFNAME: '..' }).message, /^environment CNI_IFNAME=\.\.: /);
  });
});
