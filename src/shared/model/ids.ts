declare const brand: unique symbol;

/** Text of one meaning. Only the function that creates it returns its type; at run time it is a plain string. */
type Branded<Meaning extends string> = string & { readonly [brand]: Meaning };

/** Digest of an attachment: equal for equal attachments. */
export type AttachmentKey = Branded<'attachment'>;
/** Identity of a network namespace: boot id and namespace cookie. */
export type SandboxId = Branded<'sandbox'>;
/** Identity of a host: to whom rows belong. */
export type HostId = Branded<'host'>;

/** The identity of a namespace. The boot id is in it because cookies begin anew with each boot. */
export function sandboxId(bootId: string, cookie: bigint | number | string): SandboxId {
  return `${bootId}:${cookie}` as SandboxId;
}

/** A host by the name that an operator gave it, `root`, or the identity of its namespace. */
export function hostId(text: string): HostId {
  return text as HostId;
}
