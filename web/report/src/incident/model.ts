// `eightysix/reconstruction/v1`, field by field as `model/story.py` has it.

export type Lane = "package" | "process" | "identity" | "control-plane";
export type Stage = "land" | "run" | "reach" | "pivot" | "leave" | "use";
export type Grade = "A" | "B" | "C" | "D" | "E" | "F";
export type Origin = "kernel" | "control-plane" | "provider" | "suspect";
export type Outcome = "allowed" | "denied" | "unknown";
export type EntityKind = "pod" | "process" | "package" | "identity" | "secret" | "resource" | "destination";

export interface Evidence {
  source: string;
  file: string;
  line: number;
}

export interface Candidate {
  pod: string;
  uid: string;
  probability: number;
  why: string;
}

export interface Attribution {
  grade: Grade;
  origin: Origin;
  join_key: string;
  certain: boolean;
  candidates: Candidate[];
  others: number;
  why: string;
}

export interface PodRef {
  cluster: string;
  node: string;
  namespace: string;
  name: string;
  uid: string;
}

export interface Entity {
  id: string;
  kind: EntityKind;
  name: string;
  state: string;
  facts: Record<string, string>;
}

export interface Link {
  source: string;
  target: string;
  kind: string;
  at: string;
  grade: Grade;
  origin: Origin;
  join_key: string;
  evidence: Evidence[];
}

export interface Mark {
  id: string;
  at: string;
  until: string;
  offset_s: number;
  lane: Lane;
  stage: Stage | null;
  title: string;
  detail: string;
  grade: Grade;
  origin: Origin;
  outcome: Outcome;
  actor: string;
  subject: string;
  pod: string;
  signal: string;
  count: number;
  evidence: Evidence[];
  attribution: Attribution | null;
  techniques: string[];
  also: Stage[];
}

export interface Use {
  at: string;
  offset_s: number;
  service: string;
  operation: string;
  target: string;
  source_ip: string;
  user_agent: string;
  outcome: Outcome;
  after: boolean;
  foreign: boolean | null;
  credential_id: string;
  attribution: Attribution;
  evidence: Evidence[];
  count: number;
  until: string;
}

export interface IdentityStory {
  entity: string;
  kind: string;
  name: string;
  ids: string[];
  domain: string;
  state: "exposed" | "taken" | "used";
  taken_at: string;
  taken_by: string;
  grade: Grade;
  origin: Origin;
  uses: Use[];
  other_uses: number;
  revocation: { possible: boolean | null; how: string; until: string; source: string };
  why: string;
}

export interface Sighting {
  artifact: string;
  cluster: string;
  node: string;
  namespace: string;
  pod: string;
  uid: string;
  how: string;
  at: string;
  same: boolean | null;
  identity_taken: boolean;
  evidence: Evidence[];
}

export interface Rotation {
  order: number;
  what: string;
  why: string;
  commands: string[];
  for_entity: string;
}

export interface Gap {
  stage: string;
  text: string;
  close: string;
}

export interface Reach {
  workload: string;
  matched_by: string;
  taken_at: string;
  age_s: number | null;
  density: number;
  domains: string[];
  risk: number;
  sinks: string[];
  ways: { sink: string; steps: string[]; probability: number }[];
  identities: { kind: string; name: string; state: "exposed" | "taken" | "used"; hops: number; roles: number; unused: boolean | null; why: string }[];
  more: number;
  unseen: number;
}

export interface Story {
  id: string;
  revision: string;
  title: string;
  asked: string;
  verdict: "watch" | "suspect" | "contain" | null;
  score: number;
  incidents: string[];
  pod: PodRef | null;
  workload: string;
  image: string;
  service_account: string;
  t0: string;
  first: string;
  last: string;
  summary: string[];
  marks: Mark[];
  entities: Entity[];
  links: Link[];
  domains: string[];
  identities: IdentityStory[];
  exposed: IdentityStory[];
  elsewhere: Sighting[];
  rotate: Rotation[];
  why: { points: number; text: string; basis: string }[];
  gaps: Gap[];
  records: { evidence: Evidence; text: string; cut: number }[];
  left_out: number;
  reach?: Reach;
}

export interface Reconstruction {
  stories: Story[];
  coverage: {
    sources: { source: string; records: number; kinds: Record<string, number>; first: string; last: string }[];
    rules: { rule: string; evaluable: boolean; missing: string[]; switch_on: string[] }[];
    unattributed: number;
    flooded: string[];
    late: number;
    suppressed: string[];
    baseline: string;
    problems: { file: string; line: number; kind: string; reason: string }[];
  };
  counts: Record<string, number>;
  schema: string;
}
