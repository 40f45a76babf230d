// Runs first in every packaged program. Node looks at these variables before any of our code runs and no option turns
// them off: they write files where the caller says or print beside our answer. So the program starts again, once,
// without them: same process, same arguments, stdin not yet read. (NODE_OPTIONS and OPENSSL_CONF are dealt with by
// options, see package.ts.)
const unwanted = [
  'NODE_V8_COVERAGE',
  'NODE_REDIRECT_WARNINGS',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_PENDING_DEPRECATION',
];
// A variable without a value changes nothing. Under a Node that is not packaged (tests) all is left as it is.
if (unwanted.some((name) => process.env[name]) && require('node:sea').isSea()) {
  for (const name of unwanted) delete process.env[name];
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], process.env);
}
