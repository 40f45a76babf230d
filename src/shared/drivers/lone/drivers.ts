import type { InsideOptions } from '../../config/inside.ts';
import type { LoneDriver } from '../driver.ts';
import { dummyDriver } from './dummy.ts';
import { ipvlanDriver } from './ipvlan.ts';
import { macvlanDriver } from './macvlan.ts';
import { tapDriver } from './tap.ts';
import { vlanDriver } from './vlan.ts';

export function loneDriver(options: InsideOptions): LoneDriver {
  switch (options.driver) {
    case 'macvlan':
      return macvlanDriver(options);
    case 'ipvlan':
      return ipvlanDriver(options);
    case 'vlan':
      return vlanDriver(options);
    case 'tap':
      return tapDriver(options);
    case 'dummy':
      return dummyDriver();
  }
}
