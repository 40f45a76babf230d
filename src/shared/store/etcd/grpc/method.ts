/** A method of a service: where it is, and how its messages become bytes. */
export interface Method<I, O> {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly encode: (request: I) => Uint8Array;
  /** Throws if the bytes are no answer of this method. */
  readonly decode: (bytes: Buffer) => O;
}

/** Codec of a message, as ts-proto generates it. */
interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A service, as ts-proto generates it. */
interface Definition {
  readonly fullName: string;
  readonly methods: Readonly<
    Record<string, { readonly name: string; readonly requestType: unknown; readonly responseType: unknown }>
  >;
}

type MethodsOf<D extends Definition> = {
  readonly [K in keyof D['methods']]: D['methods'][K] extends {
    readonly requestType: Message<infer I>;
    readonly responseType: Message<infer O>;
  }
    ? Method<I, O>
    : never;
};

/** The methods of a generated service, by the names that they have there. */
export function methodsOf<D extends Definition>({ fullName, methods }: D): MethodsOf<D> {
  const entries = Object.entries(methods).map(([key, { name, requestType, responseType }]) => {
    const request = requestType as Message<unknown>;
    const response = responseType as Message<unknown>;
    const method: Method<unknown, unknown> = {
      path: `/${fullName}/${name}`,
      encode: (value) => request.encode(value).finish(),
      decode: (bytes) => response.decode(bytes),
    };
    return [key, method];
  });
  return Object.fromEntries(entries) as MethodsOf<D>;
}
