import { join } from 'node:path';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { GrpcError } from '../../src/shared/store/etcd/grpc/status.ts';
import { parseEndpoint } from '../../src/shared/store/etcd/options.ts';
import { IMAGE } from './image.ts';

/** A pod as the kubelet asks for it. */
export interface PodRequest {
  readonly name: string;
  /** Below which control group its containers live. */
  readonly cgroupParent: string;
  readonly ports?: readonly PodPort[];
  /** Those of the pod that the kubelet passes on. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PodPort {
  readonly containerPort: number;
  readonly hostPort: number;
  /** TCP by default. */
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly hostIp?: string;
}

/** `state`: 0 ready, 1 not ready. `ip` is empty if there is none. */
export interface PodStatus {
  readonly state: number;
  readonly ip: string;
}

/** The kubelet's side of the container runtime interface. Every call rejects with the runtime's message. */
export interface Kubelet extends Disposable {
  /** The runtime's word on the network: undefined where it is ready, otherwise why not. */
  networkProblem(): Promise<string | undefined>;
  runPod(pod: PodRequest): Promise<string>;
  podStatus(id: string): Promise<PodStatus>;
  stopPod(id: string): Promise<void>;
  removePod(id: string): Promise<void>;
  /** A container of `pod` is running and sleeps; its id. */
  runContainer(podId: string, pod: PodRequest, name: string): Promise<string>;
  /** The command's output; rejects where it fails. */
  exec(containerId: string, ...command: readonly string[]): Promise<string>;
}

const PROTO = join(import.meta.dirname, '../e2e/cri.proto');

/** A client of the runtime behind the socket at `path`. */
export function openCri(path: string): Kubelet {
  const channel = new Channel(parseEndpoint(`unix://${path}`));
  const service = serviceOf();
  const call = async <T>(method: string, request: object): Promise<T> => {
    const definition = service[method];
    if (definition === undefined) throw new Error(`cri.proto has no ${method}`);
    const { path: rpc, requestSerialize: encode, responseDeserialize: decode } = definition;
    try {
      return (await channel.unary({ path: rpc, encode, decode }, request, { ms: 30_000 })) as T;
    } catch (error) {
      throw error instanceof GrpcError ? new Error(`${method}: ${error.details}`) : error;
    }
  };

  return {
    async networkProblem() {
      const { status } = await call<StatusResponse>('Status', {});
      const network = status.conditions.find((condition) => condition.type === 'NetworkReady');
      return network?.status ? undefined : (network?.message ?? 'the runtime says nothing of the network');
    },
    runPod: async (pod) =>
      (await call<{ podSandboxId: string }>('RunPodSandbox', { config: podConfig(pod) })).podSandboxId,
    async podStatus(id) {
      const { status } = await call<StatusOfPod>('PodSandboxStatus', { podSandboxId: id });
      return { state: status.state, ip: status.network?.ip ?? '' };
    },
    stopPod: (id) => call('StopPodSandbox', { podSandboxId: id }),
    removePod: (id) => call('RemovePodSandbox', { podSandboxId: id }),
    async runContainer(podId, pod, name) {
      const { containerId } = await call<{ containerId: string }>('CreateContainer', {
        podSandboxId: podId,
        config: { metadata: { name }, image: { image: IMAGE }, command: ['sleep', '1000000'] },
        sandboxConfig: podConfig(pod),
      });
      await call('StartContainer', { containerId });
      return containerId;
    },
    async exec(containerId, ...cmd) {
      const done = await call<ExecResponse>('ExecSync', { containerId, cmd, timeout: 20 });
      const output = done.stdout.toString();
      if (done.exitCode !== 0) throw new Error(`${cmd.join(' ')}: exit ${done.exitCode}\n${output}${done.stderr}`);
      return output.trim();
    },
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}

interface StatusResponse {
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[];
  };
}

interface StatusOfPod {
  readonly status: { readonly state: number; readonly network: { readonly ip: string } | null };
}

interface ExecResponse {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number;
}

function podConfig({ name, cgroupParent, ports = [], annotations = {} }: PodRequest): object {
  return {
    metadata: { name, uid: `uid-${name}`, namespace: 'default' },
    hostname: name,
    portMappings: ports,
    annotations: { 'example.org/note': 'kept out of the network', ...annotations },
    linux: { cgroupParent },
  };
}

function serviceOf(): ServiceDefinition {
  const definition = loadSync(PROTO, { longs: Number, enums: Number, defaults: true })['runtime.v1.RuntimeService'];
  if (definition === undefined || 'format' in definition) throw new Error('cri.proto defines no RuntimeService');
  return definition as ServiceDefinition;
}
