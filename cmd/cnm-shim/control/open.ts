import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { formatLoopbackPort, type LoopbackPort } from './loopback.ts';
import { serveControl } from './socket.ts';
import type { DaemonFacts } from './status.ts';

/** Opens the control socket, and the port for scrapers if one is given. A failure costs what is shown, and no call. */
export async function openControl(facts: DaemonFacts, metrics: LoopbackPort | undefined): Promise<Disposable> {
  const opened = new DisposableStack();
  try {
    opened.use(await serveControl(facts.sockets.control, facts));
  } catch (thrown) {
    facts.log.warn('control.socket', { error: asNetError(thrown, 'control').message });
  }
  if (metrics === undefined) return opened;
  try {
    const { serveMetrics } = await import('./scrape.ts');
    opened.use(await serveMetrics(metrics, facts));
  } catch (thrown) {
    const error = `cannot serve metrics: ${asNetError(thrown, 'metrics').what}. --metrics names another port`;
    facts.log.error('metrics.socket', { address: formatLoopbackPort(metrics), error });
  }
  return opened;
}
