import { existsSync } from 'node:fs';
import { binDir, confDir } from './e2e.ts';
import { IMAGE, makeImage } from './image.ts';
import type { Daemon, TestHost } from './test-host.ts';

/** containerd's gRPC socket inside the host. */
export const SOCKET = '/run/containerd/containerd.sock';

const CONFIG = '/run/isth/containerd.toml';

/** containerd runs in the host, its CRI included, and answers. */
export async function startContainerd(host: TestHost): Promise<Daemon> {
  host.write(CONFIG, config());
  host.run('rm', '-f', SOCKET);
  return host.start('containerd', ['containerd', '--config', CONFIG], () => {
    return existsSync(host.outside(SOCKET)) && host.attempt(['ctr', 'version']).code === 0;
  });
}

/** The image is in containerd's `namespace`, unpacked. */
export function importImage(host: TestHost, namespace: string): void {
  // By default, containerd 2 imports through its transfer service, which unpacks for no other snapshotter than its own.
  const local = host.run('ctr', 'image', 'import', '--help').includes('--local') ? ['--local'] : [];
  host.run('ctr', '-n', namespace, 'image', 'import', ...local, '--snapshotter', 'native', makeImage(host));
}

/** Needs only namespaces and control groups of the machine: no AppArmor, no lower OOM scores. */
function config(): string {
  return `version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.tracing.processor.v1.otlp"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${binDir}"
    conf_dir = "${confDir}"
`;
}
