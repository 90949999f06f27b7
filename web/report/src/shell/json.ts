// JSON laid out for reading, digit by digit as it was written.
//
// NOTE: parsed and written again, a number beyond 2^53 (nanoseconds, inode numbers, cookies) would be another one.

/** `text` with line breaks and indents where it is JSON, `text` itself where it is not. */
export function laidOut(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let out = "";
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (const [piece] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (piece === "{" || piece === "[") {
      depth += 1;
      out += piece + line();
    } else if (piece === "}" || piece === "]") {
      depth -= 1;
      const empty = /[{[]\s*$/.test(out.slice(-2 * depth - 6));
      out = empty ? out.trimEnd() + piece : out + line() + piece;
    } else if (piece === ",") out += piece + line();
    else out += piece === ":" ? ": " : piece;
  }
  return out;
}
