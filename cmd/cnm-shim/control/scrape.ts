import { startListening } from '../listen.ts';
import type { LoopbackPort } from './loopback.ts';
import { close, makeServer } from './socket.ts';
import type { DaemonFacts } from './status.ts';

/** What a browser was told to ask: another name means that a page of a stranger has led it here. */
const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;

/** Answers scrapers on the port, until it is disposed of. Rejects with the socket's error. */
export async function serveMetrics(at: LoopbackPort, facts: DaemonFacts): Promise<Disposable> {
  const server = makeServer(async (request, response) => {
    if (!LOCAL_HOST.test(request.headers.host ?? 'localhost')) {
      request.socket.destroy();
      return;
    }
    const { answerScrape } = await import('./answers.ts');
    await answerScrape(request, response, facts);
  }, facts.log);
  await startListening(server, at, ({ message }) => facts.log.warn('metrics.socket', { error: message }));
  return { [Symbol.dispose]: () => close(server) };
}
