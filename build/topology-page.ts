import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const PAGE = join(import.meta.dirname, '../cmd/cnm-shim/topology/page');

export interface TopologyPage {
  /** One HTML document with its style and script inside: it loads nothing. */
  readonly html: string;
  /** Paths of the sources that it contains. */
  readonly inputs: readonly string[];
}

export async function buildTopologyPage(): Promise<TopologyPage> {
  const [script, style] = await Promise.all([built('app.ts'), built('style.css')]);
  // The texts are data to `replace`, where `$&` would have a meaning, so they come from functions.
  const html = readFileSync(join(PAGE, 'index.html'), 'utf8')
    .replace('/* style.css */', () => style.text)
    .replace('/* app.ts */', () => script.text.replaceAll('</script', '<\\/script'));
  return { html, inputs: [...script.inputs, ...style.inputs] };
}

async function built(entry: string): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(PAGE, entry)],
    absWorkingDir: PAGE,
    outdir: PAGE,
    write: false,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs).map((path) => join(PAGE, path));
  return { text: outputFiles.map(({ text }) => text).join(''), inputs };
}
