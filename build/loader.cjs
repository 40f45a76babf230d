// The main program of every packaged executable. It runs the real program, which is inside the executable together with
// the code that V8 made of it at build time (code-cache.ts). Node's own code cache for a single executable holds only
// what runs while the program loads, so every function had to be compiled at its first call: 10 ms of one ADD.
const sea = require('node:sea');

// Node reads these variables before any of our code runs, and no option turns them off: they write files where the
// caller says, or print beside our answer. So the program starts again, once, without them: same process, same
// arguments, stdin not yet read. (Options take care of NODE_OPTIONS and OPENSSL_CONF, see package.ts.)
const unwanted = [
  'NODE_V8_COVERAGE',
  'NODE_REDIRECT_WARNINGS',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_PENDING_DEPRECATION',
];
// An empty variable changes nothing.
if (unwanted.some((name) => process.env[name])) {
  for (const name of unwanted) delete process.env[name];
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], process.env);
}

const { Script } = require('node:vm');
const { packages } = JSON.parse(text('manifest'));
run('program');

/** The exports of an asset. V8 compiles as usual if it refuses the cached code. */
function run(name) {
  const cachedData = new Uint8Array(sea.getRawAsset(`${name}.code`));
  const module = { exports: {} };
  new Script(text(name), { filename: name, cachedData }).runInThisContext()(module, module.exports, load);
  return module.exports;
}

/** The program's `require`: packages that it imports on demand are assets too. */
function load(name) {
  return packages.includes(name) ? run(name) : require(name);
}

/** All of them are ASCII. */
function text(name) {
  return Buffer.from(sea.getRawAsset(name)).latin1Slice();
}
