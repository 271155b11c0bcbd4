/**
 * `text` as one line that cannot steer a terminal: line breaks, control characters and the characters that reverse the
 * direction of text are shown as escapes. Metadata and error messages come from others.
 */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

// C0, DEL and C1; line and paragraph separators; directional marks, embeddings, overrides and isolates; lone surrogates.
const unsafe = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
