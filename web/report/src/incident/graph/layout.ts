// The graph of a story, laid out from left to right by dagre; bounded: what is too much stands as one node of its kind.
import { Graph, layout } from "@dagrejs/dagre";
import type { Index } from "../index";
import type { Entity, EntityKind, Grade } from "../model";

export const MAX_NODES = 60;
export const WIDTH = 212;
export const HEIGHT = 46;

const ORDER: readonly EntityKind[] = ["pod", "package", "identity", "secret", "destination", "resource", "process"];

export interface Node {
  id: string;
  entity: Entity | null;
  /** Entities that a node of many stands for. */
  members: string[];
  kind: string;
  x: number;
  y: number;
}

export interface Edge {
  source: string;
  target: string;
  words: string;
  grade: Grade;
  suspect: boolean;
  points: { x: number; y: number }[];
  label: { x: number; y: number };
}

export interface Drawing {
  nodes: Node[];
  edges: Edge[];
  width: number;
  height: number;
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

export function draw(index: Index): Drawing {
  const own = chosen(index);
  const nodes = new Map<string, Node>();
  const standsFor = new Map<string, string>();
  for (const entity of index.entities.values()) {
    const id = own.has(entity.id) ? `own ${entity.id}` : `more ${entity.kind}`;
    standsFor.set(entity.id, id);
    const node = nodes.get(id);
    if (node) node.members.push(entity.id);
    else nodes.set(id, { id, entity: own.has(entity.id) ? entity : null, members: [entity.id], kind: entity.kind, x: 0, y: 0 });
  }
  const edges = new Map<string, Edge & { kinds: Set<string> }>();
  for (const link of index.story.links) {
    const source = standsFor.get(link.source);
    const target = standsFor.get(link.target);
    if (!source || !target || source === target) continue;
    const name = `${source}\n${target}`;
    const edge = edges.get(name);
    if (!edge) {
      const first = { source, target, words: "", grade: link.grade, suspect: link.origin === "suspect", points: [], label: { x: 0, y: 0 } };
      edges.set(name, { ...first, kinds: new Set([link.kind]) });
      continue;
    }
    edge.kinds.add(link.kind);
    if (link.grade < edge.grade) edge.grade = link.grade;
    edge.suspect &&= link.origin === "suspect";
  }
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 16, ranksep: 64, edgesep: 8, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes.values()) graph.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of edges.values()) {
    edge.words = `${[...edge.kinds].join(", ")} \u00b7 ${edge.grade}`;
    graph.setEdge(edge.source, edge.target, { width: edge.words.length * 6.4 + 8, height: 16, labelpos: "c" });
  }
  layout(graph);
  for (const node of nodes.values()) {
    const { x, y } = graph.node(node.id) as { x: number; y: number };
    [node.x, node.y] = [x, y];
  }
  for (const edge of edges.values()) {
    const { points, x, y } = graph.edge(edge.source, edge.target) as unknown as { points: { x: number; y: number }[]; x?: number; y?: number };
    edge.points = points;
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    edge.label = { x: x ?? middle.x, y: y ?? middle.y };
  }
  const size = graph.graph() as { width?: number; height?: number };
  return { nodes: [...nodes.values()], edges: [...edges.values()], width: size.width ?? 0, height: size.height ?? 0 };
}

/** A line through dagre's points, rounded at the bends. */
export function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let text = `M${first.x.toFixed(1)},${first.y.toFixed(1)}`;
  rest.forEach((point, at) => {
    const next = rest[at + 1];
    if (!next) text += `L${point.x.toFixed(1)},${point.y.toFixed(1)}`;
    else text += `Q${point.x.toFixed(1)},${point.y.toFixed(1)} ${((point.x + next.x) / 2).toFixed(1)},${((point.y + next.y) / 2).toFixed(1)}`;
  });
  return text;
}
