import { existsSync } from 'node:fs';
import { EntriesText } from '../../firewall/entries-text.ts';
import { renderOp } from '../../host/render.ts';
import { comment, line } from '../../host/render-words.ts';
import type { Op } from '../../model/op.ts';
import type { PlannedStep } from './dry-run.ts';

/** A step as text. */
export interface ExplainedStep {
  /** The part of the plan: a plugin's name. */
  readonly part: string;
  /** Shell commands that do the same; lines that begin with `#` say what no command does. */
  readonly commands: readonly string[];
  /** Shell commands that restore what it changes. */
  readonly undo: readonly string[];
  /** Present: the effect is gone with this link of the plan. */
  readonly goesWith?: string;
}

/** Directories in which `ip` finds a namespace by its name. */
const NAMED = /^(?:\/var)?\/run\/netns\/([^/]+)$/;

/** The name of a namespace for `ip -n`; undefined if its path gives it none. */
export function namespaceName(path: string): string | undefined {
  return NAMED.exec(path)?.[1];
}

/** Renders the steps in order. `sandbox` is the name of the container's namespace. */
export function renderSteps(steps: readonly PlannedStep[], sandbox: string): ExplainedStep[] {
  const filter = new EntriesText(existsSync('/proc/sys/net/ipv6'));
  return steps.map(({ op, undo, link, part }) => ({
    part,
    commands: commandsOf(op, sandbox, filter),
    undo: undo.flatMap((one) => commandsOf(one, sandbox, filter)),
    ...(link === undefined ? {} : { goesWith: link }),
  }));
}

function commandsOf(op: Op, sandbox: string, filter: EntriesText): string[] {
  switch (op.op) {
    case 'firewall.add':
      return filter.add(op.backend, op.entries);
    case 'firewall.delete':
      return filter.remove(op.backend, op.entries);
    case 'announce':
    case 'conntrack.flush':
      // The tools that do it may be missing, and fail where nobody listens and nothing is tracked.
      return [`{ ${renderOp(op, { sandbox })}; } >/dev/null 2>&1 || :`];
    case 'link.create':
      return renderOp(op, { sandbox }).split(' && ');
    default:
      return [renderOp(op, { sandbox })];
  }
}

/** The plan as a shell script; each command is followed by what undoes it, as a comment. */
export function formatScript(
  steps: readonly ExplainedStep[],
  head: readonly string[],
  netns: string | undefined,
): string {
  const lines = ['#!/bin/sh', ...head.map(comment), 'set -e'];
  if (netns !== undefined) {
    const add = line('ip', 'netns', 'add', netns);
    lines.push(
      '',
      '# The namespace of the container, unless it exists',
      `ip netns pids ${line(netns)} >/dev/null 2>&1 || ${add}`,
    );
  }
  let part: string | undefined;
  for (const step of steps) {
    if (step.part !== part) lines.push('', comment(step.part));
    part = step.part;
    lines.push(...step.commands, ...undoLines(step));
  }
  return `${lines.join('\n')}\n`;
}

function undoLines({ undo, goesWith, commands }: ExplainedStep): string[] {
  if (goesWith !== undefined) return [comment(`  goes with ${goesWith}`)];
  if (commands.every((text) => text.startsWith('#'))) return [];
  return undo.length === 0
    ? ['#   stays']
    : undo.flatMap((text) => text.split('\n')).map((text) => `#   undo: ${text}`);
}
