// Steps of a time axis that people count in.

const STEPS: readonly number[] = [
  ...[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  ...[1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000],
];

export interface Ticks {
  step: number;
  at: number[];
}

/** Multiples of the smallest step that leaves `room` pixels between two labels. */
export function ticks(domain: readonly [number, number], width: number, room = 108): Ticks {
  const [from, to] = domain;
  const least = ((to - from) * room) / Math.max(width, 1);
  let step = STEPS.find((one) => one >= least) ?? 31536000;
  while (step < least) step *= 2;
  const at: number[] = [];
  for (let count = Math.ceil(from / step); count * step <= to && at.length < 200; count += 1) at.push(count * step);
  return { step, at };
}
