// A story, looked up: marks in the order of time, entities and raw records by what points to them.
import type { Entity, Evidence, Gap, IdentityStory, Lane, Link, Mark, Stage, Story } from "./model";
import { seconds } from "./time";
import { LANES, STAGE_LANE, STAGES } from "./words";

/** A mark with its place: `x` and `end` are seconds since the story's zero. */
export interface Placed {
  mark: Mark;
  at: number;
  x: number;
  end: number;
}

export interface Row {
  lane: Lane;
  /** What is told of the chain, and what surrounds it; both in the order of time. */
  chain: Placed[];
  around: Placed[];
  /** What of the chain went on for a while. */
  spans: Placed[];
}

export interface Index {
  story: Story;
  /** Seconds since 1970 of what `x` counts from: T0, or the first mark where nothing landed. */
  zero: number;
  placed: Placed[];
  rows: Row[];
  from: number;
  to: number;
  entities: Map<string, Entity>;
  marksOf: Map<string, Placed[]>;
  linksOf: Map<string, Link[]>;
  identityOf: Map<string, IdentityStory>;
  gapsOf: Map<Lane | "", Gap[]>;
  firstOf: Map<Stage, Placed>;
  record: (evidence: Evidence) => { text: string; cut: number } | undefined;
}

function key(evidence: Evidence): string {
  return `${evidence.source}\n${evidence.file}\n${evidence.line}`;
}

function push<K, V>(map: Map<K, V[]>, name: K, value: V): void {
  const found = map.get(name);
  if (found) found.push(value);
  else map.set(name, [value]);
}

function place(story: Story, zero: number): Placed[] {
  const counted = story.t0 !== "";
  const found = story.marks.map((mark) => {
    const x = counted ? mark.offset_s : seconds(mark.at) - zero;
    const until = mark.until ? seconds(mark.until) - zero : x;
    const safe = Number.isFinite(x) ? x : 0;
    return { mark, at: 0, x: safe, end: Number.isFinite(until) && until > safe ? until : safe };
  });
  found.sort((one, other) => one.x - other.x);
  found.forEach((one, at) => {
    one.at = at;
  });
  return found;
}

export function build(story: Story): Index {
  const starts = [seconds(story.t0), seconds(story.first), ...story.marks.slice(0, 1).map((one) => seconds(one.at))];
  const zero = starts.find(Number.isFinite) ?? 0;
  const placed = place(story, zero);
  const rows = LANES.map((lane): Row => ({ lane, chain: [], around: [], spans: [] }));
  const byLane = new Map(rows.map((row) => [row.lane, row]));
  const marksOf = new Map<string, Placed[]>();
  const firstOf = new Map<Stage, Placed>();
  let to = story.t0 ? 86 : 1;
  let from = 0;
  for (const one of placed) {
    const { mark } = one;
    const row = byLane.get(mark.lane);
    (mark.stage ? row?.chain : row?.around)?.push(one);
    if (mark.stage && one.end > one.x) row?.spans.push(one);
    if (mark.actor) push(marksOf, mark.actor, one);
    if (mark.subject && mark.subject !== mark.actor) push(marksOf, mark.subject, one);
    // T0 is the latest landing: what came before it is no first of the chain. Clocks differ by up to 2 s, though.
    const before = mark.stage ? firstOf.get(mark.stage) : undefined;
    if (mark.stage && one.x >= (mark.stage === "land" ? -0.0005 : -2) && (!before || (before.x < -0.0005 && one.x >= -0.0005)))
      firstOf.set(mark.stage, one);
    from = Math.min(from, one.x);
    to = Math.max(to, one.end);
  }
  const linksOf = new Map<string, Link[]>();
  for (const link of story.links) {
    push(linksOf, link.source, link);
    if (link.target !== link.source) push(linksOf, link.target, link);
  }
  const gapsOf = new Map<Lane | "", Gap[]>();
  for (const gap of story.gaps) {
    const stage = STAGES.find((one) => one === gap.stage);
    push(gapsOf, stage ? STAGE_LANE[stage] : "", gap);
  }
  const records = new Map(story.records.map((one) => [key(one.evidence), one]));
  return {
    story,
    zero,
    placed,
    rows,
    from,
    to,
    entities: new Map(story.entities.map((one) => [one.id, one])),
    marksOf,
    linksOf,
    identityOf: new Map([...story.exposed, ...story.identities].filter((one) => one.entity).map((one) => [one.entity, one])),
    gapsOf,
    firstOf,
    record: (evidence) => records.get(key(evidence)),
  };
}

/** Where the sorted `items` first reach `x`. */
export function bisect(items: readonly Placed[], x: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.x ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is shown first: the chain up to its first long silence, with T0 and the 86 s line in it. */
export function opening(index: Index): [number, number] {
  const chain = index.placed.filter((one) => one.mark.stage);
  const told = chain.length ? chain : index.placed;
  let from = Math.min(0, told.find((one) => one.x >= -300)?.x ?? 0);
  let to = index.story.t0 ? 90 : 0;
  for (const one of told) {
    if (one.x < from) continue;
    if (one.x - to > Math.max(120, to - from)) break;
    to = Math.max(to, one.x);
  }
  // A chain that is over in seconds is shown large: the line stands beyond.
  const last = Math.max(0, ...told.filter((one) => one.x >= from && one.x <= to).map((one) => one.end));
  if (last > 0 && last < 25) to = last * 1.2;
  if (to - from < 1e-3) to = from + 1;
  const pad = (to - from) * 0.04;
  from -= pad;
  return [from, to + pad * 2.5];
}
