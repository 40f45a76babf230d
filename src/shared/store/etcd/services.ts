import { methodsOf } from './grpc/method.ts';
import {
  AuthDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  WatchDefinition,
} from './rpc.generated.ts';

/** etcd's methods that Isthmus calls. */
export const KVService = methodsOf(KVDefinition);
export const WatchService = methodsOf(WatchDefinition);
export const LeaseService = methodsOf(LeaseDefinition);
export const AuthService = methodsOf(AuthDefinition);
export const MaintenanceService = methodsOf(MaintenanceDefinition);
