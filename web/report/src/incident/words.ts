// The words of the story for people: what a stage, a grade and an origin mean.
import type { Grade, Lane, Origin, Outcome, Stage } from "./model";

export const STAGES: readonly Stage[] = ["land", "run", "reach", "pivot", "leave", "use"];
export const LANES: readonly Lane[] = ["package", "process", "identity", "control-plane"];

export const STAGE_WORDS: Record<Stage, string> = {
  land: "an artifact arrives",
  run: "its code runs",
  reach: "the first credential is taken",
  pivot: "a second identity is used",
  leave: "something goes out",
  use: "the taken identity acts",
};

export const LANE_WORDS: Record<Lane, readonly [string, string]> = {
  package: ["Package", "what landed"],
  process: ["Process", "what ran and connected"],
  identity: ["Identity", "what was taken"],
  "control-plane": ["Control plane", "what was asked"],
};

/** The lane in which a stage is usually told: where its gaps are shown. */
export const STAGE_LANE: Record<Stage, Lane> = {
  land: "package",
  run: "process",
  reach: "identity",
  pivot: "identity",
  leave: "process",
  use: "control-plane",
};

export const GRADE_WORDS: Record<Grade, string> = {
  A: "told inside the pod, or by the kernel with the process: this pod, certainly",
  B: "the kernel saw the connection, with the process and the pod",
  C: "the audit event names the pod, or the token that was issued to it",
  D: "the service account is certain; the pod is one of those that run as it",
  E: "the node's identity, which all pods of the node pool share",
  F: "an address, or time alone",
};

export const ORIGIN_WORDS: Record<Origin, string> = {
  kernel: "written by the kernel: the pod could not have forged it",
  "control-plane": "written by the cluster's control plane: the pod could not have forged it",
  provider: "written by the cloud provider: the pod could not have forged it",
  suspect: "written where the pod itself could have written it: it explains, it proves nothing alone",
};

export const OUTCOME_WORDS: Record<Outcome, string> = {
  allowed: "allowed",
  denied: "denied",
  unknown: "not told whether it succeeded",
};

export const STATE_WORDS: Record<string, string> = {
  used: "taken and used",
  taken: "taken",
  exposed: "only exposed",
};

export const VERDICT_WORDS: Record<string, string> = {
  contain: "Contain: the chain is complete, on evidence that the pod cannot forge",
  suspect: "Suspect: more than chance, less than certain",
  watch: "Watch: one part of a chain",
};
