import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { runTool, type ToolAnswer } from '../host/tool.ts';

/** A method of firewalld, by the program that calls it: all arguments are strings. */
interface Method {
  readonly object: string;
  readonly name: string;
  /** The same by firewall-cmd. */
  readonly options: (...args: readonly string[]) => readonly string[];
}

const NAME = 'org.fedoraproject.FirewallD1';
const PATH = '/org/fedoraproject/FirewallD1';

const METHODS = {
  addInterface: {
    object: PATH,
    name: `${NAME}.zone.addInterface`,
    options: (zone, device) => [`--zone=${zone}`, `--add-interface=${device}`],
  },
  removeInterface: {
    object: PATH,
    name: `${NAME}.zone.removeInterface`,
    options: (zone, device) => [`--zone=${zone}`, `--remove-interface=${device}`],
  },
  addSource: {
    object: PATH,
    name: `${NAME}.zone.addSource`,
    options: (zone, source) => [`--zone=${zone}`, `--add-source=${source}`],
  },
  removeSource: {
    object: PATH,
    name: `${NAME}.zone.removeSource`,
    options: (zone, source) => [`--zone=${zone}`, `--remove-source=${source}`],
  },
  sources: {
    object: PATH,
    name: `${NAME}.zone.getSources`,
    options: (zone) => [`--zone=${zone}`, '--list-sources'],
  },
  permanentZoneOfSource: {
    object: `${PATH}/config`,
    name: `${NAME}.config.getZoneOfSource`,
    options: (source) => ['--permanent', `--get-zone-of-source=${source}`],
  },
  permanentZone: {
    object: `${PATH}/config`,
    name: `${NAME}.config.getZoneOfInterface`,
    options: (device) => ['--permanent', `--get-zone-of-interface=${device}`],
  },
} as const satisfies Readonly<Record<string, Method>>;

export interface BusAnswer {
  readonly ok: boolean;
  /** What the method returned, or the error text. */
  readonly text: string;
  /** All that the program wrote; absent for an error. */
  readonly output?: string;
  /** firewalld's own error, such as ZONE_CONFLICT; absent if it did not answer. */
  readonly code?: string;
}

/** Time for firewalld's answer: it answers nothing while it starts or reloads. */
const REPLY_MS = 5000;
/** After this long, the program itself hangs. */
const KILL_MS = REPLY_MS + 1000;
/** Time without calls after one that waited in vain, so that not each ADD waits. */
const PAUSE_MS = 30_000;

const TOOLS: readonly {
  readonly file: string;
  readonly args: (method: Method, args: readonly string[]) => string[];
}[] = [
  {
    file: 'busctl',
    args: ({ object, name }, args) => {
      const dot = name.lastIndexOf('.');
      const signature = 's'.repeat(args.length);
      const options = ['--system', '--auto-start=no', `--timeout=${REPLY_MS / 1000}`, '--', 'call'];
      return [...options, NAME, object, name.slice(0, dot), name.slice(dot + 1), signature, ...args];
    },
  },
  {
    file: 'dbus-send',
    args: ({ object, name }, args) => {
      const options = ['--system', '--print-reply=literal', `--reply-timeout=${REPLY_MS}`, `--dest=${NAME}`];
      return [...options, object, name, ...args.map((arg) => `string:${arg}`)];
    },
  },
  { file: 'firewall-cmd', args: ({ options }, args) => [...options(...args)] },
];

/** The tools that are not installed, for the lifetime of this process. */
const absent = new Set<string>();
let pausedUntil = 0;

/**
 * Calls a method of firewalld by the first installed program of busctl, dbus-send and firewall-cmd. Never throws: who is
 * not there, or answers too late, gives an answer that is not `ok`.
 */
export async function callFirewalld(
  ns: LinuxNamespace,
  method: keyof typeof METHODS,
  ...args: readonly string[]
): Promise<BusAnswer> {
  const begin = performance.now();
  if (begin < pausedUntil) return { ok: false, text: 'firewalld did not answer a short time ago' };
  for (const { file, args: argsOf } of TOOLS) {
    if (absent.has(file)) continue;
    try {
      const answer = await runTool(ns, file, argsOf(METHODS[method], args), '', KILL_MS);
      if (answer === undefined) {
        absent.add(file);
        continue;
      }
      if (!answer.ok && performance.now() - begin >= REPLY_MS - 100) pausedUntil = performance.now() + PAUSE_MS;
      return answerOf(answer);
    } catch (thrown) {
      return { ok: false, text: thrown instanceof Error ? thrown.message : String(thrown) };
    }
  }
  return { ok: false, text: 'neither busctl nor dbus-send nor firewall-cmd is installed' };
}

/** Reads the answer of any of the programs: `s "public"`, `   public`, `public`; errors name a code in capitals. */
export function answerOf({ ok, output, error }: ToolAnswer): BusAnswer {
  if (ok) return { ok, output, text: /(?:^|["\s])([^"\s]+)"?\s*$/.exec(output.replace(/^s "/, '"'))?.[1] ?? '' };
  const [text = ''] = error.split('\n');
  const code = /\b[A-Z]+_[A-Z_]+\b(?=:|$)/.exec(text)?.[0];
  return { ok, text, ...(code === undefined ? {} : { code }) };
}
