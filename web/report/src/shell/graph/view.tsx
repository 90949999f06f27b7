// A drawn graph: it moves and zooms, a click opens a box, arrow keys walk from one to the next.
import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, type ZoomBehavior, zoomIdentity } from "d3-zoom";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { inert } from "../inert";
import { type Arrow, type Box, curve, type Drawing, HEIGHT, type Point, WIDTH } from "./layout";

const MAX_HEIGHT = 620;
const TALL = 960; // of what fits into the width as it is
const SMALLEST = 0.62;
const STEPS: Record<string, readonly [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

interface Shown {
  lit: boolean;
  dim: boolean;
}

function Node<B extends Box & Point>(props: { node: B; look: Shown; first: boolean; open: (node: B) => void; walk: (event: KeyboardEvent, node: B) => void; reveal: (node: B) => void }): JSX.Element {
  const { node, look } = props;
  return (
    <g
      class={`node kind-${/^[a-z-]+$/.test(node.kind) ? node.kind : "other"} ${look.lit ? "lit" : ""} ${look.dim ? "dim" : ""} ${node.tone}`}
      transform={`translate(${node.x - WIDTH / 2},${node.y - HEIGHT / 2})`}
      role="button"
      tabindex={props.first ? 0 : -1}
      aria-pressed={look.lit}
      data-node={node.id}
      onClick={() => props.open(node)}
      onFocus={(event: FocusEvent) => {
        if ((event.currentTarget as Element).matches(":focus-visible")) props.reveal(node);
      }}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          props.open(node);
        } else props.walk(event, node);
      }}
    >
      <title>{node.said}</title>
      <rect width={WIDTH} height={HEIGHT} rx="8" />
      <rect class="edge-bar" width="5" height={HEIGHT} rx="2" />
      <g clip-path="url(#node-text)" aria-hidden="true">
        <text class="node-kind" x="14" y="17">
          {node.top}
        </text>
        <text class="node-name" x="14" y="34">
          {node.name}
        </text>
      </g>
    </g>
  );
}

