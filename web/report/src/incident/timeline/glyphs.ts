// The shape of each stage: a second channel beside its colour. One path for canvas and SVG alike.
import type { Stage } from "../model";

export type Shape = readonly (readonly [number, number])[];

function polygon(sides: number, turn: number, radius = 1): Shape {
  return Array.from({ length: sides }, (_, at) => {
    const angle = turn + (2 * Math.PI * at) / sides;
    return [radius * Math.cos(angle), radius * Math.sin(angle)] as const;
  });
}

const UP = -Math.PI / 2;

/** Corners on a circle of radius 1; a circle has 24. */
export const SHAPES: Record<Stage | "around", Shape> = {
  land: polygon(4, UP, 1.18),
  run: polygon(3, UP, 1.3).map(([x, y]) => [x, y + 0.18] as const),
  reach: polygon(24, 0),
  pivot: polygon(4, UP / 2, 1.3),
  leave: [
    [-0.95, -0.9],
    [0.35, -0.9],
    [1.2, 0],
    [0.35, 0.9],
    [-0.95, 0.9],
  ],
  use: polygon(6, 0, 1.12),
  around: polygon(16, 0, 0.42),
};

/** The shape as an SVG path around 0,0. */
export function path(stage: Stage | "around", radius: number): string {
  return `M${SHAPES[stage].map(([x, y]) => `${(x * radius).toFixed(2)},${(y * radius).toFixed(2)}`).join("L")}Z`;
}

export function trace(context: CanvasRenderingContext2D, stage: Stage | "around", x: number, y: number, radius: number): void {
  context.beginPath();
  for (const [dx, dy] of SHAPES[stage]) context.lineTo(x + dx * radius, y + dy * radius);
  context.closePath();
}
