// Generated from schemas/*.schema.json by `npm run schemas`.
import type { ErrorObject } from 'ajv';

/** True where `data` follows the schema; else `errors` holds every violation until the next call. */
export interface Validator {
  (data: unknown): boolean;
  errors?: ErrorObject[] | null;
}

export declare const cluster: Validator;
export declare const ipRanges: Validator;
export declare const ipamDhcp: Validator;
export declare const ipamHostLocal: Validator;
export declare const ipamRemote: Validator;
export declare const ipamRoutes: Validator;
export declare const ipamStatic: Validator;
export declare const netconf: Validator;
