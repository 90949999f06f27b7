// The timeline: lanes by actor over a true time axis, its keys, its legend, and the gaps beside the lanes that they blind.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { inert } from "../../shell/inert";
import { Section, T } from "../../shell/widgets";
import type { Index, Placed } from "../index";
import type { Gap, Lane, Stage } from "../model";
import { Glyph } from "../pieces";
import { litBy, type Pick, type Selection } from "../select";
import { clock, length, since } from "../time";
import { GRADE_WORDS, LANE_WORDS, LANES, ORIGIN_WORDS, OUTCOME_WORDS, STAGE_WORDS, STAGES } from "../words";
import { type Band, DENSE } from "./arrange";
import { Board, type Hit, type Shown } from "./board";
import { Overview } from "./overview";

type Hidden = ReadonlySet<Stage | "around">;

/** A mark in a sentence, for those who do not see it. */
export function told(index: Index, { mark, x }: Placed): string {
  const stage = mark.stage ? `${mark.stage}, ${STAGE_WORDS[mark.stage]}` : "surrounds the chain";
  const origin = mark.origin === "suspect" ? "the pod could have written it" : `from ${mark.origin}`;
  const when = index.story.t0 ? since(x) : clock(index.zero + x);
  const many = mark.count > 1 ? `, ${mark.count} records` : "";
  return inert(`${when}. ${mark.title}. ${mark.detail}. ${LANE_WORDS[mark.lane]?.[0] ?? mark.lane}; ${stage}. Grade ${mark.grade}, ${origin}, ${mark.outcome}${many}.`, 600);
}

interface Props {
  index: Index;
  selection: Selection | null;
  pick: Pick;
  colours: number;
}

