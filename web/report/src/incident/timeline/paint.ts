// Draws a scene on the canvas: axis, lanes, the 86 s line, marks and bins.
import { colour } from "../../shell/theme";
import type { Index, Placed } from "../index";
import type { Stage } from "../model";
import { clock, since } from "../time";
import { LANE_WORDS, STAGES } from "../words";
import { type Band, GLYPH, type Scale, type Scene, type Spot } from "./arrange";
import { trace } from "./glyphs";
import { ticks } from "./ticks";

export const AXIS = 46;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export interface Palette {
  stage: Record<Stage | "around", string>;
  ink: string;
  soft: string;
  line: string;
  panel: string;
  lane: string;
  letter: string;
  accent: string;
  limit: string;
  within: string;
}

export function palette(): Palette {
  const stage = Object.fromEntries([...STAGES, "around" as const].map((one) => [one, colour(`stage-${one}`)]));
  return {
    stage: stage as Palette["stage"],
    ink: colour("ink"),
    soft: colour("soft"),
    line: colour("line"),
    panel: colour("panel"),
    lane: colour("lane"),
    letter: colour("on-stage"),
    accent: colour("accent"),
    limit: colour("limit"),
    within: colour("within"),
  };
}

export interface View {
  index: Index;
  bands: readonly Band[];
  scene: Scene;
  scale: Scale;
  domain: readonly [number, number];
  width: number;
  height: number;
  colours: Palette;
  /** Lanes' names stand on the canvas where there is no column for them. */
  named: boolean;
  selected: Placed | null;
  active: Placed | null;
  lit: ReadonlySet<Placed> | null;
}

