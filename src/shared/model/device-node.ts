/** A device as sysfs shows it. */
export interface DeviceNode {
  /** The values of LinkState.parentDev that its interfaces have: its own name, and those of its virtio devices. */
  readonly parents: readonly string[];
  /** Its interfaces in the namespace that this sysfs was mounted in. */
  readonly interfaces: readonly { readonly name: string; readonly index: number; readonly mac: string }[];
  /** The driver that it is bound to. */
  readonly driver?: string;
}
