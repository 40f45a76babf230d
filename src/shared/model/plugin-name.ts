/** What is wrong with a name of a Docker plugin; undefined if one can have it. */
export function pluginNameFault(name: string): { readonly what: string; readonly hint: string } | undefined {
  if (/^[A-Za-z0-9][\w.-]{0,127}$/.test(name)) return undefined;
  const hint = /[/:]/.test(name)
    ? 'Only dockerd runs managed plugins; name one that listens on a socket of its own'
    : 'Write the name of its file in the plugin directories, without the ending';
  return { what: 'is not the name of a plugin', hint };
}
