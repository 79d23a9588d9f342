import ts from "typescript";
import { SWITCH } from "./work.ts";

/** One small break of a source file. */
export interface Mutant {
  /** Number within one run; what {@link SWITCH} is set to. */
  readonly id: number;
  readonly file: string;
  /** Starting at 1. */
  readonly line: number;
  readonly kind: MutantKind;
  /** What is around it, as `Class.method`, `outer.inner` or `CONSTANT`. */
  readonly within: string;
  /** What stands there, on one line. */
  readonly original: string;
  /** What stands there instead. */
  readonly replacement: string;
  /** Which of those that have all of this in common, from 1: a function may say one thing twice. */
  readonly nth: number;
}

export type MutantKind =
  | "condition negated"
  | "bound moved"
  | "equality inverted"
  | "operand dropped"
  | "arithmetic swapped"
  | "number moved by one"
  | "call removed"
  | "throw removed"
  | "return replaced"
  | "boolean flipped";

/** Literals of longer lists are tables of a specification; vectors made by others check those. */
const LONGEST_LIST_WITH_MUTANTS = 16;

const SWAPPED: ReadonlyMap<ts.SyntaxKind, readonly [MutantKind, string]> = new Map([
  [ts.SyntaxKind.LessThanToken, ["bound moved", "<="]],
  [ts.SyntaxKind.LessThanEqualsToken, ["bound moved", "<"]],
  [ts.SyntaxKind.GreaterThanToken, ["bound moved", ">="]],
  [ts.SyntaxKind.GreaterThanEqualsToken, ["bound moved", ">"]],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, ["equality inverted", "!=="]],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, ["equality inverted", "==="]],
  [ts.SyntaxKind.PlusToken, ["arithmetic swapped", "-"]],
  [ts.SyntaxKind.MinusToken, ["arithmetic swapped", "+"]],
  [ts.SyntaxKind.AsteriskToken, ["arithmetic swapped", "/"]],
  [ts.SyntaxKind.SlashToken, ["arithmetic swapped", "*"]],
  [ts.SyntaxKind.LessThanLessThanToken, ["arithmetic swapped", ">>"]],
  [ts.SyntaxKind.GreaterThanGreaterThanToken, ["arithmetic swapped", "<<"]],
  [ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken, ["arithmetic swapped", "<<"]],
  [ts.SyntaxKind.AmpersandToken, ["arithmetic swapped", "|"]],
  [ts.SyntaxKind.BarToken, ["arithmetic swapped", "&"]],
]);

/**
 * Writes all mutants of a source into it at once, each behind a switch, so that one load of the
 * program serves them all.
 *
 * @param file the path that mutants and messages name.
 * @param source TypeScript.
 */
export function instrument(
  file: string,
  source: string,
  { firstId = 0 }: { readonly firstId?: number } = {},
): { readonly code: string; readonly mutants: readonly Mutant[] } {
  const writer = new Instrumenter(file, source, firstId);
  return { code: writer.code(), mutants: writer.mutants };
}

class Instrumenter {
  readonly mutants: Mutant[] = [];
  readonly #file: string;
  readonly #tree: ts.SourceFile;
  readonly #firstId: number;
  /** How many there are of those that only their order tells apart. */
  readonly #alike = new Map<string, number>();

