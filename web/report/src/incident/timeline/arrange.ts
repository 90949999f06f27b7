// What is drawn where: marks one by one while they are few, bins where they are many.
import { bisect, type Index, type Placed, type Row } from "../index";
import type { Stage } from "../model";
import { STAGES } from "../words";

export const DENSE = 2000; // marks in view above which they are counted in bins
export const GLYPH = 9; // half of a mark's width
export const ROW = 27; // height of a row of marks
export const FLOOR = 22; // height of the strip for what surrounds the chain
const BIN = 6;
const MAX_ROWS = 5;
const LABEL = 250; // what a label claims of its row; it takes more where nothing follows
const ROOM = 460;

export interface Spot {
  one: Placed;
  x: number;
  y: number;
  end: number;
  label: string;
  room: number;
  /** The label stands before the mark, because nothing fits behind it. */
  before: boolean;
  /** Marks that found no place of their own and stand behind this one. */
  more: Placed[];
}

export interface Bin {
  row: Row;
  x: number;
  width: number;
  base: number;
  height: number;
  parts: { stage: Stage | null; share: number }[];
  from: number;
  to: number;
  count: number;
  around: boolean;
}

export interface Band {
  row: Row;
  top: number;
  height: number;
}

export interface Scene {
  spots: Spot[];
  bins: Bin[];
  visible: number;
}

export type Scale = (x: number) => number;
export type Keep = (one: Placed) => boolean;

/** How many rows each lane needs so that its marks stand side by side in this view, and how high it is then. */
export function bands(index: Index, scale: Scale, width: number, top: number, keep: Keep, text: (one: Placed) => string): Band[] {
  let at = top;
  return index.rows.map((row) => {
    const ends: number[] = [];
    let few = 0;
    for (const one of row.chain) {
      const x = scale(one.x);
      if (x < 0 || x > width || !keep(one)) continue;
      if ((few += 1) > 300) break;
      let free = ends.findIndex((end) => end <= x - GLYPH - 4);
      if (free < 0) free = ends.length < MAX_ROWS ? ends.push(0) - 1 : 0;
      ends[free] = claim(x, text(one));
    }
    const height = Math.max(1, ends.length) * ROW + FLOOR + 8;
    const band = { row, top: at, height };
    at += height;
    return band;
  });
}

function claim(x: number, label: string): number {
  return x + GLYPH + Math.min(LABEL, 14 + label.length * 6.4);
}

function within(items: readonly Placed[], from: number, to: number): [number, number] {
  return [bisect(items, from), bisect(items, to)];
}

function rowSpots(band: Band, items: readonly Placed[], scale: Scale, width: number, text: (one: Placed) => string): Spot[] {
  const count = Math.max(1, Math.floor((band.height - FLOOR) / ROW));
  const last: (Spot | undefined)[] = new Array<Spot | undefined>(count).fill(undefined);
  const labels = new Array<number>(count).fill(-Infinity);
  const spots: Spot[] = [];
  for (const one of items) {
    const x = scale(one.x);
    let free = labels.findIndex((end) => end <= x - GLYPH - 4);
    if (free < 0) {
      // No row is free: the label that loses least is cut, never a mark.
      let best = 2 * GLYPH + 2;
      last.forEach((before, at) => {
        const gap = x - (before?.x ?? -Infinity);
        if (gap > best) [best, free] = [gap, at];
      });
    }
    if (free < 0) {
      const behind = last[count - 1];
      behind?.more.push(one);
      continue;
    }
    const label = text(one);
    const end = Math.max(x, Math.min(scale(one.end), width + 50));
    const wanted = claim(0, label);
    const space = x - GLYPH - Math.max(labels[free] ?? 0, 0);
    const front = end + wanted > width && end < x + GLYPH && space > Math.min(wanted, width - end);
    const spot: Spot = { one, x, y: band.top + 6 + ROW * free + ROW / 2, end, label, room: front ? space - 12 : ROOM, before: front, more: [] };
    const before = last[free];
    if (before && !before.before) before.room = Math.min(before.room, (front ? x - wanted : x) - Math.max(before.x, before.end) - 2 * GLYPH - 8);
    last[free] = spot;
    labels[free] = front ? x + GLYPH : claim(Math.max(end, x), label);
    spots.push(spot);
  }
  return spots;
}

