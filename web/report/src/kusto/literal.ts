// Text as a string literal of Kusto: learn.microsoft.com/kusto/query/scalar-data-types/string.
//
// Quoted with double quotes; a quote and a backslash are escaped, and every character that could end the line, hide,
// reorder or pile up becomes `\uXXXX` for each of its UTF-16 units. What is left on the line is what the literal holds.
import { isHarmless, isMark } from "../shell/inert";

export function literal(text: string): string {
  let out = '"';
  for (const character of text) {
    if (character === '"' || character === "\\") out += `\\${character}`;
    else if (isHarmless(character) && !isMark(character)) out += character;
    else
      for (let at = 0; at < character.length; at += 1)
        out += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return `${out}"`;
}

/** A moment as Kusto writes it. Only what is an RFC 3339 moment in UTC passes; anything else is no moment. */
export function moment(at: string): string | null {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(at) ? `datetime(${at.replace(/(\.\d{7})\d+Z$/, "$1Z")})` : null;
}
