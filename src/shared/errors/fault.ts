import { CATALOG, type ErrorKind } from './catalog.ts';
import { type ErrorParts, NetError } from './net-error.ts';

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type More = Pick<ErrorParts, 'errno' | 'reason' | 'cause' | 'code'>;

/** A NetError of one kind: `<op> <subject>: <what>. <hint>`. */
export type Fault = (op: string, subject: string, what: string, hint?: string, more?: More) => NetError;

function faultOf(kind: ErrorKind): Fault {
  return (op, subject, what, hint, more = {}) =>
    new NetError({ ...more, kind, op, subject, what, ...(hint === undefined ? {} : { hint }) });
}

/** One constructor for each kind of the catalog: `fault.conflict('create', 'network web', 'is on isth1', '…')`. */
export const fault = Object.fromEntries(
  Object.keys(CATALOG).map((kind) => [
    kind.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    faultOf(kind as ErrorKind),
  ]),
) as Readonly<Record<Camel<ErrorKind>, Fault>>;
