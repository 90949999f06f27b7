// The timeline without its frame: a canvas, what zooms it, and what is under the pointer.
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, type ZoomBehavior, zoomIdentity } from "d3-zoom";
import { inert } from "../../shell/inert";
import { type Index, opening, type Placed } from "../index";
import type { Lane, Stage } from "../model";
import { arrange, type Band, bands, type Bin, GLYPH, type Keep, type Scene, type Spot } from "./arrange";
import { AXIS, paint, palette, type Palette } from "./paint";

export interface Hit {
  spot?: Spot;
  bin?: Bin;
}

export interface Shown {
  domain: [number, number];
  visible: number;
  bands: readonly Band[];
}

const MAX_ZOOM = 1e8;

export class Board {
  private readonly behavior: ZoomBehavior<HTMLCanvasElement, unknown>;
  private readonly context: CanvasRenderingContext2D;
  private readonly whole: [number, number];
  private readonly labels = new Map<Placed, string>();
  private width = 0;
  private height = 0;
  private placed: Band[] = [];
  private scene: Scene = { spots: [], bins: [], visible: 0 };
  private domain: [number, number];
  private colours: Palette = palette();
  private frame = 0;
  private named = false;
  private hidden: ReadonlySet<Stage | "around"> = new Set();
  selected: Placed | null = null;
  active: Placed | null = null;
  lit: ReadonlySet<Placed> | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly index: Index,
    private readonly shown: (view: Shown) => void,
  ) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas here");
    this.context = context;
    const pad = Math.max((index.to - index.from) * 0.03, 1e-3);
    const first = opening(index);
    this.whole = [Math.min(index.from - pad, first[0]), Math.max(index.to + pad, first[1])];
    this.domain = first;
    this.behavior = zoom<HTMLCanvasElement, unknown>()
      .scaleExtent([1, MAX_ZOOM])
      .filter((event: Event) => {
        if (event instanceof WheelEvent) return event.ctrlKey || event.metaKey || event.altKey;
        return event instanceof MouseEvent ? event.button === 0 : true;
      })
      .wheelDelta((event: WheelEvent) => {
        // A trackpad's pinch comes as small steps with the control key.
        const unit = event.deltaMode === 1 ? 0.05 : event.deltaMode ? 1 : 0.002;
        return -event.deltaY * unit * (Math.abs(event.deltaY) < 30 ? 6 : 1);
      })
      .on("zoom", (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
        const { k, x } = event.transform;
        const scale = this.base();
        this.domain = [scale.invert(-x / k), scale.invert((this.width - x) / k)];
        this.draw();
      });
    select(canvas).call(this.behavior).on("dblclick.zoom", null);
  }

  private base() {
    return scaleLinear(this.whole, [0, this.width]);
  }

  private readonly keep: Keep = (one) => !this.hidden.has(one.mark.stage ?? "around");

  private readonly text = (one: Placed): string => {
    let found = this.labels.get(one);
    if (found === undefined) {
      found = inert(one.mark.title, 60) + (one.mark.count > 1 ? ` \u00d7${one.mark.count}` : "");
      this.labels.set(one, found);
    }
    return found;
  };

  resize(width: number, named: boolean): void {
    this.width = Math.max(width, 50);
    this.named = named;
    this.rows(this.domain);
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.behavior.extent([[0, 0], [this.width, this.height]]).translateExtent([[0, 0], [this.width, this.height]]);
    this.show(this.domain);
  }

  private rows(domain: readonly [number, number]): void {
    const scale = scaleLinear(domain, [0, this.width]);
    this.placed = bands(this.index, scale, this.width, AXIS + 4, this.keep, this.text);
    const last = this.placed.at(-1);
    this.height = (last ? last.top + last.height : AXIS) + 4;
  }

  recolour(): void {
    this.colours = palette();
    this.draw();
  }

  hide(stages: ReadonlySet<Stage | "around">): void {
    this.hidden = stages;
    this.draw();
  }

  /** Show `domain`, as far as there is something. */
  show(domain: readonly [number, number]): void {
    const scale = this.base();
    const from = Math.max(domain[0], this.whole[0]);
    const to = Math.min(domain[1], this.whole[1]);
    if (!(to > from) || !this.width) return;
    const k = Math.min(MAX_ZOOM, (this.whole[1] - this.whole[0]) / (to - from));
    select(this.canvas).call(this.behavior.transform, zoomIdentity.scale(k).translate(-scale(from), 0));
  }

  reset(): void {
    this.show(opening(this.index));
  }

  all(): void {
    this.show(this.whole);
  }

  get extent(): [number, number] {
    return this.whole;
  }

  zoomBy(factor: number): void {
    select(this.canvas).call(this.behavior.scaleBy, factor);
  }

  /** Move so that `one` is in view. */
  reveal(one: Placed): void {
    const [from, to] = this.domain;
    if (one.x >= from && one.x <= to) return;
    const span = to - from;
    // As little as needed, so that the reader keeps the place; far away, into the middle.
    const near = one.x > from - span && one.x < to + span;
    const wanted = !near ? one.x - span / 2 : one.x < from ? one.x - span * 0.1 : one.x - span * 0.8;
    const start = Math.min(Math.max(wanted, this.whole[0]), this.whole[1] - span);
    this.show([start, start + span]);
  }

  near(x: number, y: number): Hit {
    let best = (GLYPH + 4) ** 2;
    const hit: Hit = {};
    for (const spot of this.scene.spots) {
      const dx = x > spot.x && x < spot.end ? 0 : Math.min(Math.abs(x - spot.x), Math.abs(x - spot.end));
      const distance = dx ** 2 + (y - spot.y) ** 2;
      if (distance <= best) {
        best = distance;
        hit.spot = spot;
      }
    }
    if (hit.spot) return hit;
    const bin = this.scene.bins.find(
      (one) => x >= one.x - 1 && x <= one.x + one.width + 1 && y <= one.base + 2 && y >= one.base - Math.max(one.height, 12),
    );
    return bin ? { bin } : {};
  }

  /** Where a mark stands, for what is shown beside it. */
  place(one: Placed): [number, number] {
    const spot = this.scene.spots.find((each) => each.one === one);
    if (spot) return [spot.x, spot.y];
    const band = this.lane(one.mark.lane);
    return [scaleLinear(this.domain, [0, this.width])(one.x), band ? band.top + band.height / 2 : 0];
  }

  private lane(lane: Lane): Band | undefined {
    return this.placed.find((band) => band.row.lane === lane);
  }

  draw(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.now());
  }

  now(): void {
    this.frame = 0;
    if (!this.width) return;
    const scale = scaleLinear(this.domain, [0, this.width]);
    const { domain, width, height, keep, text } = this;
    this.scene = arrange({ placed: this.placed, domain, scale, width, keep, text });
    paint(this.context, {
      ...{ index: this.index, bands: this.placed, scene: this.scene, scale, domain, width, height },
      ...{ colours: this.colours, named: this.named, selected: this.selected, active: this.active, lit: this.lit },
    });
    this.shown({ domain, visible: this.scene.visible, bands: this.placed });
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    select(this.canvas).on(".zoom", null);
  }
}
