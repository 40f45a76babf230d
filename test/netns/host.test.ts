import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { describeHost } from './host-behaviour.ts';

describeHost('FakeHost', () => {
  const paths = { host: '/run/netns/outside', sandbox: '/run/netns/inside' };
  const host = new FakeHost({ namespaces: { [paths.host]: {}, [paths.sandbox]: {} } });
  const namespaces = { host: host.open(paths.host), sandbox: host.open(paths.sandbox) };
  return { host, namespaces, paths, [Symbol.dispose]: () => {} };
});

describe('a real kernel', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  describeHost('LinuxHost', () => {
    const host = openLinuxHost();
    const outside = makeNetns('host-');
    const inside = makeNetns('sandbox-');
    const namespaces = { host: host.open(outside.path), sandbox: host.open(inside.path) };
    const close = (): void => {
      for (const each of [namespaces.host, namespaces.sandbox, host, outside, inside]) each[Symbol.dispose]();
    };
    return { host, namespaces, paths: { host: outside.path, sandbox: inside.path }, [Symbol.dispose]: close };
  });
});