export function Timeline({ index, selection, pick, colours }: Props): JSX.Element {
  const wrap = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const strip = useRef<HTMLCanvasElement>(null);
  const brush = useRef<SVGSVGElement>(null);
  const board = useRef<Board | null>(null);
  const overview = useRef<Overview | null>(null);
  const reading = useRef<(view: Shown) => void>(() => undefined);
  const tipped = useRef(false);
  const [rows, setRows] = useState<readonly Band[]>([]);
  const [, setMoves] = useState(0);
  const [hidden, setHidden] = useState<Hidden>(new Set());
  const [active, setActive] = useState<Placed | null>(null);
  const [hover, setHover] = useState<{ hit: Hit; x: number; y: number } | null>(null);
  const [focused, setFocused] = useState(false);

  useEffect(() => {
    if (!wrap.current || !canvas.current || !strip.current || !brush.current) return undefined;
    const made = new Board(canvas.current, index, (view) => {
      // A frame of zooming renders the words of the view alone, not the whole part.
      setRows(view.bands);
      reading.current(view);
      if (tipped.current) setMoves((count) => count + 1);
      overview.current?.follow(view.domain);
    });
    const whole = new Overview(strip.current, brush.current, index, (domain) => made.show(domain));
    board.current = made;
    overview.current = whole;
    const measured = new ResizeObserver(() => {
      const width = wrap.current?.clientWidth ?? 0;
      if (!width) return;
      whole.resize(width, made.extent);
      made.resize(width, matchMedia("(max-width: 760px)").matches);
    });
    measured.observe(wrap.current);
    setActive(null);
    return () => {
      measured.disconnect();
      made.close();
      board.current = null;
    };
  }, [index]);

  useEffect(() => {
    board.current?.recolour();
    overview.current?.paint();
  }, [colours]);

  useEffect(() => board.current?.hide(hidden), [hidden]);

  useEffect(() => {
    const own = board.current;
    if (!own) return;
    own.selected = selection?.kind === "mark" ? selection.one : null;
    own.active = focused ? active : null;
    own.lit = litBy(index, selection);
    own.draw();
  }, [selection, active, focused, index]);

  const walk = useMemo(() => index.placed.filter((one) => !hidden.has(one.mark.stage ?? "around")), [index, hidden]);
  const go = (one: Placed | undefined): void => {
    if (!one) return;
    setActive(one);
    setHover(null);
    board.current?.reveal(one);
  };

  const key = (event: KeyboardEvent): void => {
    const own = board.current;
    if (!own || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = active ? walk.indexOf(active) : -1;
    const first = walk.find((one) => one.mark.stage) ?? walk[0];
    switch (event.key) {
      case "ArrowRight":
        go(at < 0 ? first : walk[Math.min(at + 1, walk.length - 1)]);
        break;
      case "ArrowLeft":
        go(at < 0 ? first : walk[Math.max(at - 1, 0)]);
        break;
      case "ArrowUp":
      case "ArrowDown":
        go(active ? beside(walk, active, event.key === "ArrowDown" ? 1 : -1) : first);
        break;
      case "Home":
        go(walk[0]);
        break;
      case "End":
        go(walk.at(-1));
        break;
      case "Enter":
      case " ":
        if (active) pick({ kind: "mark", one: active });
        break;
      case "+":
      case "=":
        own.zoomBy(1.6);
        break;
      case "-":
        own.zoomBy(1 / 1.6);
        break;
      case "0":
        own.reset();
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  const under = (event: MouseEvent): { hit: Hit; x: number; y: number } => {
    const box = canvas.current?.getBoundingClientRect();
    const x = event.clientX - (box?.left ?? 0);
    const y = event.clientY - (box?.top ?? 0);
    return { hit: board.current?.near(x, y) ?? {}, x, y };
  };
  const click = (event: MouseEvent): void => {
    const { hit } = under(event);
    if (hit.spot) {
      setActive(hit.spot.one);
      pick(hit.spot.more.length ? { kind: "marks", items: [hit.spot.one, ...hit.spot.more] } : { kind: "mark", one: hit.spot.one });
    } else if (hit.bin) {
      const items = hit.bin.around ? hit.bin.row.around : hit.bin.row.chain;
      pick({ kind: "marks", items: items.slice(hit.bin.from, hit.bin.to + 1) });
    }
  };
  const move = (event: MouseEvent): void => {
    const found = under(event);
    setHover(found.hit.spot || found.hit.bin ? found : null);
  };

  const at = active ? walk.indexOf(active) : -1;
  tipped.current = focused && active !== null;
  return (
    <Section title="Timeline" class="timeline" note={<Reading index={index} heard={reading} />}>
      <div class="toolbar">
        <Legend index={index} hidden={hidden} setHidden={setHidden} />
        <div class="buttons" role="group" aria-label="Zoom">
          <button type="button" class="button" onClick={() => board.current?.zoomBy(1.6)} aria-label="Zoom in">
            +
          </button>
          <button type="button" class="button" onClick={() => board.current?.zoomBy(1 / 1.6)} aria-label="Zoom out">
            {"\u2212"}
          </button>
          <button type="button" class="button" onClick={() => board.current?.reset()}>
            The chain
          </button>
          <button type="button" class="button" onClick={() => board.current?.all()}>
            Everything
          </button>
        </div>
      </div>
      <div class="lanes">
        <LaneColumn rows={rows} index={index} />
        <div
          ref={wrap}
          class="board"
          role="listbox"
          tabIndex={0}
          aria-label={`Timeline of ${index.placed.length} marks. Left and right walk through them, up and down change the lane, Enter opens the record, plus and minus zoom, 0 shows the chain.`}
          aria-activedescendant={focused && active ? `mark-${at}` : undefined}
          onKeyDown={key}
          onFocus={() => setFocused(true)}
          onBlur={() => setFocused(false)}
          onClick={click}
          onMouseMove={move}
          onMouseLeave={() => setHover(null)}
        >
          <canvas ref={canvas} aria-hidden="true" class={hover ? "over" : ""} />
          {active ? (
            <div key={at} id={`mark-${at}`} class="sr" role="option" aria-selected="true" aria-posinset={at + 1} aria-setsize={walk.length}>
              {told(index, active)}
            </div>
          ) : (
            <div class="sr" role="option" aria-selected="false">
              No mark is chosen
            </div>
          )}
          {focused && active && !hover ? <Tip index={index} hit={{}} one={active} place={board.current?.place(active) ?? [0, 0]} /> : null}
          {hover ? <Tip index={index} hit={hover.hit} one={hover.hit.spot?.one ?? null} place={[hover.x, hover.y]} /> : null}
        </div>
        <GapColumn rows={rows} index={index} />
      </div>
      <div class="overview" aria-hidden="true">
        <canvas ref={strip} />
        <svg ref={brush}>
          <g />
        </svg>
      </div>
      <p class="hint">Drag to move, Ctrl and scroll (or pinch) to zoom, or drag the edges of the strip above. With the keyboard: arrows, Enter, + and {"\u2212"}, 0.</p>
    </Section>
  );
}

/** The nearest mark in the next lane that has one. */
function beside(walk: readonly Placed[], from: Placed, step: number): Placed | undefined {
  for (let lane = LANES.indexOf(from.mark.lane) + step; lane >= 0 && lane < LANES.length; lane += step) {
    let best: Placed | undefined;
    for (const one of walk) {
      if (one.mark.lane !== LANES[lane]) continue;
      if (!best || Math.abs(one.x - from.x) < Math.abs(best.x - from.x)) best = one;
    }
    if (best) return best;
  }
  return undefined;
}

function Reading({ index, heard }: { index: Index; heard: { current: (view: Shown) => void } }): JSX.Element {
  const [shown, setShown] = useState<Shown | null>(null);
  useLayoutEffect(() => {
    heard.current = setShown;
  }, [heard]);
  if (!shown) return <>{index.placed.length} marks</>;
  const [from, to] = shown.domain;
  const marks = `${shown.visible} of ${index.placed.length} marks in view`;
  return (
    <>
      {marks}, {length(to - from)} from {clock(index.zero + from, 0.1)} to {clock(index.zero + to, 0.1)} UTC
      {shown.visible > DENSE ? "; so many are counted in bars, zoom in for single ones" : ""}
    </>
  );
}

function Legend(props: { index: Index; hidden: Hidden; setHidden: (hidden: Hidden) => void }): JSX.Element {
  const toggle = (stage: Stage | "around"): void => {
    const next = new Set(props.hidden);
    if (!next.delete(stage)) next.add(stage);
    props.setHidden(next);
  };
  return (
    <div class="legend" role="group" aria-label="Stages: press to hide or show">
      {([...STAGES, "around"] as const).map((stage) => (
        <button key={stage} type="button" class="stage-toggle" aria-pressed={!props.hidden.has(stage)} onClick={() => toggle(stage)} title={stage === "around" ? "what surrounds the chain" : STAGE_WORDS[stage]}>
          <Glyph stage={stage === "around" ? null : stage} size={18} />
          {stage === "around" ? "around it" : stage}
        </button>
      ))}
      <span class="key">
        <Glyph stage="reach" hollow letter="A" size={18} /> hollow: the pod could have written it
      </span>
      <span class="key">A to F: how surely it is this pod</span>
    </div>
  );
}

function LaneColumn({ rows, index }: { rows: readonly Band[]; index: Index }): JSX.Element {
  return (
    <div class="lane-names" aria-hidden="true">
      {rows.map((band) => (
        <div key={band.row.lane} style={{ top: `${band.top}px`, height: `${band.height}px` }}>
          <b>{LANE_WORDS[band.row.lane][0]}</b>
          <span>{index.placed.length && !band.row.chain.length && !band.row.around.length ? "nothing told" : LANE_WORDS[band.row.lane][1]}</span>
        </div>
      ))}
    </div>
  );
}

function GapColumn({ rows, index }: { rows: readonly Band[]; index: Index }): JSX.Element {
  return (
    <div class="lane-gaps" aria-label="What nobody could see, lane by lane" role="group">
      <h3>Nobody could see</h3>
      {rows.map((band) => {
        const gaps = index.gapsOf.get(band.row.lane) ?? [];
        return (
          <div key={band.row.lane} class={gaps.length ? "blind" : ""} style={{ top: `${band.top}px`, height: `${band.height}px` }}>
            <GapNote gaps={gaps} lane={band.row.lane} />
          </div>
        );
      })}
    </div>
  );
}

function GapNote({ gaps, lane }: { gaps: readonly Gap[]; lane: Lane }): JSX.Element {
  const [first] = gaps;
  if (!first) return <span class="muted">no gap told</span>;
  return (
    <>
      <span class="sr">{LANE_WORDS[lane][0]}: </span>
      <p title={inert(gaps.map((gap) => gap.text).join(" \u00b7 "), 1000)}>
        <b>{inert(first.stage, 20)}</b> <T v={first.text} limit={200} />
      </p>
      {gaps.length > 1 ? (
        <a class="more-gaps" href="#gaps">
          and {gaps.length - 1} more
        </a>
      ) : null}
    </>
  );
}

function Tip({ index, hit, one, place }: { index: Index; hit: Hit; one: Placed | null; place: readonly [number, number] }): JSX.Element {
  const [x, y] = place;
  const left = Math.max(8, x - (x > 420 ? 330 : -14));
  const style = { left: `${left}px`, top: `${y + 18}px` };
  if (!one) {
    const { bin } = hit;
    return (
      <div class="tip" style={style} aria-hidden="true">
        <b>{bin?.count ?? 0} events</b>
        <span>{bin ? bin.parts.map((part) => part.stage ?? "around it").join(", ") : ""}; click for a list</span>
      </div>
    );
  }
  const { mark } = one;
  return (
    <div class="tip" style={style} aria-hidden="true">
      <b>
        <T v={mark.title} limit={120} />
      </b>
      <span>
        {index.story.t0 ? `${since(one.x)} \u00b7 ` : ""}
        {clock(index.zero + one.x)} UTC{mark.count > 1 ? ` \u00b7 ${mark.count} records` : ""}
      </span>
      {mark.detail ? (
        <code>
          <T v={mark.detail} limit={160} />
        </code>
      ) : null}
      <span>
        Grade {mark.grade}: {GRADE_WORDS[mark.grade] ?? ""}. {ORIGIN_WORDS[mark.origin] ?? ""}.{mark.outcome === "denied" ? ` ${OUTCOME_WORDS.denied}.` : ""}
      </span>
      {hit.spot?.more.length ? <span>and {hit.spot.more.length} more here: click for a list</span> : null}
    </div>
  );
}
