import type { Setting, Table } from "./schema.ts";
import { SETTINGS } from "./settings.ts";

const INTRODUCTION = `# Configuration

mc-proxy reads one TOML file: \`mc-proxy server -c mc-proxy.toml\`. \`mc-proxy check -c mc-proxy.toml\`
says what is wrong with a file, all of it at once, and changes nothing. Unknown keys are errors.

- A duration is a string of a whole number and one unit: \`"300ms"\`, \`"5s"\`, \`"2m"\`, \`"1h"\`.
- A relative path starts in the directory where the program was started.
- Names, addresses and blocks may be written in any of their forms; they are compared in one.

\`deno task reference\` writes this page from the table of settings that the program itself uses.
`;

/** The reference of all settings, `docs/config.md`, in Markdown. */
export function renderConfigReference(): string {
  return [INTRODUCTION, ...sections(SETTINGS.table, [])].join("\n");
}

function* sections(table: Table | undefined, path: readonly string[]): Generator<string> {
  for (const setting of table?.settings ?? []) {
    const inner = setting.kind.table;
    if (inner === undefined) continue;
    const name = [...path, setting.key];
    const title = inner.repeated ? `[[${name.join(".")}]]` : `[${name.join(".")}]`;
    yield `## \`${title}\`\n\n${wrap(setting.doc)}\n`;
    for (const entry of inner.settings) {
      if (entry.kind.table === undefined) yield describe(entry);
    }
    yield* sections(inner, name);
  }
}

// deno-lint-ignore no-explicit-any -- see Table
function describe(setting: Setting<any>): string {
  const { key, kind, doc } = setting;
  let presence = "optional";
  if ("required" in setting) presence = "required";
  // A default that could not be written, such as an empty path, stands for "absent".
  else if ("default" in setting && setting.default !== "") {
    presence = `default \`${kind.show(setting.default)}\``;
  }
  return `### \`${key}\`\n\n${capitalise(kind.doc)}; ${presence}.\n\n${wrap(doc)}\n`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Breaks lines at 100 characters, as the formatter of this repository expects of prose. */
function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > 100) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}
