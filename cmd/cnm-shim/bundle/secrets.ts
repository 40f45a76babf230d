import { isObject } from '../../../src/shared/model/json.ts';

/** What stands for a secret. */
export const REMOVED = '(removed)';

/** Names of values that are secret, without case and punctuation. */
const SECRET_NAME =
  /(?:pass(?:word|wd|phrase|code)|secret|token|credentials?|(?:private|api|access|auth|shared|preshared|encryption|client|signing)keys?(?:data)?|psk|bearer|authorization|cookie)s?$/;
/** Names that only say where a secret is. */
const PLACE_NAME = /(?:file|path|dir|name|ref)$/;

/** `password=…`, `"token": "…"`, also in JSON within a text. */
const ASSIGNED =
  /((?:^|[^\w.-])\\*["']?([\w.-]*(?:pass|secret|token|credential|key|psk|bearer|auth|cookie)[\w.-]*)\\*["']?\s*[:=]\s*)(\\*"(?:[^"\\]|\\(?!"))*\\*"|'[^']*'|(?:Bearer|Basic) +[^\s,;]+|[^\s,;}\]"']+)/gim;
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?(?:-----END \1-----|$)/g;
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g;
const USER_IN_URL = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*:[^\s/@"']*@/gi;
/** 16, 32 or 64 bytes in base64: keys are that long. */
const KEY =
  /(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{22}==|[A-Za-z0-9+/_-]{43}=|[A-Za-z0-9+/_-]{86}==)(?![A-Za-z0-9+/=])/g;
/** A shorter secret is part of too many words. */
const LEAST = 4;

/** Removes secrets: by the name of a value, by their form, and wherever one that is known occurs again. */
export class Secrets {
  readonly #known = new Set<string>();

  /** A secret that is to be removed wherever it occurs. */
  learn(secret: string): void {
    if (secret.length >= LEAST && secret !== REMOVED) this.#known.add(secret);
  }

  /** Learns the secrets in a parsed document, and returns the document without them. */
  withoutValues(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.withoutValues(one));
    if (!isObject(value)) return value;
    const entries = Object.entries(value).map(([name, inner]) => {
      if (!isSecretName(name) || inner === null || inner === '') return [name, this.withoutValues(inner)];
      this.#learnAll(inner);
      return [name, REMOVED];
    });
    return Object.fromEntries(entries);
  }

  /** The text without what looks like a secret, or is a known one. */
  withoutText(text: string): string {
    const plain = text
      .replace(PEM, (_, kind: string) => (kind.includes('CERTIFICATE') ? `(certificate ${REMOVED})` : REMOVED))
      .replace(USER_IN_URL, `$1${REMOVED}@`)
      .replace(TOKEN, REMOVED)
      .replace(KEY, REMOVED)
      .replace(ASSIGNED, (whole: string, before: string, name: string, value: string) => {
        if (!isSecretName(name) || value.includes(REMOVED)) return whole;
        const quote = /^\\*["']/.exec(value)?.[0] ?? '';
        this.learn(value.slice(quote.length, value.length - quote.length));
        return `${before}${quote}${REMOVED}${quote}`;
      });
    // The longest first: one may be part of another.
    const known = [...this.#known].sort((a, b) => b.length - a.length);
    return known.reduce((rest, secret) => rest.replaceAll(secret, REMOVED), plain);
  }

  #learnAll(value: unknown): void {
    if (typeof value === 'string') this.learn(value);
    else if (typeof value === 'object' && value !== null)
      for (const inner of Object.values(value)) this.#learnAll(inner);
  }
}

/** True for the name of a value that is itself secret: `etcd.password`, not `passwordFile`. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return SECRET_NAME.test(plain) && !PLACE_NAME.test(plain);
}
