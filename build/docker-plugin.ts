import { join } from 'node:path';
import { makeDockerPlugin } from './docker-plugin-files.ts';

const DIST = join(import.meta.dirname, '../dist');

/** Builds dist/docker-plugin, the input of `docker plugin create`, from dist/cnm-shim. */
makeDockerPlugin(join(DIST, 'docker-plugin'), join(DIST, 'cnm-shim'));
console.log('docker-plugin: dist/docker-plugin');