function rowBins(band: Band, items: readonly Placed[], range: [number, number], scale: Scale, keep: Keep, around: boolean): Bin[] {
  const bins = new Map<number, { from: number; to: number; count: number; stages: number[] }>();
  for (let at = range[0]; at < range[1]; at += 1) {
    const one = items[at];
    if (!one || !keep(one)) continue;
    const slot = Math.floor(scale(one.x) / BIN);
    const found = bins.get(slot);
    const stage = one.mark.stage ? STAGES.indexOf(one.mark.stage) : STAGES.length;
    if (found) {
      found.to = at;
      found.count += one.mark.count;
      found.stages[stage] = (found.stages[stage] ?? 0) + 1;
    } else {
      const stages: number[] = [];
      stages[stage] = 1;
      bins.set(slot, { from: at, to: at, count: one.mark.count, stages });
    }
  }
  let most = 1;
  for (const bin of bins.values()) most = Math.max(most, bin.count);
  const room = around ? FLOOR - 6 : band.height - FLOOR - 12;
  const base = around ? band.top + band.height - 3 : band.top + band.height - FLOOR - 2;
  return Array.from(bins, ([slot, bin]) => {
    const marks = bin.stages.reduce((sum, count) => sum + (count ?? 0), 0);
    return {
      row: band.row,
      x: slot * BIN,
      width: BIN - 1,
      base,
      // Logarithmic: one mark among thousands must still be seen.
      height: Math.max(3, (Math.log1p(bin.count) / Math.log1p(most)) * room),
      parts: Array.from(bin.stages, (count, at) => ({ stage: STAGES[at] ?? null, share: (count ?? 0) / marks })).filter((part) => part.share > 0),
      from: bin.from,
      to: bin.to,
      count: bin.count,
      around,
    };
  });
}

/** Everything that this view shows. Bounded: at most `DENSE` marks, or as many bins as fit into the width. */
export function arrange(given: {
  placed: readonly Band[];
  domain: readonly [number, number];
  scale: Scale;
  width: number;
  keep: Keep;
  text: (one: Placed) => string;
}): Scene {
  const { placed, domain, scale, width, keep, text } = given;
  const slack = ((domain[1] - domain[0]) * 2 * GLYPH) / Math.max(width, 1);
  const from = domain[0] - slack;
  const to = domain[1] + slack;
  let chains = 0;
  let surroundings = 0;
  const ranges = placed.map(({ row }) => {
    const chain = within(row.chain, from, to);
    const around = within(row.around, from, to);
    chains += chain[1] - chain[0];
    surroundings += around[1] - around[0];
    return { chain, around };
  });
  const scene: Scene = { spots: [], bins: [], visible: chains + surroundings };
  placed.forEach((band, at) => {
    const range = ranges[at];
    if (!range) return;
    const { chain, around } = band.row;
    if (chains > DENSE) scene.bins.push(...rowBins(band, chain, range.chain, scale, keep, false));
    else {
      // What began before the view and goes on in it.
      const open = band.row.spans.filter((one) => one.x < from && one.end > domain[0]);
      const items = [...open.slice(-20), ...chain.slice(range.chain[0], range.chain[1])].filter(keep);
      scene.spots.push(...rowSpots(band, items, scale, width, text));
    }
    if (chains + surroundings > DENSE) scene.bins.push(...rowBins(band, around, range.around, scale, keep, true));
    else
      for (const one of around.slice(range.around[0], range.around[1]))
        if (keep(one))
          scene.spots.push({ one, x: scale(one.x), y: band.top + band.height - FLOOR / 2, end: scale(one.end), label: "", room: 0, before: false, more: [] });
  });
  return scene;
}