  constructor(file: string, source: string, firstId: number) {
    this.#file = file;
    this.#firstId = firstId;
    this.#tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  }

  code(): string {
    return this.#inside(this.#tree);
  }

  /** A node with its mutants around it, and theirs within it. */
  #render(node: ts.Node): string {
    if (isErased(node)) return node.getFullText(this.#tree);
    const trivia = node.getFullText(this.#tree).slice(0, node.getLeadingTriviaWidth(this.#tree));
    return trivia + this.#wrap(node, this.#inside(node).slice(trivia.length));
  }

  /** The text of a node, with its children rendered. */
  #inside(node: ts.Node): string {
    const text = this.#tree.text;
    const parts: string[] = [];
    let at = node.getFullStart();
    ts.forEachChild(node, (child) => {
      parts.push(text.slice(at, child.getFullStart()), this.#render(child));
      at = child.getEnd();
    });
    parts.push(text.slice(at, node.getEnd()));
    return parts.join("");
  }

  #wrap(node: ts.Node, rendered: string): string {
    if (isRemovable(node)) {
      const kind = ts.isThrowStatement(node) ? "throw removed" : "call removed";
      return `if (${this.#on(node, kind, ";")}) {} else { ${rendered} }`;
    }
    if (ts.isReturnStatement(node) && !isFalsy(node.expression)) {
      const on = this.#on(node, "return replaced", "return undefined;");
      return `{ if (${on}) return undefined; ${rendered} }`;
    }
    if (!ts.isExpression(node)) return rendered;
    const others = this.#expressionMutants(node);
    if (others.length === 0) return rendered;
    return `(${others.join("")}(${rendered}))`;
  }

  /** `switch ? replacement :` for each mutant of an expression. */
  #expressionMutants(node: ts.Expression): string[] {
    const text = node.getText(this.#tree);
    const found: string[] = [];
    const add = (kind: MutantKind, replacement: string) =>
      found.push(`${this.#on(node, kind, replacement)} ? (${replacement}) : `);
    if (isCondition(node)) add("condition negated", `!(${text})`);
    if (ts.isBinaryExpression(node)) this.#binaryMutants(node, add);
    if (ts.isNumericLiteral(node) && !isTableEntry(node)) {
      add("number moved by one", `${text} + 1`);
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword) add("boolean flipped", "false");
    if (node.kind === ts.SyntaxKind.FalseKeyword) add("boolean flipped", "true");
    if (ts.isArrowFunction(node.parent) && node.parent.body === node && !isFalsy(node)) {
      add("return replaced", "undefined");
    }
    return found;
  }

  #binaryMutants(
    node: ts.BinaryExpression,
    add: (kind: MutantKind, replacement: string) => void,
  ): void {
    const left = node.left.getText(this.#tree);
    const right = node.right.getText(this.#tree);
    const operator = node.operatorToken.kind;
    if (
      operator === ts.SyntaxKind.AmpersandAmpersandToken ||
      operator === ts.SyntaxKind.BarBarToken ||
      operator === ts.SyntaxKind.QuestionQuestionToken
    ) {
      add("operand dropped", left);
      return add("operand dropped", right);
    }
    const swapped = SWAPPED.get(operator);
    if (swapped === undefined || isText(node.left) || isText(node.right)) return;
    const [kind, sign] = swapped;
    // `x >>> 0` is the idiom for 32 unsigned bits and says nothing of a direction.
    if (operator === ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken && right === "0") return;
    // As the whole of a condition it is negated already.
    if (kind === "equality inverted" && isCondition(node)) return;
    add(kind, `${left} ${sign} ${right}`);
  }

  #on(node: ts.Node, kind: MutantKind, replacement: string): string {
    const id = this.#firstId + this.mutants.length;
    const { line } = this.#tree.getLineAndCharacterOfPosition(node.getStart(this.#tree));
    const original = oneLine(node.getText(this.#tree));
    replacement = oneLine(replacement);
    const within = nameAround(node);
    const alike = [within, original, replacement].join("\n");
    const nth = (this.#alike.get(alike) ?? 0) + 1;
    this.#alike.set(alike, nth);
    this.mutants.push({
      id,
      file: this.#file,
      line: line + 1,
      kind,
      within,
      original,
      replacement,
      nth,
    });
    return `globalThis.${SWITCH}(${id})`;
  }
}

/** Nothing of it is left at run time, or nothing of it may be wrapped. */
function isErased(node: ts.Node): boolean {
  return ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) || ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) || ts.isEnumDeclaration(node) ||
    ts.isPropertyName(node) && isNameOf(node);
}

function isNameOf(node: ts.Node): boolean {
  const parent = node.parent as { name?: ts.Node; propertyName?: ts.Node };
  return parent.name === node || parent.propertyName === node;
}

function isCondition(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) {
    return parent.expression === node;
  }
  return (ts.isConditionalExpression(parent) || ts.isForStatement(parent)) &&
    parent.condition === node;
}

/** A statement that only calls, or throws; `super()` has to stay. */
function isRemovable(node: ts.Node): boolean {
  if (ts.isThrowStatement(node)) return true;
  if (!ts.isExpressionStatement(node)) return false;
  let { expression } = node;
  while (ts.isAwaitExpression(expression) || ts.isVoidExpression(expression)) {
    expression = expression.expression;
  }
  return ts.isCallExpression(expression) &&
    expression.expression.kind !== ts.SyntaxKind.SuperKeyword;
}

/** What is returned is `undefined` or as good as that: `false` is flipped, which tells more. */
function isFalsy(node: ts.Expression | undefined): boolean {
  return node === undefined || node.kind === ts.SyntaxKind.FalseKeyword ||
    ts.isIdentifier(node) && node.text === "undefined";
}

function isText(node: ts.Expression): boolean {
  if (ts.isBinaryExpression(node)) return isText(node.left) || isText(node.right);
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}

function isTableEntry(node: ts.Node): boolean {
  for (let at = node.parent; at !== undefined; at = at.parent) {
    if (ts.isArrayLiteralExpression(at) && at.elements.length > LONGEST_LIST_WITH_MUTANTS) {
      return true;
    }
  }
  return false;
}

/**
 * The names of the functions, methods, fields and classes around a node, outermost first, and of
 * the constant when it stands in none of these.
 */
function nameAround(node: ts.Node): string {
  const names: string[] = [];
  for (let at = node.parent; at !== undefined; at = at.parent) {
    const name = nameOf(at);
    if (name !== undefined) names.unshift(name);
  }
  return names.join(".");
}

function nameOf(node: ts.Node): string | undefined {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  if (ts.isPropertyDeclaration(node)) return node.name.getText();
  if (ts.isVariableDeclaration(node)) return isLocal(node) ? undefined : node.name.getText();
  if (!ts.isFunctionLike(node) && !ts.isClassLike(node)) return undefined;
  const { parent } = node;
  return node.name?.getText() ??
    (ts.isVariableDeclaration(parent) && isLocal(parent) ? parent.name.getText() : undefined);
}

function isLocal(node: ts.VariableDeclaration): boolean {
  return !ts.isSourceFile(node.parent.parent.parent);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
