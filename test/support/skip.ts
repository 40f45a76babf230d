/**
 * Skips the test, or all tests of the hook's block, if `missing` says what the machine lacks. Prints it: CI accepts only
 * what a kernel can lack.
 */
export function skipIf(context: Mocha.Context, missing: string | undefined): void {
  if (missing === undefined) return;
  console.log(`skipped: ${missing}`);
  context.skip();
}
