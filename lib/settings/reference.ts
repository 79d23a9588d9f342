import {
  type AnyField,
  type RecordShape,
  tablesBelow,
  wrapProse,
  wrapWords,
} from "../schema/mod.ts";

/** The reference of all settings of a file, in Markdown, behind what is said of it as a whole. */
export function renderReference(settings: RecordShape, opening: readonly string[]): string {
  const sections = [...tablesBelow(settings)].flatMap(({ title, doc, shape }) => {
    const values = [...shape.fields.values()].filter(({ kind }) => kind.shape === undefined);
    return [`## \`${title}\`\n\n${wrapProse(doc)}\n`, ...values.map(describe)];
  });
  return [...opening, ...sections].join("\n");
}

function describe(setting: AnyField): string {
  const { key, kind, doc } = setting;
  let presence = "optional";
  if ("required" in setting) presence = "required";
  // A default that could not be written, such as an empty path, stands for "absent".
  else if ("default" in setting && setting.default !== "") {
    presence = `default \`${kind.show(setting.default)}\``;
  }
  const form = wrapWords(`${capitalise(kind.doc)}; ${presence}.`.match(/(?:`[^`]*`|\S)+/g) ?? []);
  return `### \`${key}\`\n\n${form}\n\n${wrapProse(doc)}\n`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
