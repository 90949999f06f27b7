// The first screen: which pods, which identities, which fixes.
import type { JSX } from "preact";
import { inert } from "../shell/inert";
import { Badge, Empty, Facts, T } from "../shell/widgets";
import { type Identity, type Pod, type Told, weight } from "./model";
import { Doing, Held, Risk } from "./pieces";
import { beginning, brief, count, days, family, plural, SINK_ORDER, sinkMeaning, sinkWord, when } from "./words";

const FEW = 5;

/** Pods that reach each family of sinks, the worst family first. */
export function families(told: Told): { family: string; pods: number }[] {
  const found = new Map<string, number>();
  for (const pod of told.pods) for (const one of new Set(pod.sinks.map(family))) found.set(one, (found.get(one) ?? 0) + weight(pod));
  const order = (one: string): number => (SINK_ORDER.indexOf(one) + 1 || SINK_ORDER.length + 1);
  return [...found].map(([one, pods]) => ({ family: one, pods })).sort((a, b) => order(a.family) - order(b.family) || (a.family < b.family ? -1 : 1));
}

export function Hero({ told }: { told: Told }): JSX.Element {
  const worst = families(told)[0];
  const sinkless = told.rules !== "default";
  const full = worst?.family === "cluster-admin" || worst?.family === "sub-owner";
  return (
    <header class={`hero ${full ? "verdict-contain" : worst ? "verdict-suspect" : ""}`}>
      <div class="hero-main">
        <h1>{worst ? "What one compromised pod reaches" : sinkless ? "What the pods hold" : "No pod reaches anything that matters"}</h1>
        <p class="muted">
          {worst
            ? `${plural(told.pods.filter((pod) => pod.sinks.length).length, "workload reaches", "workloads reach")} something that matters.${told.fixes.length ? ` The ${told.fixes.length === 1 ? "change that gains" : `${told.fixes.length} changes that gain`} the most ${told.fixes.length === 1 ? "is" : "are"} below.` : ""}`
            : sinkless
              ? `The rules of ${inert(told.rules, 40)} know no sinks: no paths and no fixes are told. Their edges are in --format json and opengraph.`
              : "As far as is seen: what could not be looked at is told below."}
        </p>
      </div>
      {worst ? (
        <p class="took">
          <b>
            {count(worst.pods)} <small>of {count(told.podCount)}</small>
          </b>
          <span>
            pods reach <T v={sinkWord(worst.family)} limit={30} />
          </span>
        </p>
      ) : null}
      <Facts
        rows={[
          ["Cluster", told.cluster ? <T key="c" v={told.cluster} limit={80} /> : "not named"],
          ["Collected", told.takenAt ? inert(when(told.takenAt), 40) : "time not given"],
          ["Looked at", `${plural(told.podCount, "pod")} of ${plural(told.pods.length, "workload")}, ${plural(told.identities.length, "identity", "identities")}, ${plural(told.edgeCount, "edge")}`],
          ["Not seen", told.notSeen.length ? <a key="n" href="#not-seen">{plural(told.notSeen.length, "gap")}, and what closes them</a> : "no gap is known"],
        ]}
      />
    </header>
  );
}

