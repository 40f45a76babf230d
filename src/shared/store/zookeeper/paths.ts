/** A key and the node that has its value. */
export interface Place {
  readonly key: string;
  readonly path: string;
}

/**
 * Where entries are below the cluster's node. A key is a directory, which ends with its last slash, and a name in it:
 * `a/n1/0a640001` is `keys/=a%2Fn1%2F/=0a640001`. Entries of sessions have no children and come and go by themselves, so
 * they are in one directory: `sessions/=up%2Fh1`. The character in front keeps names apart from none, `.` and `..`.
 */
export class Paths {
  readonly root: string;

  /** `root` ends with a slash. */
  constructor(root: string) {
    this.root = root.slice(0, -1);
  }

  /** Nodes above the cluster's own, outermost first. */
  get parents(): string[] {
    const parts = this.root.split('/').slice(1);
    return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
  }

  /** The epoch; its version counts commits. */
  get head(): string {
    return `${this.root}/head`;
  }

  get log(): string {
    return `${this.root}/log`;
  }

  get keys(): string {
    return `${this.root}/keys`;
  }

  get sessions(): string {
    return `${this.root}/sessions`;
  }

  /** The changes that gave the head this version. A head that was deleted begins again at 0, with another epoch. */
  logOf(epoch: string, version: number): string {
    return `${this.log}/${epoch.slice(0, 8)}-${version}`;
  }

  /** The node above that of an entry. */
  directoryOf(key: string): string {
    return this.directory(directoryName(key));
  }

  directory(name: string): string {
    return `${this.keys}/${encode(name)}`;
  }

  lasting(key: string): Place {
    const directory = directoryName(key);
    return { key, path: `${this.directory(directory)}/${encode(key.slice(directory.length))}` };
  }

  bound(key: string): Place {
    return { key, path: `${this.sessions}/${encode(key)}` };
  }
}

/** `a/n1/` of `a/n1/0a640001`. */
export const directoryName = (key: string): string => key.slice(0, key.lastIndexOf('/') + 1);

export const encode = (text: string): string => `=${encodeURIComponent(text.toWellFormed())}`;

/** Undefined for a name that is none of ours. */
export function decode(name: string): string | undefined {
  if (!name.startsWith('=')) return undefined;
  try {
    return decodeURIComponent(name.slice(1));
  } catch {
    return undefined;
  }
}
