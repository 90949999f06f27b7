// What the pod could reach, beside what it did: the part of a posture that a story carries.
import type { JSX } from "preact";
import { inert } from "../shell/inert";
import { Badge, Facts, Few, Section, T } from "../shell/widgets";
import type { Reach, Story } from "./model";
import { utc } from "./time";

const SINKS: Record<string, string> = {
  "cluster-admin": "cluster-admin",
  "ns-admin": "all of namespace",
  node: "root on a node",
  "sub-owner": "owner of the subscription",
  "acr-write": "writing images",
  "model-store-write": "writing models",
  "kv-secrets": "key vault secrets",
  "data-read": "reading data",
  "registry-read": "reading images",
  "llm-spend": "spending on models",
};

function sink(id: string): string {
  const [family = "", member = ""] = id.replace(/^sink:/, "").split("/", 2);
  const word = SINKS[family] ?? family;
  return family === "ns-admin" && member ? `${word} ${member}` : word;
}

/** When the posture was collected, and how far from the beginning of the story that is. */
function collected(reach: Reach): string {
  if (!reach.taken_at) return "Nobody says when the posture was collected: it may have been another then.";
  const when = `Posture of ${utc(reach.taken_at)}`;
  if (reach.age_s === null) return `${when}.`;
  const size = Math.abs(reach.age_s);
  const [unit, word] = size >= 86_400 ? [86_400, "days"] : size >= 3600 ? [3600, "hours"] : [60, "minutes"];
  const far = `about ${Math.round(size / (unit as number))} ${word}`;
  return reach.age_s < 0 ? `${when}, ${far} before this began.` : `${when}, ${far} after this began: what was changed meanwhile is changed in it.`;
}

export function Reached({ story }: { story: Story }): JSX.Element | null {
  const reach = story.reach;
  if (!reach) return null;
  return (
    <Section title="Within its reach" class="reach" note="What was possible, by the posture; not what happened.">
      <Facts
        rows={[
          ["Known as", <T key="w" v={reach.workload} limit={200} />],
          ["Credential domains", `${reach.density} of 4${reach.domains.length ? `: ${inert(reach.domains.join(", "), 80)}` : ""}`],
          ["Collected", inert(collected(reach), 200)],
          ...(reach.unseen ? [["Not seen", `${reach.unseen} things the posture could not look at: more may be within reach`] as const] : []),
        ]}
      />
      {reach.sinks.length ? null : <p>It could reach nothing that matters, as far as was seen.</p>}
      <Few items={reach.ways} step={3} what="ways">
        {(few) => (
          <>
            {few.map((way, at) => (
              <details key={at} open={at === 0}>
                <summary>
                  <b>
                    <T v={sink(way.sink)} limit={120} />
                  </b>{" "}
                  <span class="muted">
                    in {way.steps.length} {way.steps.length === 1 ? "step" : "steps"}
                    {way.probability < 1 ? `, probability ${way.probability.toFixed(2)}` : ""}
                  </span>
                </summary>
                <ol>
                  {way.steps.map((step, each) => (
                    <li key={each}>
                      <T v={step} limit={600} />
                    </li>
                  ))}
                </ol>
              </details>
            ))}
          </>
        )}
      </Few>
      <Few items={reach.identities} step={12} what="identities">
        {(few) => (
          <ul class="plain-list">
            {few.map((one, at) => (
              <li key={at}>
                <Badge tone={one.state === "exposed" ? "warn" : "bad"}>{inert(one.state, 20)}</Badge> {inert(one.kind, 40)}{" "}
                <b>
                  <T v={one.name} limit={160} />
                </b>{" "}
                <span class="muted">
                  {one.hops} {one.hops === 1 ? "step" : "steps"} away, {one.roles} {one.roles === 1 ? "role" : "roles"}
                  {one.unused ? ", nobody uses it" : ""}
                </span>
                {one.why ? (
                  <p class="muted">
                    <T v={one.why} limit={300} />
                  </p>
                ) : null}
              </li>
            ))}
          </ul>
        )}
      </Few>
    </Section>
  );
}
