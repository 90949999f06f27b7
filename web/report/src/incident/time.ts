// Moments to a microsecond, told in UTC and as seconds since T0.
import { inert } from "../shell/inert";

/** Seconds since 1970 of an RFC 3339 moment, with all its digits; NaN for what is none. */
export function seconds(at: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(at);
  if (!match) return Number.NaN;
  const whole = Date.parse(`${match[1]}${match[3]}`) / 1000;
  return match[2] === undefined ? whole : whole + Number(`0.${match[2]}`);
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}

/** `16:55:38.532`, with as many decimals as `step` (seconds between two labels) needs. */
export function clock(epoch: number, step = 0.001): string {
  if (!Number.isFinite(epoch)) return "";
  const decimals = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step) - 1e-9));
  const scaled = Math.round(epoch * 10 ** decimals);
  const whole = Math.floor(scaled / 10 ** decimals);
  const date = new Date(whole * 1000);
  if (Number.isNaN(date.getTime())) return "";
  const text = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  return decimals ? `${text}.${pad(scaled - whole * 10 ** decimals, decimals)}` : text;
}

export function day(epoch: number): string {
  const date = new Date(epoch * 1000);
  if (Number.isNaN(date.getTime())) return "";
  return `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
}

/** A whole moment for people: `2026-11-23 16:55:38.532 UTC`; what is no moment stays as it is. */
export function utc(at: string): string {
  const epoch = seconds(at);
  return Number.isFinite(epoch) ? `${day(epoch)} ${clock(epoch)} UTC` : inert(at, 60);
}

/** `T+85.7 s`, `T+6 min 52 s`, `T−31.2 s`. */
export function since(offset: number, step = 0.1): string {
  return `T${offset < 0 ? "\u2212" : "+"}${length(Math.abs(offset), step)}`;
}

/** A span of seconds in the two largest units that matter. */
export function length(span: number, step = 0.1): string {
  if (!Number.isFinite(span)) return "?";
  if (span < 120) {
    const decimals = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step) - 1e-9));
    return `${span.toFixed(decimals)} s`;
  }
  const units: readonly [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  let left = Math.round(span);
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${name}`);
    if (parts.length === 2 || (parts.length && !left)) break;
  }
  return parts.join(" ") || "0 s";
}
