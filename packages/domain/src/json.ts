/** Deeper values are refused; requests of this service have a handful of levels. */
const maxDepth = 1000;

/**
 * `JSON.parse` for objects whose keys somebody else chose. V8 from Node 22 on (nodejs/node#63785) may read a key that is
 * written with an escape as another key that an earlier, similar object had: after `{"a":1,"\\":1}`, `{"a":1,"\n":1}`
 * comes out with the key `\`. For metadata that is a wrong edit, and the earlier object may be another team's. A text
 * without a backslash cannot be affected and takes the native way; single strings are not affected either.
 * @throws SyntaxError when the text is not JSON, or nested more than 1,000 levels deep where it has a backslash.
 */
export function parseJson(text: string): unknown {
  return text.includes("\\") ? new Reader(text).read() : JSON.parse(text);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): unknown {
    const value = this.#value(0);
    if (this.#next() !== undefined) throw this.#unexpected();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > maxDepth) throw new SyntaxError(`JSON is nested more than ${maxDepth} levels deep`);
    switch (this.#next()) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = [];
    this.#at += 1;
    while (!this.#takes("}")) {
      if (entries.length > 0) this.#expect(",");
      if (this.#next() !== '"') throw this.#unexpected();
      const key = this.#string();
      this.#expect(":");
      entries.push([key, this.#value(depth + 1)]);
    }
    // It defines properties, so that `__proto__` is a key like any other; of equal keys the last one counts.
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown {
    const values: unknown[] = [];
    this.#at += 1;
    while (!this.#takes("]")) {
      if (values.length > 0) this.#expect(",");
      values.push(this.#value(depth + 1));
    }
    return values;
  }

  #string(): string {
    const literal = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
    const found = this.#match(literal);
    if (found === undefined) throw this.#unexpected();
    return String(JSON.parse(found));
  }

  #scalar(): unknown {
    const found = this.#match(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (found === undefined) throw this.#unexpected();
    return JSON.parse(found);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** The next character that is not white space, without taking it. */
  #next(): string | undefined {
    this.#match(/[ \t\n\r]*/y);
    return this.#text[this.#at];
  }

  #takes(character: string): boolean {
    if (this.#next() !== character) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#takes(character)) throw this.#unexpected();
  }

  #unexpected(): SyntaxError {
    const character = this.#text[this.#at];
    return new SyntaxError(
      character === undefined
        ? "Unexpected end of JSON"
        : `Unexpected ${JSON.stringify(character)} in JSON at ${this.#at}`,
    );
  }
}
