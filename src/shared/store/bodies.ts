import type { DockerNetworkRow, EndpointRow, NetworkRow, PoolRow } from './store.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The row that a JSON body holds; undefined for a broken one: no JSON, or without what every reader relies on. A broken
 * body costs its own row only.
 */
export function parseEndpoint(body: string): EndpointRow | undefined {
  return parse<EndpointRow>(body, ({ attachment, role, progress, sandbox, hostIf, plan }) => {
    const parts = isFields(attachment)
      ? [attachment.camp, attachment.network, attachment.containerId, attachment.ifName]
      : [undefined];
    const place = isFields(sandbox) ? [sandbox.path, sandbox.id] : [undefined];
    const isPlan = isFields(plan) && isOps(plan.ops) && isOps(plan.undo);
    return areTexts([...parts, role, hostIf, ...place]) && (progress === 'intent' || progress === 'ready') && isPlan;
  });
}

/** As parseEndpoint. */
export function parseNetwork(body: string): NetworkRow | undefined {
  return parse<NetworkRow>(
    body,
    ({ name, driver, device, bootId, undo, holders }) =>
      areTexts([name, driver, device, bootId]) && isOps(undo) && (holders === undefined || areTexts(holders)),
  );
}

/** As parseEndpoint. */
export function parseDockerNetwork(body: string): DockerNetworkRow | undefined {
  return parse<DockerNetworkRow>(body, ({ id, network, driver, request, mode4, mode6, ifPrefix }) =>
    areTexts([id, network, driver, request, mode4, mode6, ifPrefix]),
  );
}

/** As parseEndpoint. */
export function parsePool(body: string): PoolRow | undefined {
  return parse<PoolRow>(body, ({ id, scope, subnet, reserved }) => areTexts([id, scope, subnet]) && areTexts(reserved));
}

/** Only `put` writes bodies, so that the disk or a person is who breaks them: the type follows from few fields. */
function parse<T>(body: string, holds: (fields: Fields) => boolean): T | undefined {
  try {
    const value = JSON.parse(body);
    return isFields(value) && holds(value) ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isOps(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => isFields(one) && typeof one.op === 'string');
}
