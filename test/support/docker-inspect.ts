/** A container's part in a network, as `docker inspect` says it. */
export interface DockerEndpoint {
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly MacAddress: string;
}

export interface DockerContainer {
  readonly Id: string;
  readonly State: { readonly Status: string; readonly Pid: number };
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly Networks: Readonly<Record<string, DockerEndpoint>>;
  };
}

/** A network as `docker network inspect` says it. */
export interface DockerNetwork {
  readonly Id: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Config: readonly { readonly Subnet: string; readonly Gateway?: string }[];
  };
  readonly Containers: Readonly<Record<string, DockerNetworkMember>>;
}

export interface DockerNetworkMember {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}