export function Sinks({ told, sink, pick }: { told: Told; sink: string; pick: (sink: string) => void }): JSX.Element | null {
  const found = families(told);
  if (!found.length) return null;
  return (
    <ul class="stages sinks" aria-label="How many pods reach what; press to see which">
      {found.slice(0, 10).map((one) => (
        <li key={one.family}>
          <button type="button" aria-pressed={sink === one.family} onClick={() => pick(one.family)}>
            <b class="many">{count(one.pods)}</b>
            <b class="sink-name">
              <T v={sinkWord(one.family)} limit={40} />
            </b>
            <svg class="share" height="4" aria-hidden="true">
              <rect width="100%" height="4" rx="2" />
              <rect class="part" width={`${Math.max(1, (100 * one.pods) / Math.max(1, told.podCount)).toFixed(1)}%`} height="4" rx="2" />
            </svg>
            <span class="what">{sinkMeaning(one.family)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function Answers({ told, open }: { told: Told; open: (pod: Pod) => void }): JSX.Element {
  return (
    <div class="answers">
      <Pods told={told} open={open} />
      <Who told={told} />
      <Changes told={told} />
    </div>
  );
}

function Pods({ told, open }: { told: Told; open: (pod: Pod) => void }): JSX.Element {
  const reaching = told.pods.filter((pod) => pod.sinks.length && !pod.architectural);
  const needed = told.pods.filter((pod) => pod.architectural);
  const many = needed.reduce((sum, pod) => sum + weight(pod), 0);
  return (
    <section class="card" aria-labelledby="answer-pods">
      <h2 id="answer-pods">Which pods</h2>
      {reaching.length ? null : <Empty>None that its hardware does not need privileged.</Empty>}
      <ul class="identities">
        {reaching.slice(0, FEW).map((pod) => (
          <li key={pod.id}>
            <button type="button" class="identity" onClick={() => open(pod)}>
              <span class="identity-head">
                <Risk risk={pod.risk} />
                <b>
                  <T v={`${pod.namespace}/${pod.name}`} limit={60} />
                </b>
              </span>
              <span class="pod-line">
                <Held pod={pod} />
                <span class="muted">
                  {plural(pod.pods, "pod")} · {reaches(pod)}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      <p class="muted foot-note">
        {reaching.length > FEW ? <a href="#matrix">{plural(reaching.length - FEW, "more workload")} in the matrix</a> : null}
        {reaching.length > FEW && needed.length ? ". " : ""}
        {needed.length ? (
          <>
            {plural(many, "pod")} of {plural(needed.length, "workload")} must be privileged for GPUs: {told.pools.length ? <a href="#pools">no fix changes that</a> : "no fix changes that"}.
          </>
        ) : null}
      </p>
    </section>
  );
}

/** What a workload reaches, in few words. */
export function reaches(pod: Pod): string {
  const found = [...new Set(pod.sinks.map(family))];
  return found.length ? found.slice(0, 3).map(sinkWord).map((one) => inert(one, 40)).join(", ") + (found.length > 3 ? ` +${found.length - 3}` : "") : "nothing known";
}

export function state(one: Identity): "unused" | "unknown" | "used" {
  return one.unused ? "unused" : one.unused === null ? "unknown" : "used";
}

/** When an identity was last used, or since when never, in words. */
export function lastUse(one: Identity, told: Told): string {
  if (one.lastUsed) {
    const ago = days(one.lastUsed, told.takenAt);
    return `last used ${inert(one.lastUsed.slice(0, 10), 10)}${ago > 0 ? `, ${plural(ago, "day")} before` : ""}`;
  }
  return one.since ? `never since ${inert(one.since.slice(0, 10), 10)}` : "no records of its use were given";
}

function Who({ told }: { told: Told }): JSX.Element {
  const unused = told.identities.filter((one) => one.unused && one.pods);
  const unknown = told.identities.filter((one) => one.unused === null && one.pods && one.roles.length);
  const shown = [...unused, ...unknown];
  return (
    <section class="card" aria-labelledby="answer-who">
      <h2 id="answer-who">Which identities</h2>
      {shown.length ? null : <Empty>None that a pod reaches is unused, or of unknown use.</Empty>}
      <ul class="identities">
        {shown.slice(0, FEW).map((one) => (
          <li key={one.id} class="identity still">
            <span class="identity-head">
              <Badge tone={one.unused ? "warn" : "plain"}>{state(one)}</Badge>
              <b>
                <T v={one.name} limit={60} />
              </b>
            </span>
            <span class="muted">
              {inert(one.kind.replaceAll("-", " "), 40)} · {plural(one.roles.length, "role")} · reachable from {plural(one.pods, "pod")}
            </span>
            <span class="muted">{lastUse(one, told)}</span>
          </li>
        ))}
      </ul>
      <p class="muted foot-note">
        {unused.length ? "Unused and reachable comes first: removing it costs nothing. " : shown.length ? "Without records of sign-ins and audit nobody knows what is unused. " : ""}
        <a href="#identities">{shown.length > FEW ? `${count(shown.length - FEW)} more, and all others` : "All identities"}</a>
      </p>
    </section>
  );
}

function Changes({ told }: { told: Told }): JSX.Element {
  const reaching = told.pods.some((pod) => pod.sinks.length);
  return (
    <section class="card" aria-labelledby="answer-do">
      <h2 id="answer-do">Which {told.fixes.length === 1 ? "fix" : told.fixes.length ? `${told.fixes.length} fixes` : "fixes"}</h2>
      {told.fixes.length ? null : <Empty>{reaching ? "No single change takes a way from many pods." : "There is nothing to fix that is known."}</Empty>}
      <ol class="rotate">
        {told.fixes.slice(0, FEW).map((fix) => (
          <li key={fix.order}>
            <p>
              <b>
                <T v={beginning(brief(fix.what), 130)} />
              </b>
            </p>
            <p class="muted">
              {plural(fix.pods, "pod")} {fix.pods === 1 ? "loses" : "lose"} {[...new Set(fix.sinks.map(family))].slice(0, 4).map(sinkWord).map((one) => inert(one, 40)).join(", ")}
            </p>
            <details open={fix === told.fixes[0]}>
              <summary class="muted">{fix.command ? "Command" : fix.patch ? "Patch" : "How"}</summary>
              {fix.command || fix.patch ? <Doing command={fix.command} patch={fix.patch} /> : <T v={fix.what} limit={900} />}
            </details>
          </li>
        ))}
      </ol>
      {told.fixes.length ? (
        <p class="muted foot-note">
          Each is counted after those before it. <a href="#fixes">What each changes</a>
        </p>
      ) : null}
    </section>
  );
}
