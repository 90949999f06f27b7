// The graph: pods, packages, processes, identities and what they reached; a click picks, arrow keys walk.
import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, type ZoomBehavior, zoomIdentity } from "d3-zoom";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { inert } from "../../shell/inert";
import { Empty, Few, Section, T } from "../../shell/widgets";
import type { Index } from "../index";
import { Sure } from "../pieces";
import { lightsEntity, type Pick, type Selection } from "../select";
import { seconds, since } from "../time";
import { curve, draw, HEIGHT, type Node, WIDTH } from "./layout";

const MAX_HEIGHT = 620;
const SMALLEST = 0.62;
const STEPS: Record<string, readonly [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function Box(props: { index: Index; node: Node; lit: boolean; dim: boolean; first: boolean; pick: Pick; walk: (event: KeyboardEvent, node: Node) => void; reveal: (node: Node) => void }): JSX.Element {
  const { node, index } = props;
  const { entity } = node;
  const name = entity ? inert(entity.name, 25) : `${node.members.length} more`;
  const state = entity ? (index.identityOf.get(entity.id)?.state ?? entity.state) : "";
  const open = (): void => props.pick(entity ? { kind: "entity", id: entity.id } : { kind: "entities", name: node.kind, ids: node.members });
  const said = entity ? `${entity.kind} ${inert(entity.name, 120)}${state ? `, ${inert(state, 40)}` : ""}` : `${node.members.length} more of kind ${inert(node.kind, 40)}`;
  return (
    <g
      class={`node kind-${/^[a-z]+$/.test(node.kind) ? node.kind : "other"} ${props.lit ? "lit" : ""} ${props.dim ? "dim" : ""} ${/^(taken|used)$/.test(state) ? "taken" : ""}`}
      transform={`translate(${node.x - WIDTH / 2},${node.y - HEIGHT / 2})`}
      role="button"
      tabindex={props.first ? 0 : -1}
      aria-pressed={props.lit}
      data-node={node.id}
      onClick={open}
      onFocus={(event: FocusEvent) => {
        if ((event.currentTarget as Element).matches(":focus-visible")) props.reveal(node);
      }}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open();
        } else props.walk(event, node);
      }}
    >
      <title>{said}</title>
      <rect width={WIDTH} height={HEIGHT} rx="8" />
      <rect class="edge-bar" width="5" height={HEIGHT} rx="2" />
      <g clip-path="url(#node-text)" aria-hidden="true">
        <text class="node-kind" x="14" y="17">
          {inert(node.kind, 24)}
          {state ? ` \u00b7 ${inert(state, 16)}` : ""}
        </text>
        <text class="node-name" x="14" y="34">
          {name}
        </text>
      </g>
    </g>
  );
}

