import type { Command } from 'commander';
import { visible } from '../../src/shared/model/visible.ts';
import { writeAll } from '../../src/shared/runtime/cni/respond.ts';
import { PROGRAM_VERSION } from '../../src/shared/runtime/program-version.ts';
import { addCheckPath } from './cli/check-path.ts';
import { addCluster } from './cli/cluster.ts';
import { addCompletion } from './cli/completion.ts';
import { addDoctor } from './cli/doctor.ts';
import { addEndpoint } from './cli/endpoint.ts';
import { addEvents } from './cli/events.ts';
import { addExplain } from './cli/explain.ts';
import { addHelp } from './cli/help.ts';
import { addInstall } from './cli/install.ts';
import { addNetwork } from './cli/network.ts';
import { addPorts } from './cli/ports.ts';
import { addSchema } from './cli/schema.ts';
import { addReload, addServe } from './cli/serve.ts';
import { addStatus } from './cli/status.ts';
import { writeOut } from './cli/stdout.ts';
import { addSupportBundle } from './cli/support-bundle.ts';
import { addTopology } from './cli/topology.ts';
import { addValidate } from './cli/validate.ts';
import { Verb } from './cli/verb.ts';
import { addVersion } from './cli/version.ts';

const STDERR = 2;

/** Returns the command line `isthmus` with all its verbs; nothing runs before it parses words. */
export function makeProgram(): Command {
  const program = new Verb('isthmus')
    .description('One container-networking core for Kubernetes, podman and Docker.')
    .version(PROGRAM_VERSION, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void writeOut(text),
      writeErr: (text) => void writeAll(STDERR, text.split('\n').map(visible).join('\n')),
    })
    .showHelpAfterError('Try --help.');
  addInstall(program);
  addServe(program);
  addStatus(program);
  addDoctor(program);
  addCheckPath(program);
  addNetwork(program);
  addEndpoint(program);
  addPorts(program);
  addTopology(program);
  addExplain(program);
  addValidate(program);
  addSchema(program);
  addCluster(program);
  addEvents(program);
  addSupportBundle(program);
  addReload(program);
  addCompletion(program);
  addVersion(program);
  addHelp(program);
  return program;
}
