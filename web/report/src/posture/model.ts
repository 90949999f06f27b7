// What the page carries (`report/posture/html.py` packs it, each text once), and the same as objects that know each other.

export type Confidence = "proved" | "inferred" | "assumed";
type Text = number;

export interface Packed {
  schema: string;
  cluster: string;
  taken_at: string;
  rules: string;
  counts: { edges: number; paths: number };
  not_seen: { what: string; why: string; close: string }[];
  pods: [Text, Text, Text, Text, number, number, number, number, [Text, Text, Text, Text, Text, Text][], Text[], Text[]][];
  edges: [Text, Text, Text, Text, Text, [Text, Text][], Text[], Text][];
  paths: [Text, Text, number[], number][];
  identities: [Text, Text, Text, Text[], Text, Text, Text[], number, Text[], boolean | null, Text[]][];
  fixes: { order: number; what: string; why: string; pods: number; sinks: string[]; patch: string; command: string; edges: number[]; cut: number }[];
  cuts: [Text, Text, Text, number[]][];
  pools: [Text, Text[], number, Text[], Text[], number, number, Text[]][];
  past: { object: string; role: string; subjects: string[]; since: string; until: string; times: number; maker: string; confidence: string }[];
  techniques: Record<string, string>;
  places: [Text, Text, number][];
  texts: string[];
}

export interface Credential {
  domain: string;
  name: string;
  signal: string;
  object: string;
  path: string;
  confidence: Confidence;
}

export interface Pod {
  id: string;
  at: number;
  namespace: string;
  name: string;
  kind: string;
  pods: number;
  density: number;
  risk: number;
  architectural: boolean;
  credentials: Credential[];
  sinks: string[];
  why: string[];
  /** What is searched, in small letters. */
  hay: string;
}

export interface Edge {
  at: number;
  type: string;
  source: string;
  target: string;
  text: string;
  confidence: Confidence;
  evidence: [string, string][];
  techniques: string[];
  needs: string;
  cuts: Cut[];
  fixes: Fix[];
}

export interface Path {
  pod: string;
  sink: string;
  edges: Edge[];
  probability: number;
}

export interface Identity {
  id: string;
  kind: string;
  name: string;
  ids: string[];
  lastUsed: string;
  since: string;
  usedBy: string[];
  pods: number;
  roles: string[];
  unused: boolean | null;
  reachedBy: string[];
  hay: string;
}

export interface Cut {
  what: string;
  patch: string;
  command: string;
}

/** A node pool whose GPUs need privileged pods. */
export interface Pool {
  pool: string;
  operands: string[];
  nodes: number;
  identities: string[];
  neighbours: string[];
  neighbourCount: number;
  pods: number;
  sinks: string[];
}

export type Fix = Packed["fixes"][number];

export interface Told {
  cluster: string;
  takenAt: string;
  rules: string;
  edgeCount: number;
  pods: Pod[];
  podCount: number;
  podOf: Map<string, Pod>;
  pathsOf: Map<string, Path[]>;
  identities: Identity[];
  fixes: Fix[];
  notSeen: Packed["not_seen"];
  past: Packed["past"];
  pools: Pool[];
  techniques: Map<string, string>;
  places: Map<string, { file: string; line: number }>;
}

const CONFIDENCES: readonly Confidence[] = ["proved", "inferred", "assumed"];

function sure(text: string): Confidence {
  return CONFIDENCES.find((one) => one === text) ?? "assumed";
}

/** How many pods a workload stands for; one that runs from time to time counts as one. */
export function weight(pod: Pod): number {
  return Math.max(pod.pods, 1);
}

export function unpack(packed: Packed): Told {
  const text = (at: Text): string => packed.texts[at] ?? "";
  const texts = (all: readonly Text[]): string[] => all.map(text);
  const edges = packed.edges.map(([type, source, target, said, confidence, evidence, techniques, needs], at): Edge => ({
    at,
    type: text(type),
    source: text(source),
    target: text(target),
    text: text(said),
    confidence: sure(text(confidence)),
    evidence: evidence.map(([thing, path]) => [text(thing), text(path)]),
    techniques: texts(techniques),
    needs: text(needs),
    cuts: [],
    fixes: [],
  }));
  for (const [what, patch, command, crossed] of packed.cuts) {
    const cut = { what: text(what), patch: text(patch), command: text(command) };
    for (const at of crossed) edges[at]?.cuts.push(cut);
  }
  for (const fix of packed.fixes) for (const at of fix.edges) edges[at]?.fixes.push(fix);
  const pathsOf = new Map<string, Path[]>();
  for (const [pod, sink, steps, probability] of packed.paths) {
    const path = { pod: text(pod), sink: text(sink), edges: steps.flatMap((at) => edges[at] ?? []), probability };
    const found = pathsOf.get(path.pod);
    if (found) found.push(path);
    else pathsOf.set(path.pod, [path]);
  }
  const pods = packed.pods.map(([id, namespace, name, kind, count, density, risk, needed, credentials, sinks, why], at): Pod => ({
    id: text(id),
    at,
    namespace: text(namespace),
    name: text(name),
    kind: text(kind),
    pods: count,
    density,
    risk,
    architectural: needed !== 0,
    credentials: credentials.map(([domain, called, signal, object, path, confidence]) => ({
      domain: text(domain),
      name: text(called),
      signal: text(signal),
      object: text(object),
      path: text(path),
      confidence: sure(text(confidence)),
    })),
    sinks: texts(sinks),
    why: texts(why),
    hay: `${text(namespace)}/${text(name)} ${text(kind)}`.toLowerCase(),
  }));
  const identities = packed.identities.map(([id, kind, name, ids, lastUsed, since, usedBy, count, roles, unused, reachedBy]): Identity => ({
    id: text(id),
    kind: text(kind),
    name: text(name),
    ids: texts(ids),
    lastUsed: text(lastUsed),
    since: text(since),
    usedBy: texts(usedBy),
    pods: count,
    roles: texts(roles),
    unused,
    reachedBy: texts(reachedBy),
    hay: `${text(name)} ${text(kind)} ${texts(ids).join(" ")} ${texts(roles).join(" ")}`.toLowerCase(),
  }));
  return {
    cluster: packed.cluster,
    takenAt: packed.taken_at,
    rules: packed.rules,
    edgeCount: packed.counts.edges,
    pods,
    podCount: pods.reduce((sum, pod) => sum + weight(pod), 0),
    podOf: new Map(pods.map((pod) => [pod.id, pod])),
    pathsOf,
    identities,
    fixes: packed.fixes,
    notSeen: packed.not_seen,
    past: packed.past,
    pools: packed.pools.map(([pool, operands, nodes, held, neighbours, neighbourCount, count, sinks]) => ({
      pool: text(pool),
      operands: texts(operands),
      nodes,
      identities: texts(held),
      neighbours: texts(neighbours),
      neighbourCount,
      pods: count,
      sinks: texts(sinks),
    })),
    techniques: new Map(Object.entries(packed.techniques)),
    places: new Map(packed.places.map(([thing, file, line]) => [text(thing), { file: text(file), line }])),
  };
}
