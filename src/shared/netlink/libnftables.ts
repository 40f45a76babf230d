import { closeSync, openSync } from 'node:fs';
import { loadLibrary, type Signature, textAt } from './sys.ts';

const LIBRARY = 'libnftables.so.1';

/** nftables/libnftables.h */
const SIGNATURES = {
  nft_ctx_new: { return: 'pointer', arguments: ['u32'] },
  nft_ctx_free: { return: 'void', arguments: ['pointer'] },
  nft_ctx_buffer_output: { return: 'i32', arguments: ['pointer'] },
  nft_ctx_buffer_error: { return: 'i32', arguments: ['pointer'] },
  nft_ctx_get_output_buffer: { return: 'pointer', arguments: ['pointer'] },
  nft_ctx_get_error_buffer: { return: 'pointer', arguments: ['pointer'] },
  nft_run_cmd_from_buffer: { return: 'i32', arguments: ['pointer', 'string'] },
} as const satisfies Record<string, Signature>;

let library: ReturnType<typeof load> | undefined;
/**
 * A descriptor kept for the library's socket: it calls select(2), which aborts the process for one above 1023, and a
 * daemon may have more open.
 */
let kept: number | undefined;

export interface NftAnswer {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

/**
 * Runs a script, which is one transaction, in the calling thread's network namespace, and returns nftables' answer.
 * Throws NetError `unsupported` if the library is missing; the first call loads it.
 */
export function runLibnftables(script: string): NftAnswer {
  library ??= load();
  if (kept !== undefined) closeSync(kept);
  kept = undefined;
  const context = library.nft_ctx_new(0);
  try {
    library.nft_ctx_buffer_output(context);
    library.nft_ctx_buffer_error(context);
    const ok = library.nft_run_cmd_from_buffer(context, script) === 0;
    return {
      ok,
      output: textAt(library.nft_ctx_get_output_buffer(context)),
      error: textAt(library.nft_ctx_get_error_buffer(context)),
    };
  } finally {
    library.nft_ctx_free(context);
    kept = keepDescriptor();
  }
}

/** Loads the library; returns true if it is installed. */
export function hasLibnftables(): boolean {
  try {
    library ??= load();
    return true;
  } catch {
    return false;
  }
}

function keepDescriptor(): number | undefined {
  try {
    return openSync('/dev/null', 'r');
  } catch {
    // The process may open no more files now; the next script tries again.
    return undefined;
  }
}

function load() {
  const loaded = loadLibrary(LIBRARY, SIGNATURES);
  kept = keepDescriptor();
  return loaded;
}
