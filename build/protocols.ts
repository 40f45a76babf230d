import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';

const { parse } = protobuf;
const { FileDescriptorProto, FileDescriptorSet } = descriptor;

const ROOT = join(import.meta.dirname, '..');
const GENERATOR = join(ROOT, 'node_modules/ts-proto/protoc-gen-ts_proto');

/** The messages that Isthmus exchanges with etcd. */
export const PROTOCOL = join(ROOT, 'src/shared/store/etcd/rpc.proto');
export const OUTPUT = join(ROOT, 'src/shared/store/etcd/rpc.generated.ts');

/** Numbers of 64 bits as bigint, a oneof as a discriminated union, services as tables of paths and codecs. */
const OPTIONS = [
  ...[
    'env=node',
    'forceLong=bigint',
    'oneof=unions-value',
    'outputServices=generic-definitions',
    'outputClientImpl=false',
  ],
  ...['esModuleInterop=true', 'importSuffix=.js', 'outputJsonMethods=false', 'outputPartialMethods=false'],
  ...['enumsAsLiterals=true', 'unrecognizedEnum=false', 'useReadonlyTypes=true', 'useExactTypes=false'],
  ...['snakeToCamel=keys', 'onlyTypes=false', 'annotateFilesWithVersion=false', 'outputSchema=false'],
];

/** The parts of protoc's google/protobuf/compiler/plugin.proto that pass one file to a generator, and back. */
const PLUGIN = `syntax = "proto3";
message Request { repeated string file_to_generate = 1; string parameter = 2; repeated bytes proto_file = 15; }
message Response { string error = 1; repeated File file = 15; message File { string name = 1; string content = 15; } }
`;

/** Generates the TypeScript module of one protocol; throws if the generator refuses it. Needs no protoc. */
export function generateProtocol(file: string): string {
  const name = basename(file);
  const { root } = parse(readFileSync(file, 'utf8'), { keepCase: true });
  const described = toDescriptor(root.resolveAll());
  const [first] = FileDescriptorSet.toObject(described).file;
  qualify(first, root.lookup(first.package));
  const proto = FileDescriptorProto.encode(FileDescriptorProto.fromObject({ ...first, name })).finish();
  const plugin = parse(PLUGIN).root;
  const request = { fileToGenerate: [name], parameter: OPTIONS.join(','), protoFile: [proto] };
  const input = plugin.lookupType('Request').encode(request).finish();
  const ran = spawnSync(process.execPath, [GENERATOR], { input, maxBuffer: 64 << 20 });
  if (ran.status !== 0) throw new Error(`${GENERATOR}: ${ran.error ?? ran.stderr}`);
  const response = plugin.lookupType('Response');
  const { error, file: files } = response.toObject(response.decode(ran.stdout));
  if (error) throw new Error(`${name}: ${error}`);
  return `// Generated from ${name} by \`npm run protocols\`.\n${files[0].content}`;
}

/** Completes the names of types, as protoc writes them: protobufjs leaves out what the scope implies. */
function qualify(part: Part, scope: protobuf.ReflectionObject | null): void {
  if (!(scope instanceof protobuf.Namespace)) throw new Error(`${scope}: not a scope of names`);
  for (const item of [...(part.field ?? []), ...(part.method ?? [])])
    for (const key of ['typeName', 'inputType', 'outputType'] as const) {
      const name = item[key];
      if (name !== undefined) item[key] = scope.lookup(name)?.fullName ?? name;
    }
  for (const inner of [...(part.messageType ?? []), ...(part.nestedType ?? []), ...(part.service ?? [])])
    qualify(inner, scope.get(inner.name ?? ''));
}

/** A file, message or service of descriptor.proto. */
interface Part {
  readonly name?: string;
  readonly messageType?: readonly Part[];
  readonly nestedType?: readonly Part[];
  readonly service?: readonly Part[];
  readonly field?: readonly Names[];
  readonly method?: readonly Names[];
}

interface Names {
  typeName?: string;
  inputType?: string;
  outputType?: string;
}

/** protobufjs/ext/descriptor adds the method to its class, and no type says so. */
function toDescriptor(root: object): protobuf.Message {
  return (root as { toDescriptor(edition: string): protobuf.Message }).toDescriptor('proto3');
}

if (import.meta.main) writeFileSync(OUTPUT, generateProtocol(PROTOCOL));
