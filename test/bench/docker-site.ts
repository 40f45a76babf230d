import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadImage, startDocker } from '../support/docker.ts';
import { makeTestHost, type TestHost } from '../support/test-host.ts';
import { built, daemonFile } from '../support/via.ts';
import { DockerClient } from './docker-client.ts';

/** A host with its own dockerd, and our daemon where dockerd finds plugins. */
export interface DockerSite extends AsyncDisposable {
  readonly host: TestHost;
  readonly client: DockerClient;
  /** File with a line for each call of dockerd. */
  readonly log: string;
  /** Path of our executable in the host. */
  readonly program: string;
}

const LOG = '/run/isth/log/isthmus';
const SOCKET = '/run/docker.sock';

/** Waits until both answer and the image is loaded. ISTHMUS_TEST_DIST names another build. */
export async function startDockerSite(): Promise<DockerSite> {
  const dist = process.env.ISTHMUS_TEST_DIST;
  const file = built(dist === undefined ? daemonFile : join(dist, 'cnm-shim'));
  await using made = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'isth-docker-'));
  made.defer(() => rmSync(dir, { recursive: true, force: true }));
  const program = join(dir, 'cnm-shim');
  // Copied, so that a build meanwhile does not change them.
  copyFileSync(file, program);
  const host = made.use(await makeTestHost());
  const log = host.outside(LOG);
  const serves = (): boolean => existsSync(log) && readFileSync(log, 'utf8').includes('event=daemon.start');
  const daemon = await host.start('isthmus', [program, 'serve', '--log-level', 'info'], serves);
  made.defer(() => daemon.stop());
  const dockerd = await startDocker(host);
  made.defer(() => dockerd.stop());
  loadImage(host);
  const client = made.use(new DockerClient(host.outside(SOCKET)));
  const stack = made.move();
  return { host, client, log, program, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
