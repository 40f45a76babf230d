/** What `isthmus topology -o json` prints, and the page draws. */
export interface TopologyReport {
  readonly host: string;
  readonly networks: readonly ReportedNetwork[];
}

export interface ReportedNetwork {
  readonly name: string;
  readonly driver: string;
  readonly device?: string;
  /** `10.88.0.0/24, 3 of 253 in use`. */
  readonly subnets: readonly string[];
  /** Of an overlay: VNI and device. */
  readonly overlay?: string;
  /** Absent if nothing is wrong. */
  readonly problem?: string;
  readonly endpoints: readonly ReportedEndpoint[];
}

export interface ReportedEndpoint {
  /** Different for each endpoint of the host. */
  readonly key: string;
  /** Name of the container in Docker, else its id. */
  readonly title: string;
  readonly camp: 'docker' | 'cni';
  readonly interface?: string;
  readonly hostInterface?: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
  /** `8080 → 80/tcp`. */
  readonly ports: readonly string[];
  readonly problem?: string;
}

/** Bits a second that an endpoint's container receives and sends. */
export type Rate = readonly [key: string, received: number, sent: number];

/** Where the page is served. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}
