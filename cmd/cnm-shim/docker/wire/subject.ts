import { field, textField } from '../../../../src/shared/model/json.ts';

/** What a call is about, for its log line. */
export type CallSubject = Readonly<Record<string, string | undefined>>;

/** The subject of a request; ids as `docker network ls` shows them. */
export function subjectOf(body: unknown): CallSubject {
  const wanted = field(body, 'Interface');
  return {
    network: short(textField(body, 'NetworkID')),
    endpoint: short(textField(body, 'EndpointID')),
    pool: textField(body, 'PoolID')?.slice(0, LONGEST),
    subnet: textField(body, 'Pool')?.slice(0, LONGEST),
    address: (textField(body, 'Address') ?? textField(wanted, 'Address'))?.slice(0, LONGEST),
  };
}

const ID_SHOWN = 12;
const LONGEST = 64;

function short(id: string | undefined): string | undefined {
  return id?.slice(0, ID_SHOWN);
}
