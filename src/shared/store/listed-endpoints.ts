import { type Attachment, attachmentDigest } from '../model/attachment.ts';
import type { ListedEndpoint } from '../model/chain.ts';
import { parseJson } from '../model/json.ts';
import { route } from './interface-shapes.ts';
import { sbr, vrf } from './routing-shapes.ts';
import * as is from './shapes.ts';
import type { NoteTable } from './store.ts';

const PREFIX = 'listed ';

const texts = is.list(is.text);
const way = is.record({ dst: is.prefix, gateway: is.optional(is.addr) });
const row = is.record({
  attachment: is.record({ camp: is.text, network: is.text, containerId: is.text, ifName: is.device }),
  bootId: is.text,
  dockerNetwork: is.text,
  progress: is.oneOf('adding', 'ready', 'deleting'),
  netns: is.text,
  plugins: is.list(is.record({ type: is.text, config: is.text })),
  path: texts,
  args: is.text,
  seconds: is.positive,
  asked: is.text,
  running: is.optional(is.record({ pid: is.positive, since: is.text })),
  result: is.optional(is.text),
  link: is.optional(
    is.record({
      mac: is.text,
      permMac: is.optional(is.text),
      kind: is.optional(is.text),
      alias: is.optional(is.text),
      addresses: is.list(is.prefix),
      hostDevice: is.optional(is.device),
    }),
  ),
  carried: is.optional(
    is.record({
      addresses: is.list(is.prefix),
      gateway4: is.optional(is.addr),
      gateway6: is.optional(is.addr),
      routes: is.list(way),
    }),
  ),
  inside: is.optional(
    is.record({
      sysctls: is.list((value) => Array.isArray(value) && value.length === 2 && value.every(is.text)),
      addresses: is.list(is.prefix),
      routes: is.list(route),
      sbr: is.optional(sbr),
      vrf: is.optional(vrf),
    }),
  ),
  sandboxKey: is.optional(is.text),
});

/** The endpoint of a CNI list; undefined for any other, and for a broken row. */
export function listedEndpoint(notes: NoteTable, attachment: Attachment): ListedEndpoint | undefined {
  return parse(notes.get(keyOf(attachment)));
}

export function putListedEndpoint(notes: NoteTable, endpoint: ListedEndpoint): void {
  notes.put(keyOf(endpoint.attachment), JSON.stringify(endpoint));
}

/** Accepts absence. */
export function deleteListedEndpoint(notes: NoteTable, attachment: Attachment): void {
  notes.delete(keyOf(attachment));
}

/** All of them, of earlier boots too, without broken rows. */
export function listListedEndpoints(notes: NoteTable): ListedEndpoint[] {
  return notes.keys(PREFIX).flatMap((key) => parse(notes.get(key)) ?? []);
}

function keyOf(attachment: Attachment): string {
  return PREFIX + attachmentDigest(attachment);
}

function parse(text: string | undefined): ListedEndpoint | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = parseJson(text);
    return row(value) ? (value as ListedEndpoint) : undefined;
  } catch {
    return undefined;
  }
}
