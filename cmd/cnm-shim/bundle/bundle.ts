import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { parse } from 'node:path';
import { containerNames, networksNow } from '../docker/engine/names.ts';
import { type Collected, collect, type Piece, type Places } from './collect.ts';
import { Redactor } from './redact.ts';
import { Secrets } from './secrets.ts';

export interface Bundle {
  readonly tar: Uint8Array;
  readonly files: number;
  /** What could not be collected, and why. */
  readonly missing: readonly string[];
}

const ROOT = 'isthmus-support';
const MODE = '600';

/** A tar of what a maintainer needs. Without secrets; with `redact`, also without addresses, ids and names. */
export async function makeBundle(places: Places, redact: boolean): Promise<Bundle> {
  const collected = await collect(places);
  const secrets = new Secrets();
  for (const secret of collected.secrets) secrets.learn(secret);
  const documents = collected.pieces.map((piece) => withoutValues(piece, secrets));
  // Twice: a secret that one text names may be in an earlier one.
  const once = documents.map(({ file, text }) => ({ file, text: secrets.withoutText(text) }));
  const safe = once.map(({ file, text }) => ({ file, text: secrets.withoutText(text) }));
  const missing = collected.missing.map((line) => secrets.withoutText(line));
  const redactor = redact ? await redactorOf(collected, safe, places.confDir) : undefined;
  const shown = (text: string): string => redactor?.text(text) ?? text;
  const about = { file: 'README.txt', text: aboutText(missing, redact) };
  const files = [about, ...safe].map(({ file, text }) => ({
    name: `${ROOT}/${shown(file)}`,
    data: shown(text),
    attrs: { mode: MODE },
  }));
  const { createTar } = await import('nanotar');
  return { tar: createTar(files), files: files.length, missing: missing.map(shown) };
}

interface Text {
  readonly file: string;
  readonly text: string;
}

function withoutValues({ file, content }: Piece, secrets: Secrets): Text {
  if ('text' in content) return { file, text: content.text };
  return { file, text: `${JSON.stringify(secrets.withoutValues(content.value), null, 2)}\n` };
}

async function redactorOf({ pieces }: Collected, texts: readonly Text[], confDir: string): Promise<Redactor> {
  const redactor = new Redactor(randomBytes(32));
  redactor.learn(hostname(), 'host');
  for (const link of readdirSync('/sys/class/net')) redactor.learn(link, 'link');
  const [containers, networks] = await Promise.all([containerNames(), networksNow()]);
  for (const { name, labels } of containers.values()) {
    redactor.learn(name, 'container');
    redactor.learnLabels(labels);
  }
  for (const { name, labels } of networks) {
    redactor.learn(name, 'network');
    redactor.learnLabels(labels);
  }
  // 10-web.conflist
  for (const { file } of pieces.filter((piece) => piece.file.startsWith(`configuration${confDir}/`)))
    redactor.learn(parse(file).name.replace(/^\d+-/, ''), 'network');
  for (const { content } of pieces) if ('value' in content) redactor.learnFrom(content.value);
  for (const { text } of texts) redactor.learnFromText(text);
  return redactor;
}

function aboutText(missing: readonly string[], redact: boolean): string {
  const names = redact
    ? 'Addresses, ids and names are replaced, each by the same one everywhere; subnets have kept their sizes.'
    : 'Addresses and names are those of the host: isthmus support-bundle --redact replaces them.';
  return [
    'What isthmus support-bundle found on a host. Passwords, keys and tokens are removed.',
    names,
    '',
    ...(missing.length === 0 ? [] : ['Not collected:', ...missing, '']),
  ].join('\n');
}
