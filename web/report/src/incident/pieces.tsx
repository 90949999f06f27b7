// Small pieces of the story that several parts show.
import type { JSX } from "preact";
import { inert } from "../shell/inert";
import { T } from "../shell/widgets";
import type { Index } from "./index";
import type { Grade, Origin, Stage } from "./model";
import type { Pick } from "./select";
import { GRADE_WORDS, ORIGIN_WORDS } from "./words";
import { path } from "./timeline/glyphs";

/** The mark of a stage, as the timeline draws it. */
export function Glyph(props: { stage: Stage | null; hollow?: boolean; letter?: string; size?: number }): JSX.Element {
  const stage = props.stage ?? "around";
  const size = props.size ?? 22;
  return (
    <svg class={`glyph stage-${stage} ${props.hollow ? "hollow" : ""}`} width={size} height={size} viewBox="-12 -12 24 24" aria-hidden="true">
      <path d={path(stage, 9)} />
      {props.letter ? (
        <text y={stage === "run" ? 6 : 3.6} text-anchor="middle">
          {props.letter}
        </text>
      ) : null}
    </svg>
  );
}

export function Sure({ grade, origin }: { grade: Grade; origin: Origin }): JSX.Element {
  return (
    <span class={`sure ${origin === "suspect" ? "hollow" : ""}`} title={`Grade ${inert(grade)}: ${GRADE_WORDS[grade] ?? ""}. ${ORIGIN_WORDS[origin] ?? ""}`}>
      <b>{inert(grade, 8)}</b> {inert(origin, 24)}
    </span>
  );
}

/** The name of an entity, as a button that picks it. */
export function Ref({ index, id, pick }: { index: Index; id: string; pick: Pick }): JSX.Element {
  const entity = index.entities.get(id);
  if (!entity) return <T v={id} />;
  return (
    <button type="button" class="link" onClick={() => pick({ kind: "entity", id })}>
      <span class="kind">{inert(entity.kind)}</span> <T v={entity.name} />
    </button>
  );
}
