/** What is between words; other characters that nobody sees are parts of them. */
const SPACE = /[ \t\r]/;
/** What ends a word that is not in quotation marks. */
const DELIMITERS = /[ \t\r\n;()]/;

/** A word of a zone file, escapes kept, quotation marks gone. */
export interface ZoneWord {
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly isQuoted: boolean;
}

/** An entry of a zone file: what a line says, or several in parentheses. */
export interface ZoneLine {
  readonly words: readonly ZoneWord[];
  /** It begins with space: its owner is the one before. */
  readonly continuesOwner: boolean;
}

/** Something that a zone file must not say, and where. */
export interface ZoneProblem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly message: string;
}

/**
 * The entries of a zone file (RFC 1035 §5.1), each with the words it has. Stops at the first thing
 * after which nothing can be told: a quotation mark or a parenthesis that has no other.
 */
export class ZoneLines {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #problem: ZoneProblem | undefined;

  /** @param text one character for each octet. */
  constructor(text: string) {
    this.#text = text;
  }

  /** Why the file was not read to its end. */
  get problem(): ZoneProblem | undefined {
    return this.#problem;
  }

  /** The next entry that says something; undefined after the last. */
  next(): ZoneLine | undefined {
    while (this.#at < this.#text.length && this.#problem === undefined) {
      const continuesOwner = SPACE.test(this.#text[this.#at] as string);
      const words = this.#words();
      if (words.length > 0 && this.#problem === undefined) return { words, continuesOwner };
    }
    return undefined;
  }

  #words(): ZoneWord[] {
    const words: ZoneWord[] = [];
    let opened: ZoneProblem | undefined;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (char === "\n") {
        this.#newLine();
        if (opened !== undefined) continue;
        this.#at++;
        return words;
      }
      if (SPACE.test(char)) continue;
      if (char === ";") this.#skipComment();
      else if (char === "(" && opened === undefined) {
        opened = this.#problemHere("( is never closed");
      } else if (char === ")" && opened !== undefined) opened = undefined;
      else if (char === "(" || char === ")") return this.#fail(`${char} has no other`);
      else {
        const word = this.#word();
        if (word === undefined) return [];
        words.push(word);
      }
    }
    if (opened !== undefined) this.#problem = opened;
    return words;
  }

  /** Reads one word and stays on its last character. */
  #word(): ZoneWord | undefined {
    const { line, column } = this.#problemHere("");
    const isQuoted = this.#text[this.#at] === '"';
    let text = "";
    let isOpen = false;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (char === "\n" && isOpen) break;
      if (!isOpen && DELIMITERS.test(char)) break;
      if (char === '"') {
        isOpen = !isOpen;
        // Two texts that touch are two words.
        if (!isOpen && isQuoted) break;
        continue;
      }
      text += char;
      // What is hidden is no sign, be it a space.
      if (char === "\\" && this.#text[this.#at + 1] !== "\n") text += this.#text[++this.#at] ?? "";
    }
    if (isOpen) return void (this.#problem = { line, column, message: '" is never closed' });
    if (this.#text[this.#at] !== '"') this.#at--;
    return { text, line, column, isQuoted };
  }

  #skipComment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = (end < 0 ? this.#text.length : end) - 1;
  }

  #newLine(): void {
    this.#line++;
    this.#lineStart = this.#at + 1;
  }

  #fail(message: string): ZoneWord[] {
    this.#problem = this.#problemHere(message);
    return [];
  }

  #problemHere(message: string): ZoneProblem {
    return { line: this.#line, column: this.#at - this.#lineStart + 1, message };
  }
}
