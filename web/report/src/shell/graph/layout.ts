// A graph laid out from left to right by dagre, whatever its nodes stand for.
import { Graph, layout } from "@dagrejs/dagre";

export const WIDTH = 212;
export const HEIGHT = 46;
const LABEL = 44;

export interface Point {
  x: number;
  y: number;
}

/** A box: `top` is its small line, `name` its large one, `said` what a screen reader says; `tone` a class of its looks. */
export interface Box {
  id: string;
  kind: string;
  top: string;
  name: string;
  said: string;
  tone: string;
}

/** An arrow; `dashed` where it is less sure than others. */
export interface Arrow {
  source: string;
  target: string;
  words: string;
  dashed: boolean;
}

export interface Drawing<B extends Box = Box, A extends Arrow = Arrow> {
  nodes: (B & Point)[];
  edges: (A & { points: Point[]; label: Point })[];
  width: number;
  height: number;
}

/** Boxes and arrows with their places. Of two arrows between the same boxes the last is drawn: join them before. */
export function arrange<B extends Box, A extends Arrow>(boxes: readonly B[], arrows: readonly A[], rankdir: "LR" | "TB" = "LR"): Drawing<B, A> {
  const graph = new Graph();
  graph.setGraph({ rankdir, nodesep: 16, ranksep: rankdir === "LR" ? 64 : 34, edgesep: 8, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) graph.setNode(box.id, { width: WIDTH, height: HEIGHT });
  for (const arrow of arrows) graph.setEdge(arrow.source, arrow.target, { width: Math.min(arrow.words.length, LABEL) * 6.4 + 8, height: 16, labelpos: "c" });
  layout(graph);
  const nodes = boxes.map((box) => {
    const { x, y } = graph.node(box.id) as Point;
    return { ...box, x, y };
  });
  const edges = arrows.map((arrow) => {
    const { points, x, y } = graph.edge(arrow.source, arrow.target) as unknown as { points: Point[]; x?: number; y?: number };
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    return { ...arrow, points, label: { x: x ?? middle.x, y: y ?? middle.y } };
  });
  const size = graph.graph() as { width?: number; height?: number };
  return { nodes, edges, width: size.width ?? 0, height: size.height ?? 0 };
}

const GAP = 132;
const ROW = 96;

/** Whether arrows lead from box to box without a fork, in the order of the boxes. */
function isChain(boxes: readonly Box[], arrows: readonly Arrow[]): boolean {
  return arrows.length === boxes.length - 1 && arrows.every((arrow, at) => arrow.source === boxes[at]?.id && arrow.target === boxes[at + 1]?.id);
}

/** As `arrange`; but a chain too long for `wide` pixels goes on in the next row, where the row before ended, and what forks and is
 * too wide leads down. */
export function fold<B extends Box, A extends Arrow>(boxes: readonly B[], arrows: readonly A[], wide: number): Drawing<B, A> {
  const most = Math.max(1, Math.floor((wide + GAP) / (WIDTH + GAP)));
  if (!isChain(boxes, arrows) || boxes.length < 2) {
    const across = arrange(boxes, arrows);
    return across.width <= wide * 1.2 ? across : arrange(boxes, arrows, "TB");
  }
  // Rows as even as they can be: ten boxes are two rows of five, not four, four and two.
  const rows = Math.ceil(boxes.length / most);
  const each = Math.ceil(boxes.length / rows);
  const nodes = boxes.map((box, at) => {
    const row = Math.floor(at / each);
    const along = row % 2 ? each - 1 - (at % each) : at % each;
    return { ...box, x: 12 + WIDTH / 2 + along * (WIDTH + GAP), y: 12 + HEIGHT / 2 + row * ROW };
  });
  const edges = arrows.map((arrow, at) => {
    const [from, to] = [nodes[at] as Point, nodes[at + 1] as Point];
    const side = Math.sign(to.x - from.x) * (WIDTH / 2);
    const points = side
      ? [{ x: from.x + side, y: from.y }, { x: to.x - side, y: to.y }]
      : [{ x: from.x, y: from.y + HEIGHT / 2 }, { x: to.x, y: to.y - HEIGHT / 2 }];
    return { ...arrow, points, label: { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 } };
  });
  return { nodes, edges, width: 24 + each * WIDTH + (each - 1) * GAP, height: 24 + HEIGHT + (rows - 1) * ROW };
}

/** A line through dagre's points, rounded at the bends. */
export function curve(points: readonly Point[]): string {
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
