// The whole story in one strip, with the part that the timeline shows as a brush.
import { brushX, type D3BrushEvent } from "d3-brush";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { colour } from "../../shell/theme";
import type { Index } from "../index";
import { STAGES } from "../words";

export const OVERVIEW = 40;

export class Overview {
  private readonly brush = brushX<unknown>();
  private width = 0;
  private extent: [number, number] = [0, 1];
  private quiet = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly svg: SVGSVGElement,
    private readonly index: Index,
    brushed: (domain: [number, number]) => void,
  ) {
    this.brush.on("brush end", (event: D3BrushEvent<unknown>) => {
      if (this.quiet || !event.sourceEvent) return;
      const scale = scaleLinear(this.extent, [0, this.width]);
      const picked = event.selection as [number, number] | null;
      if (picked && picked[1] - picked[0] > 0.5) brushed([scale.invert(picked[0]), scale.invert(picked[1])]);
    });
  }

  resize(width: number, extent: [number, number]): void {
    this.width = width;
    this.extent = extent;
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = OVERVIEW * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${OVERVIEW}px`;
    this.svg.setAttribute("width", String(width));
    this.svg.setAttribute("height", String(OVERVIEW));
    this.brush.extent([[0, 1], [width, OVERVIEW - 1]]);
    select(this.svg).select<SVGGElement>("g").call(this.brush);
    this.paint();
  }

  paint(): void {
    const context = this.canvas.getContext("2d");
    if (!context || !this.width) return;
    const ratio = this.canvas.width / this.width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, OVERVIEW);
    const scale = scaleLinear(this.extent, [0, this.width]);
    const slots = new Uint32Array(Math.ceil(this.width / 2) + 2);
    for (const row of this.index.rows)
      for (const one of row.around) {
        const slot = Math.floor(scale(one.x) / 2);
        slots[slot] = (slots[slot] ?? 0) + one.mark.count;
      }
    const most = Math.log1p(slots.reduce((one, other) => Math.max(one, other), 1));
    context.fillStyle = colour("stage-around");
    slots.forEach((count, at) => {
      const height = (Math.log1p(count) / most) * (OVERVIEW - 16);
      if (count) context.fillRect(at * 2, OVERVIEW - 3 - height, 2, height);
    });
    const drawn = new Set<string>();
    for (const row of this.index.rows)
      for (const { x, mark } of row.chain) {
        const at = Math.round(scale(x));
        const depth = STAGES.indexOf(mark.stage ?? "use");
        const name = `${at} ${depth}`;
        if (drawn.has(name)) continue;
        drawn.add(name);
        context.fillStyle = colour(`stage-${mark.stage ?? "around"}`);
        context.fillRect(at - 1, 4 + depth * 5.5, 3, 6);
      }
    if (this.index.story.t0) {
      context.fillStyle = colour("limit");
      context.fillRect(scale(86), 2, 1.5, OVERVIEW - 4);
    }
  }

  /** Put the brush where the timeline is. */
  follow(domain: readonly [number, number]): void {
    const scale = scaleLinear(this.extent, [0, this.width]).clamp(true);
    const from = scale(domain[0]);
    this.quiet = true;
    select(this.svg).select<SVGGElement>("g").call(this.brush.move, [from, Math.max(scale(domain[1]), from + 1)]);
    this.quiet = false;
  }
}
