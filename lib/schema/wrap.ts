/** As the formatter of this repository expects of prose, in characters. */
const LINE_WIDTH = 100;

/** Breaks a text of a generated document into lines; all but the first begin with `indent`. */
export function wrapProse(text: string, indent = ""): string {
  return wrapWords(text.split(" "), indent);
}

/** {@link wrapProse} of words that may hold spaces, such as code. */
export function wrapWords(words: readonly string[], indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > LINE_WIDTH) {
      lines.push(line);
      line = indent + word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}
