/**
 * Reading the documents that are tested against the program.
 *
 * @module
 */

/** A fenced block of code in a Markdown document. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", text = ""]) => ({ language, text }),
  );
}

/** The commands of a document's `sh` blocks, one each, with continued lines joined. */
export function shellCommands(markdown: string): string[] {
  return codeBlocks(markdown)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, "").split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** What a document's links point to, without anchors and without other hosts. */
export function localLinks(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}
