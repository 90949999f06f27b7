// Text from telemetry, made harmless to show: the same rules as `report/inert.py`, character by character.
//
// Control, hidden and reordering characters become visible escapes, floods of combining marks too. Letters of
// right-to-left scripts are escaped as well: they reorder digits and signs beside them without any control character.

const HIDDEN = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]$/u;
const MARK = /^\p{M}$/u;
const BLANK = /^[\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]$/u;
// Right-to-left scripts by block, without the signs in them that have no direction of their own (Unicode's Bidi_Class).
const RIGHT_TO_LEFT = /^[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]$/u;
const NEUTRAL =
  /^[\u0606\u0607\u0609\u060a\u060c\u060e\u060f\u066a\u06de\u06e9\u06f0-\u06f9\u07f6-\u07f9\ufb29\ufd3e-\ufd4f\ufdcf\ufdfd-\ufdff\u{1091f}\u{10b39}-\u{10b3f}\u{1eef0}\u{1eef1}]$/u;

const MARKS_PER_BASE = 2; // Vietnamese and Thai need two
const NAMED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

export const LIMIT = 480;

const known = new Map<string, boolean>();

export function isHarmless(character: string): boolean {
  if (character >= " " && character <= "~") return true;
  let found = known.get(character);
  if (found === undefined) {
    found =
      !HIDDEN.test(character) &&
      !BLANK.test(character) &&
      (!RIGHT_TO_LEFT.test(character) || MARK.test(character) || NEUTRAL.test(character));
    known.set(character, found);
  }
  return found;
}

export function isMark(character: string): boolean {
  return character > "\u02ff" && MARK.test(character);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return NAMED[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

const PLAIN = /^[!-~]+(?: [!-~]+)*$/;

function cells(text: string): string[] {
  const found: string[] = [];
  const characters = Array.from(text);
  let base = "";
  let marks = 0;
  characters.forEach((character, index) => {
    const mark = isMark(character);
    if (base && mark && marks < MARKS_PER_BASE && isHarmless(character)) {
      base += character;
      marks += 1;
      return;
    }
    if (base) found.push(base);
    base = "";
    marks = 0;
    const forging =
      character === " " && (index === 0 || index === characters.length - 1 || characters[index - 1] === " ");
    if (mark || forging || !isHarmless(character)) found.push(escaped(character));
    else if (character === " ") found.push(" ");
    else base = character;
  });
  if (base) found.push(base);
  return found;
}

/** `text` as one harmless line; what is longer than `limit` characters loses its middle. */
export function inert(text: string, limit: number = LIMIT): string {
  if (text === "" || (text.length <= limit && PLAIN.test(text))) return text;
  // The work is bounded by the limit: a cell has at most six UTF-16 units.
  const reach = limit * 6;
  const long = text.length > 2 * reach;
  const all = long ? [...cells(text.slice(0, reach)), ...cells(text.slice(-reach))] : cells(text);
  if (!long && all.length <= limit) return all.join("");
  const room = limit - 1;
  const tail = Math.floor(room / 2);
  return `${all.slice(0, room - tail).join("")}\u2026${tail ? all.slice(-tail).join("") : ""}`;
}

/** Lines of a raw record: each inert, line breaks kept. */
export function inertLines(text: string, limit: number): string {
  return text
    .slice(0, limit)
    .split("\n")
    .map((line) => {
      const indent = /^ */.exec(line)?.[0] ?? "";
      return indent + inert(line.slice(indent.length), limit);
    })
    .join("\n");
}

/** Whether somebody may paste `text` into a terminal and get what is shown. */
export function isPlain(text: string): boolean {
  return inert(text, Number.MAX_SAFE_INTEGER / 12) === text;
}

/** JSON text in which nothing acts on a terminal: escapes that mean the same to every parser. */
export function harmlessJson(text: string): string {
  return Array.from(text, (character) =>
    character === "\n" || isHarmless(character)
      ? character
      : Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  ).join("");
}
