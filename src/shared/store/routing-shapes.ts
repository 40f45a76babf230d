import { route } from './interface-shapes.ts';
import * as is from './shapes.ts';

const rule = is.record({
  family: is.family,
  from: is.optional(is.prefix),
  table: is.u32,
  priority: is.optional(is.u32),
  protocol: is.optional(is.u32),
});

/** SbrFacts */
export const sbr = is.record({ rules: is.list(rule), routes: is.list(route), taken: is.list(route) });

/** VrfFacts */
export const vrf = is.record({
  vrf: is.device,
  table: is.u32,
  isNew: is.optional(is.oneOf(true)),
  keepAddresses: is.optional(is.text),
  routes: is.list(route),
});
