/** One import statement, dynamic import or run-time look-up of a module. */
export interface Import {
  readonly specifier: string;
  /** `types` is gone at run time; `dynamic` runs when it is reached. */
  readonly kind: 'types' | 'static' | 'dynamic';
}

const STATEMENT = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[^'"();=]*?\bfrom\s*)?(['"])([^'"]+)\2/gm;
const CALL = /(\btypeof\s+)?\b(?:import|require|getBuiltinModule)\s*\(\s*(['"`])([^'"`]+)\2/g;

/** The imports of a module's source. `import { type A }` counts as static: the statement stays at run time. */
export function importsOf(source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [
    ...Array.from(code.matchAll(STATEMENT), ([, type, , specifier = '']): Import => {
      return { specifier, kind: type === undefined ? 'static' : 'types' };
    }),
    ...Array.from(code.matchAll(CALL), ([, type, , specifier = '']): Import => {
      return { specifier, kind: type === undefined ? 'dynamic' : 'types' };
    }),
  ];
}
