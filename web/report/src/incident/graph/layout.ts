// The graph of a story; bounded: what is too much stands as one node of its kind.
import { arrange, type Arrow, type Box, type Drawing } from "../../shell/graph/layout";
import { inert } from "../../shell/inert";
import type { Index } from "../index";
import type { Entity, EntityKind, Grade } from "../model";

export const MAX_NODES = 60;

const ORDER: readonly EntityKind[] = ["pod", "package", "identity", "secret", "destination", "resource", "process"];

export interface Node extends Box {
  entity: Entity | null;
  /** Entities that a node of many stands for. */
  members: string[];
}

export interface Edge extends Arrow {
  grade: Grade;
}

/** Which entities get a node of their own: those of the kinds that a reader asks for first, and the best joined. */
function chosen(index: Index): Set<string> {
  const worth = (entity: Entity): number => (ORDER.indexOf(entity.kind) + 1 || ORDER.length + 1) * 1e6 - (index.linksOf.get(entity.id)?.length ?? 0);
  const sorted = [...index.entities.values()].sort((one, other) => worth(one) - worth(other));
  if (sorted.length <= MAX_NODES) return new Set(sorted.map((one) => one.id));
  // A share for each kind, so that a thousand destinations leave room for the one identity.
  const share = new Map<string, number>();
  const most = Math.ceil(MAX_NODES / 5);
  const kept = sorted.filter((one) => {
    const count = (share.get(one.kind) ?? 0) + 1;
    share.set(one.kind, count);
    return count <= most;
  });
  return new Set(kept.slice(0, MAX_NODES).map((one) => one.id));
}

function box(index: Index, node: Omit<Node, keyof Box> & { id: string; kind: string }): Node {
  const { entity, members, kind } = node;
  const state = entity ? (index.identityOf.get(entity.id)?.state ?? entity.state) : "";
  return {
    ...node,
    top: `${inert(kind, 24)}${state ? ` \u00b7 ${inert(state, 16)}` : ""}`,
    name: entity ? inert(entity.name, 25) : `${members.length} more`,
    said: entity
      ? `${entity.kind} ${inert(entity.name, 120)}${state ? `, ${inert(state, 40)}` : ""}`
      : `${members.length} more of kind ${inert(kind, 40)}`,
    tone: /^(taken|used)$/.test(state) ? "taken" : "",
  };
}

export function draw(index: Index): Drawing<Node, Edge> {
  const own = chosen(index);
  const nodes = new Map<string, Omit<Node, keyof Box> & { id: string; kind: string }>();
  const standsFor = new Map<string, string>();
  for (const entity of index.entities.values()) {
    const id = own.has(entity.id) ? `own ${entity.id}` : `more ${entity.kind}`;
    standsFor.set(entity.id, id);
    const node = nodes.get(id);
    if (node) node.members.push(entity.id);
    else nodes.set(id, { id, entity: own.has(entity.id) ? entity : null, members: [entity.id], kind: entity.kind });
  }
  const edges = new Map<string, Edge & { kinds: Set<string> }>();
  for (const link of index.story.links) {
    const source = standsFor.get(link.source);
    const target = standsFor.get(link.target);
    if (!source || !target || source === target) continue;
    const name = `${source}\n${target}`;
    const edge = edges.get(name);
    if (!edge) {
      edges.set(name, { source, target, words: "", grade: link.grade, dashed: link.origin === "suspect", kinds: new Set([link.kind]) });
      continue;
    }
    edge.kinds.add(link.kind);
    if (link.grade < edge.grade) edge.grade = link.grade;
    edge.dashed &&= link.origin === "suspect";
  }
  for (const edge of edges.values()) edge.words = `${[...edge.kinds].join(", ")} \u00b7 ${edge.grade}`;
  return arrange(
    [...nodes.values()].map((node) => box(index, node)),
    [...edges.values()],
  );
}
