import { asNetError, combineErrors } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { CniService } from './cni/service.ts';
import type { EndedOperation, Recorder, Subject } from './control/operations.ts';

export interface Passes {
  run(reason: 'start' | 'SIGHUP' | 'change'): Promise<void>;
  /** Resolves once no pass is under way. */
  idle(): Promise<void>;
  /** How many packet filter entries were missing after the last pass; undefined before one, and if that is not known. */
  missing(): number | undefined;
}

/** Reconciles, one pass at a time, and logs and records what a pass has done. Never rejects. */
export function makePasses(service: CniService, recorder: Recorder, log: Logger): Passes {
  let last: Promise<void> = Promise.resolve();
  let missing: number | undefined;
  const run = async (reason: string): Promise<void> => {
    recorder.begun();
    const since = performance.now();
    const record = (done: Subject, more: Partial<EndedOperation>): void => {
      const times = { ms: Math.round((performance.now() - since) * 100) / 100, phases: {} };
      recorder.ended({ camp: 'daemon', operation: 'reconcile', subject: { reason, ...done }, times, ...more });
    };
    try {
      const { errors, mended, endpoints, networks, entries } = await service.reconcile({ sweep: reason !== 'change' });
      for (const error of errors) log.warn('reconcile.failed', { error: error.message });
      // To compare every rule takes long: only if some may not have been restored.
      missing = errors.length === 0 ? 0 : await service.missingRules();
      for (const command of mended) log.info('mended', { command });
      // A device that was created again has no entries.
      if (mended.length > 0) await service.resident.cluster?.mirror();
      const removed = { removedEndpoints: endpoints, removedNetworks: networks };
      const there = reason === 'change' ? {} : service.counts();
      const ms = Math.round(performance.now() - since);
      log.info('reconciled', { reason, ...there, ...removed, entries, mended: mended.length, ms });
      record(
        { mended: mended.length, entries, ...removed },
        { error: combineErrors(errors, 'reconcile'), did: mended, restored: mended.length + entries },
      );
    } catch (thrown) {
      const error = asNetError(thrown, 'reconcile');
      missing = undefined;
      log.warn('reconcile.failed', { error: error.message });
      record({}, { error });
    }
  };
  return {
    run: (reason) => {
      last = last.then(() => run(reason));
      return last;
    },
    idle: () => last,
    missing: () => missing,
  };
}