/** `text` cut to `room` pixels. Harmless text is left to right: its pixels follow its characters. */
function cut(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle).trimEnd()}\u2026`).width <= room) low = middle;
    else high = middle - 1;
  }
  return low > 3 ? `${text.slice(0, low).trimEnd()}\u2026` : "";
}

export function paint(context: CanvasRenderingContext2D, view: View): void {
  const { width, height, colours } = view;
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.direction = "ltr";
  paintLanes(context, view);
  paintAxis(context, view);
  paintLimit(context, view);
  for (const bin of view.scene.bins) {
    let bottom = bin.base;
    for (const part of bin.parts) {
      context.fillStyle = colours.stage[part.stage ?? "around"];
      const size = bin.height * part.share;
      context.fillRect(bin.x, bottom - size, bin.width, size);
      bottom -= size;
    }
  }
  for (const spot of view.scene.spots) if (!spot.one.mark.stage) paintSpot(context, view, spot);
  for (const spot of view.scene.spots) if (spot.one.mark.stage) paintSpot(context, view, spot);
  for (const one of [view.selected, view.active]) if (one) paintRing(context, view, one, one === view.active);
}

function paintLanes(context: CanvasRenderingContext2D, view: View): void {
  view.bands.forEach((band, at) => {
    context.fillStyle = at % 2 ? view.colours.panel : view.colours.lane;
    context.fillRect(0, band.top, view.width, band.height);
  });
}

function paintAxis(context: CanvasRenderingContext2D, view: View): void {
  const { colours, scale, index } = view;
  const { step, at } = ticks(view.domain, view.width);
  context.lineWidth = 1;
  context.textAlign = "center";
  const zeroed = index.story.t0 !== "";
  for (const one of at) {
    const x = Math.round(scale(one)) + 0.5;
    context.strokeStyle = colours.line;
    context.beginPath();
    context.moveTo(x, AXIS - 6);
    context.lineTo(x, view.height);
    context.stroke();
    if (x < 34 || x > view.width - 34) continue;
    context.fillStyle = colours.ink;
    context.font = `600 12px ${FONT}`;
    context.fillText(zeroed ? since(one, Math.min(step, 1)) : `+${one.toFixed(step < 1 ? 3 : 0)} s`, x, 13);
    context.fillStyle = colours.soft;
    context.font = `11px ${FONT}`;
    context.fillText(clock(index.zero + one, Math.min(step, 0.1)), x, 30);
  }
  if (view.named) {
    context.textAlign = "right";
    context.font = `600 11px ${FONT}`;
    context.fillStyle = colours.soft;
    for (const band of view.bands) context.fillText(LANE_WORDS[band.row.lane][0], view.width - 6, band.top + band.height - 9);
  }
}

/** T0, the 86 s after it, and the line where they end. */
function paintLimit(context: CanvasRenderingContext2D, view: View): void {
  if (view.index.story.t0 === "") return;
  const { colours, scale } = view;
  const start = scale(0);
  const end = scale(86);
  context.fillStyle = colours.within;
  const left = Math.max(0, start);
  const right = Math.min(view.width, end);
  if (right > left) context.fillRect(left, AXIS, right - left, view.height - AXIS);
  for (const [x, name, dashed] of [[start, "T0", false], [end, "86 s", true]] as const) {
    if (x < -20 || x > view.width + 20) continue;
    context.strokeStyle = dashed ? colours.limit : colours.ink;
    context.lineWidth = dashed ? 2 : 1.5;
    context.setLineDash(dashed ? [6, 4] : []);
    context.beginPath();
    context.moveTo(x, AXIS - 4);
    context.lineTo(x, view.height);
    context.stroke();
    context.setLineDash([]);
    context.font = `700 11px ${FONT}`;
    context.textAlign = "center";
    const half = context.measureText(name).width / 2 + 6;
    context.fillStyle = dashed ? colours.limit : colours.ink;
    context.beginPath();
    context.roundRect(x - half, AXIS - 8, half * 2, 16, 8);
    context.fill();
    context.fillStyle = colours.panel;
    context.fillText(name, x, AXIS + 0.5);
  }
}

function paintSpot(context: CanvasRenderingContext2D, view: View, spot: Spot): void {
  const { colours } = view;
  const { mark } = spot.one;
  const shape = mark.stage ?? "around";
  const hollow = mark.origin === "suspect";
  const main = colours.stage[shape];
  context.globalAlpha = view.lit && !view.lit.has(spot.one) ? 0.22 : 1;
  if (spot.end > spot.x + GLYPH) {
    context.strokeStyle = main;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(spot.x, spot.y);
    context.lineTo(spot.end, spot.y);
    context.moveTo(spot.end, spot.y - 4);
    context.lineTo(spot.end, spot.y + 4);
    context.stroke();
  }
  trace(context, shape, spot.x, spot.y, GLYPH);
  context.fillStyle = hollow ? colours.panel : main;
  context.fill();
  context.strokeStyle = hollow ? main : colours.panel;
  context.lineWidth = hollow ? 2 : 1;
  context.stroke();
  if (mark.stage) paintLetters(context, view, spot, hollow, main);
  context.globalAlpha = 1;
}

function paintLetters(context: CanvasRenderingContext2D, view: View, spot: Spot, hollow: boolean, main: string): void {
  const { colours } = view;
  const { mark } = spot.one;
  context.textAlign = "center";
  context.font = `700 10px ${FONT}`;
  context.fillStyle = hollow ? main : colours.letter;
  context.fillText(mark.grade, spot.x, spot.y + (mark.stage === "run" ? 2.5 : 0.5));
  if (mark.outcome === "denied") {
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(spot.x - GLYPH, spot.y + GLYPH);
    context.lineTo(spot.x + GLYPH, spot.y - GLYPH);
    context.stroke();
  }
  const text = spot.more.length ? `+${spot.more.length} ${spot.label}` : spot.label;
  context.font = `12px ${FONT}`;
  context.fillStyle = colours.ink;
  if (spot.before) {
    context.textAlign = "right";
    context.fillText(cut(context, text, spot.room), spot.x - GLYPH - 6, spot.y + 0.5);
    return;
  }
  const start = Math.max(spot.x, spot.end) + GLYPH + 8;
  const room = Math.min(spot.room, view.width - start - 2);
  if (room < 26 || !text) return;
  context.textAlign = "left";
  context.fillText(cut(context, text, room), start, spot.y + 0.5);
}

function paintRing(context: CanvasRenderingContext2D, view: View, one: Placed, active: boolean): void {
  const spot = view.scene.spots.find((each) => each.one === one || each.more.includes(one));
  const band = view.bands.find((each) => each.row.lane === one.mark.lane);
  const x = spot?.x ?? view.scale(one.x);
  const y = spot?.y ?? (band ? band.top + band.height / 2 : 0);
  if (x < -GLYPH || x > view.width + GLYPH) return;
  context.strokeStyle = view.colours.accent;
  context.lineWidth = 2.5;
  context.setLineDash(active ? [] : [3, 3]);
  context.beginPath();
  context.arc(x, y, GLYPH + 4, 0, 2 * Math.PI);
  context.stroke();
  context.setLineDash([]);
}
