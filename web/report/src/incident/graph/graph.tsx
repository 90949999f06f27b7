// The graph: pods, packages, processes, identities and what they reached.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { GraphFrame } from "../../shell/graph/view";
import { inert } from "../../shell/inert";
import { Empty, Few, Section, T } from "../../shell/widgets";
import type { Index } from "../index";
import { Sure } from "../pieces";
import { lightsEntity, type Pick, type Selection } from "../select";
import { seconds, since } from "../time";
import { draw } from "./layout";

export function GraphView({ index, selection, pick }: { index: Index; selection: Selection | null; pick: Pick }): JSX.Element {
  const drawing = useMemo(() => draw(index), [index]);
  const lit = lightsEntity(selection);
  if (!drawing.nodes.length)
    return (
      <Section title="Who reached what">
        <Empty>No entity of this story is known.</Empty>
      </Section>
    );
  return (
    <Section title="Who reached what" class="graph" note={`${index.entities.size} entities, ${index.story.links.length} links; read from left to right`}>
      <GraphFrame
        drawing={drawing}
        label="Graph of entities; arrow keys walk from one to the next, Enter opens"
        hint="Pick one to light it on the timeline. Dashed: the pod could have written it. Letters: the grade."
        lit={(node) => litNode(node.id, lit)}
        litEdge={() => false}
        open={({ entity, kind, members }) => pick(entity ? { kind: "entity", id: entity.id } : { kind: "entities", name: kind, ids: members })}
      />
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
