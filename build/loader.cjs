// The main program of every packaged executable: it runs the real one, which is inside the executable with the code that
// V8 made of it at build time (code-cache.ts). Node's own code cache for a single executable holds only what runs while
// the program loads, which left every function to be compiled at its first call: 10 ms of one ADD.
const sea = require('node:sea');

// Node looks at these variables before any of our code runs and no option turns them off: they write files where the
// caller says or print beside our answer. So the program starts again, once, without them: same process, same arguments,
// stdin not yet read. (NODE_OPTIONS and OPENSSL_CONF are dealt with by options, see package.ts.)
const unwanted = [
  'NODE_V8_COVERAGE',
  'NODE_REDIRECT_WARNINGS',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_PENDING_DEPRECATION',
];
// A variable without a value changes nothing.
if (unwanted.some((name) => process.env[name])) {
  for (const name of unwanted) delete process.env[name];
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], process.env);
}

const { Script } = require('node:vm');
const { packages } = JSON.parse(text('manifest'));
run('program');

/** The exports of an asset. V8 compiles as usual where it refuses the code that is there. */
function run(name) {
  const cachedData = new Uint8Array(sea.getRawAsset(`${name}.code`));
  const module = { exports: {} };
  new Script(text(name), { filename: name, cachedData }).runInThisContext()(module, module.exports, load);
  return module.exports;
}

/** `require` of the program: packages that it imports when it needs them are assets too. */
function load(name) {
  return packages.includes(name) ? run(name) : require(name);
}

/** All of them are ASCII. */
function text(name) {
  return Buffer.from(sea.getRawAsset(name)).latin1Slice();
}