export function GraphView({ index, selection, pick }: { index: Index; selection: Selection | null; pick: Pick }): JSX.Element {
  const drawing = useMemo(() => draw(index), [index]);
  const frame = useRef<SVGSVGElement>(null);
  const behavior = useRef<ZoomBehavior<SVGSVGElement, unknown> | null>(null);
  const [moved, setMoved] = useState(zoomIdentity);
  const [wide, setWide] = useState(0);
  const [focus, setFocus] = useState("");
  const lit = lightsEntity(selection);
  const fit = wide ? Math.min(1, (wide - 2) / drawing.width) : 1;
  const height = Math.min(MAX_HEIGHT, Math.max(140, drawing.height * Math.max(fit, SMALLEST) + 8));

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
  }, [index]);

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
  const reveal = (node: Node): void => {
    const svg = frame.current;
    if (!svg || !behavior.current) return;
    const { k, x, y } = moved;
    const left = node.x * k + x;
    const top = node.y * k + y;
    const [dx, dy] = [(WIDTH / 2) * k, (HEIGHT / 2) * k];
    if (left - dx >= 0 && left + dx <= wide && top - dy >= 0 && top + dy <= height) return;
    select(svg).call(behavior.current.transform, zoomIdentity.translate(wide / 2 - node.x * k, height / 2 - node.y * k).scale(k));
  };

  const walk = (event: KeyboardEvent, from: Node): void => {
    const [dx, dy] = STEPS[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    let best: Node | undefined;
    let least = Infinity;
    for (const node of drawing.nodes) {
      const along = (node.x - from.x) * dx + (node.y - from.y) * dy;
      const across = Math.abs((node.x - from.x) * dy) + Math.abs((node.y - from.y) * dx);
      if (along > 1 && along + across * 2 < least) [best, least] = [node, along + across * 2];
    }
    if (!best) return;
    setFocus(best.id);
    const target = Array.from(frame.current?.querySelectorAll<SVGGElement>("[data-node]") ?? []).find((one) => one.getAttribute("data-node") === best.id);
    target?.focus();
  };

  if (!drawing.nodes.length)
    return (
      <Section title="Who reached what">
        <Empty>No entity of this story is known.</Empty>
      </Section>
    );
  const near = new Set(drawing.edges.flatMap((edge) => (litNode(edge.source, lit) || litNode(edge.target, lit) ? [edge.source, edge.target] : [])));
  return (
    <Section title="Who reached what" class="graph" note={`${index.entities.size} entities, ${index.story.links.length} links; read from left to right`}>
      <div class="toolbar">
        <span class="hint">Pick one to light it on the timeline. Dashed: the pod could have written it. Letters: the grade.</span>
        <div class="buttons">
          <button type="button" class="button" onClick={whole}>
            Fit
          </button>
        </div>
      </div>
      <svg ref={frame} class="graph-frame" height={height} role="group" aria-label="Graph of entities; arrow keys walk from one to the next, Enter opens">
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
            const on = litNode(edge.source, lit) || litNode(edge.target, lit);
            return (
              <g key={`${edge.source}\n${edge.target}`} class={`edge ${edge.suspect ? "suspect" : ""} ${on ? "lit" : ""} ${lit.size && !on ? "dim" : ""}`} aria-hidden="true">
                <path d={curve(edge.points)} marker-end="url(#arrow)" />
                <rect x={edge.label.x - edge.words.length * 3.1 - 3} y={edge.label.y - 8} width={edge.words.length * 6.2 + 6} height="16" rx="4" />
                <text x={edge.label.x} y={edge.label.y + 4} text-anchor="middle">
                  {inert(edge.words, 40)}
                </text>
              </g>
            );
          })}
          {drawing.nodes.map((node, at) => (
            <Box
              key={node.id}
              index={index}
              node={node}
              lit={litNode(node.id, lit)}
              dim={lit.size > 0 && !litNode(node.id, lit) && !near.has(node.id)}
              first={focus ? node.id === focus : at === 0}
              pick={pick}
              walk={walk}
              reveal={reveal}
            />
          ))}
        </g>
      </svg>
      <LinkList index={index} pick={pick} />
    </Section>
  );
}

function litNode(id: string, lit: ReadonlySet<string>): boolean {
  return id.startsWith("own ") && lit.has(id.slice(4));
}

function LinkList({ index, pick }: { index: Index; pick: Pick }): JSX.Element {
  const name = (id: string): string => index.entities.get(id)?.name ?? id;
  return (
    <details>
      <summary>The graph as a list</summary>
      <Few items={index.story.links} step={50} what="links">
        {(links) => (
          <ul class="links">
            {links.map((link, at) => (
              <li key={at}>
                <button type="button" class="link" onClick={() => pick({ kind: "entity", id: link.source })}>
                  <T v={name(link.source)} limit={120} />
                </button>{" "}
                <i>{inert(link.kind, 40)}</i>{" "}
                <button type="button" class="link" onClick={() => pick({ kind: "entity", id: link.target })}>
                  <T v={name(link.target)} limit={120} />
                </button>{" "}
                <span class="muted">{index.story.t0 ? since(seconds(link.at) - index.zero) : ""}</span> <Sure grade={link.grade} origin={link.origin} />
                {link.join_key ? (
                  <span class="muted">
                    {" "}
                    joined by <T v={link.join_key} limit={80} />
                  </span>
                ) : null}
              </li>
            ))}
          </ul>
        )}
      </Few>
    </details>
  );
}
