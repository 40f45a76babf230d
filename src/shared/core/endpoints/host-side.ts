import { planHostSide } from '../../drivers/link.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { renderOp } from '../../host/render.ts';
import type { HostSide } from '../../model/endpoint.ts';
import type { Op } from '../../model/op.ts';
import { drift } from '../diff.ts';

/** RT_TABLE_MAIN, linux/rtnetlink.h. */
const MAIN = 254;

/** Ops that restore the addresses and routes that the host side lacks. `view` has all of the host's routes. */
export function lackingHostSide({ hostIf, host }: HostSide, view: View): Op[] {
  const present = new Set(view.addresses.flatMap(({ dev, address }) => (dev === hostIf ? [address] : [])));
  const addresses = host.addresses.filter((address) => !present.has(address));
  const ways = new Set(
    view.routes.flatMap(({ dst, dev, table = MAIN }) => (dev === hostIf && table === MAIN ? [dst] : [])),
  );
  const routes = host.routes.filter(({ dst }) => !ways.has(dst));
  return planHostSide({ hostIf, host: { addresses, routes } });
}

/** Returns NetError `drift` for the first address or route that the host side lacks. */
export function hostSideDrift(side: HostSide, view: View): NetError | undefined {
  const first = lackingHostSide(side, view).find(({ op }) => op !== 'sysctl.set');
  if (first === undefined) return undefined;
  return drift(`link ${side.hostIf}`, `lacks what leads to the container: ${renderOp(first, { sandbox: '' })}`);
}
