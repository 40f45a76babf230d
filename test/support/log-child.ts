import { LineSink } from '../../cmd/cnm-shim/line-sink.ts';
import { droppedLine, openLogger } from '../../cmd/cnm-shim/logger.ts';

/**
 * Logs `count` events of about 100 bytes to stderr, one after the other and without ever going back to the event loop,
 * then prints `logged`. With `stay` it lives on until its stdin ends and logs one event more, else it ends at once.
 */
const [count = '0', stay] = process.argv.slice(2);
const sink = new LineSink(2, droppedLine('logfmt'));
const log = await openLogger({ level: 'info', format: 'logfmt' }, sink);
process.on('exit', () => sink.flush(10_000));
for (let number = 0; number < Number(count); number++) log.info('event', { number, text: 'x'.repeat(40) });
process.stdout.write('logged\n', () => {
  if (stay !== 'stay') process.exit(0);
});
if (stay === 'stay') {
  process.stdin.resume();
  process.stdin.on('end', () => {
    log.info('last');
    process.exit(0);
  });
}
