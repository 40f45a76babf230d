// The main program of every packaged executable. It runs the real program that the executable's name selects. All of them
// are inside the executable, together with the code that V8 made of them at build time (code-cache.ts). Node's own code cache for a single executable holds only
// what runs while the program loads, so every function had to be compiled at its first call: 10 ms of one ADD.

// Node's JavaScript reads these variables before any of our code runs, and no option turns them off: they write files
// where the caller says, or print beside our answer. So the program starts again, once, without them: same process, same
// arguments, stdin not yet read. The plugin gives them to its delegates under their own names, as it does with what the
// launcher renames. (package.ts takes care of the variables that Node's C++ reads.)
const unwanted = [
  'NODE_V8_COVERAGE',
  'NODE_DEBUG',
  'NODE_CHANNEL_FD',
  'NODE_TEST_CONTEXT',
  'WATCH_REPORT_DEPENDENCIES',
];
// An empty variable changes nothing.
if (unwanted.some((name) => process.env[name])) {
  for (const name of unwanted) {
    if (name.startsWith('NODE_') && process.env[name]) process.env[name.replace('_', '@')] = process.env[name];
    delete process.env[name];
  }
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], process.env);
}

// Not before: NODE_DEBUG reports a module that is loaded.
const sea = require('node:sea');
const { Script } = require('node:vm');
const { readFileSync } = require('node:fs');
/** linux/fcntl.h */
const F_SETFL = 4;
/** Z_MIN_CHUNK of node:zlib. */
const LEAST_CHUNK = 64;
const { first, names, kinds, packages, seldom, packed } = JSON.parse(text('manifest'));
run(selected(process.argv0.slice(process.argv0.lastIndexOf('/') + 1)));

/** The program for this name of the executable: that of a link, not of the file behind it. */
function selected(name) {
  // This one is the command line's name, and a plugin's too. Runtimes call plugins without arguments.
  if (name === 'isthmus' && process.env.CNI_COMMAND !== undefined && process.argv.length === 2) return first;
  return Object.hasOwn(names, name) ? names[name] : first;
}

/** The exports of an asset. V8 compiles as usual if it refuses the cached code. */
function run(name) {
  // A plugin's calls differ by command, the command line's by verb.
  const kind = [process.env.CNI_COMMAND, process.argv[2]].find((word) => kinds[name]?.includes(word)) ?? 'other';
  const module = { exports: {} };
  if (isLook(name, kind)) leaveAtOnce();
  const source = unpacked(name).latin1Slice();
  const cachedData = seldom.includes(name) ? undefined : unpacked(`${name}.${kind}`);
  new Script(source, { filename: name, cachedData }).runInThisContext()(module, module.exports, load);
  return module.exports;
}

/** True for the command line, except for the daemon. */
function isLook(name, kind) {
  return kinds[name]?.includes('serve') && kind === 'other';
}

/**
 * Ends the process without waiting for V8's compiler thread, which takes up to 0.1 s. The listeners of `exit` run first.
 * Node sets O_NONBLOCK on stdin, stdout and stderr, and other processes may share them. So this restores their flags, as
 * Node itself does at exit.
 */
function leaveAtOnce() {
  const before = [0, 1, 2].map(flagsOf);
  const usual = process.reallyExit;
  process.reallyExit = function leave(code) {
    const int = 'i32';
    const { fcntl, _exit } = require('node:ffi').dlopen(null, {
      fcntl: { return: int, arguments: [int, int, int] },
      _exit: { return: 'void', arguments: [int] },
    }).functions;
    for (const [fd, flags] of before.entries()) {
      if (flags === flagsOf(fd)) continue;
      // Without /proc.
      if (flags === undefined) return usual.call(process, code);
      fcntl(fd, F_SETFL, flags);
    }
    _exit(code ?? 0);
  };
}

/** The flags of an open file; undefined if it is closed. */
function flagsOf(fd) {
  try {
    return Number.parseInt(/^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))[1], 8);
  } catch {
    return undefined;
  }
}

/** The program's `require`: packages that it imports on demand are assets too. */
function load(name) {
  return packages.includes(name) ? run(name) : require(name);
}

/** The bytes of an asset, unpacked in one piece: in the usual pieces of 16 kB the same takes three times as long. */
function unpacked(name) {
  const size = packed[name];
  if (size === undefined) return bytes(name);
  return require('node:zlib').zstdDecompressSync(bytes(name), { chunkSize: Math.max(size + 1, LEAST_CHUNK) });
}

/** All of them are ASCII. */
function text(name) {
  return bytes(name).latin1Slice();
}

function bytes(name) {
  return Buffer.from(sea.getRawAsset(name));
}