export function GraphFrame<B extends Box, A extends Arrow>(props: {
  drawing: Drawing<B, A>;
  label: string;
  hint: ComponentChildren;
  lit: (node: B) => boolean;
  litEdge: (edge: A) => boolean;
  open: (node: B) => void;
  openEdge?: (edge: A) => void;
}): JSX.Element {
  const { drawing } = props;
  const frame = useRef<SVGSVGElement>(null);
  const behavior = useRef<ZoomBehavior<SVGSVGElement, unknown> | null>(null);
  const [moved, setMoved] = useState(zoomIdentity);
  const [wide, setWide] = useState(0);
  const [focus, setFocus] = useState("");
  const fit = wide ? Math.min(1, (wide - 2) / drawing.width) : 1;
  const height = Math.min(fit < 1 ? MAX_HEIGHT : TALL, Math.max(140, drawing.height * Math.max(fit, SMALLEST) + 8));

  useEffect(() => {
    const svg = frame.current;
    if (!svg) return undefined;
    const made = zoom<SVGSVGElement, unknown>()
      .scaleExtent([0.1, 3])
      .filter((event: Event) => (event instanceof WheelEvent ? event.ctrlKey || event.metaKey : !(event instanceof MouseEvent) || event.button === 0))
      .on("zoom", (event: D3ZoomEvent<SVGSVGElement, unknown>) => setMoved(event.transform));
    behavior.current = made;
    select(svg).call(made).on("dblclick.zoom", null);
    const measured = new ResizeObserver(() => setWide(svg.clientWidth));
    measured.observe(svg);
    return () => measured.disconnect();
  }, []);

  const whole = (): void => {
    const svg = frame.current;
    if (!svg || !behavior.current || !wide || !drawing.width) return;
    // Small enough to be whole, where that can still be read.
    const scale = Math.max(SMALLEST, Math.min(1, fit, height / drawing.height));
    const x = Math.max(0, (wide - drawing.width * scale) / 2);
    const y = Math.max(0, (height - drawing.height * scale) / 2);
    select(svg).call(behavior.current.transform, zoomIdentity.translate(x, y).scale(scale));
  };
  useEffect(whole, [wide, drawing]);

  /** Keys reach what the frame does not show: it moves there. */
  const reveal = (node: Point): void => {
    const svg = frame.current;
    if (!svg || !behavior.current) return;
    const { k, x, y } = moved;
    const left = node.x * k + x;
    const top = node.y * k + y;
    const [dx, dy] = [(WIDTH / 2) * k, (HEIGHT / 2) * k];
    if (left - dx >= 0 && left + dx <= wide && top - dy >= 0 && top + dy <= height) return;
    select(svg).call(behavior.current.transform, zoomIdentity.translate(wide / 2 - node.x * k, height / 2 - node.y * k).scale(k));
  };

  const walk = (event: KeyboardEvent, from: Point): void => {
    const [dx, dy] = STEPS[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    let best: (B & Point) | undefined;
    let least = Infinity;
    for (const node of drawing.nodes) {
      const along = (node.x - from.x) * dx + (node.y - from.y) * dy;
      const across = Math.abs((node.x - from.x) * dy) + Math.abs((node.y - from.y) * dx);
      if (along > 1 && along + across * 2 < least) [best, least] = [node, along + across * 2];
    }
    if (!best) return;
    const { id } = best;
    setFocus(id);
    const target = Array.from(frame.current?.querySelectorAll<SVGGElement>("[data-node]") ?? []).find((one) => one.getAttribute("data-node") === id);
    target?.focus();
  };

  const litNodes = new Set(drawing.nodes.filter(props.lit).map((node) => node.id));
  const litEdges = new Set(drawing.edges.filter((edge) => props.litEdge(edge) || litNodes.has(edge.source) || litNodes.has(edge.target)));
  const any = litNodes.size + litEdges.size > 0;
  const near = new Set([...litEdges].flatMap((edge) => [edge.source, edge.target]));
  const first = drawing.nodes.some((node) => node.id === focus) ? focus : drawing.nodes[0]?.id;
  return (
    <>
      <div class="toolbar">
        <span class="hint">{props.hint}</span>
        <div class="buttons">
          <button type="button" class="button" onClick={whole}>
            Fit
          </button>
        </div>
      </div>
      <svg ref={frame} class="graph-frame" height={height} role="group" aria-label={props.label}>
        <defs>
          <clipPath id="node-text">
            <rect width={WIDTH - 6} height={HEIGHT} />
          </clipPath>
          <marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
            <path d="M0,0L10,5L0,10Z" class="arrow" />
          </marker>
        </defs>
        <g transform={`translate(${moved.x},${moved.y}) scale(${moved.k})`}>
          {drawing.edges.map((edge) => {
            const on = litEdges.has(edge);
            const words = inert(edge.words, 44);
            return (
              <g
                key={`${edge.source}\n${edge.target}`}
                class={`edge ${edge.dashed ? "suspect" : ""} ${on ? "lit" : ""} ${any && !on ? "dim" : ""} ${props.openEdge ? "opens" : ""}`}
                aria-hidden="true"
                onClick={() => props.openEdge?.(edge)}
              >
                <path d={curve(edge.points)} marker-end="url(#arrow)" />
                <rect x={edge.label.x - words.length * 3.1 - 3} y={edge.label.y - 8} width={words.length * 6.2 + 6} height="16" rx="4" />
                <text x={edge.label.x} y={edge.label.y + 4} text-anchor="middle">
                  {words}
                </text>
              </g>
            );
          })}
          {drawing.nodes.map((node) => (
            <Node
              key={node.id}
              node={node}
              look={{ lit: litNodes.has(node.id), dim: any && !litNodes.has(node.id) && !near.has(node.id) }}
              first={node.id === first}
              open={props.open}
              walk={walk}
              reveal={reveal}
            />
          ))}
        </g>
      </svg>
    </>
  );
}
