/**
 * What programs that send dynamic updates need.
 *
 * @module
 */

/** A file of a text; disposing of it removes it. */
export async function temporaryFile(
  text: string,
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}
