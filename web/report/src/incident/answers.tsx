// The first screen: what happened and how fast, which identities, what to do now.
import type { JSX } from "preact";
import { inert } from "../shell/inert";
import { Badge, Command, Empty, Facts, Few, T } from "../shell/widgets";
import type { Index } from "./index";
import type { IdentityStory, Rotation, Stage, Story } from "./model";
import { Glyph } from "./pieces";
import type { Pick } from "./select";
import { length, seconds, since, utc } from "./time";
import { STAGE_WORDS, STAGES, STATE_WORDS, VERDICT_WORDS } from "./words";

/** How long it took: from the landing to the first thing that went out, or as far as it came. */
function span(index: Index): { seconds: number; words: string } | null {
  if (!index.story.t0) return null;
  const ends: readonly [Stage, string][] = [
    ["leave", "from landing to the first thing out"],
    ["pivot", "from landing to the second identity"],
    ["reach", "from landing to the first credential"],
    ["use", "from landing to the first use of what was taken"],
    ["run", "from landing to running"],
  ];
  for (const [stage, words] of ends) {
    const first = index.firstOf.get(stage);
    if (first) return { seconds: Math.max(0, first.x), words };
  }
  return null;
}

export function Hero({ index }: { index: Index }): JSX.Element {
  const { story } = index;
  const took = span(index);
  const { pod } = story;
  return (
    <header class={`hero verdict-${story.verdict ?? "none"}`}>
      <div class="hero-main">
        <p class="verdict">
          <Badge tone={story.verdict === "contain" ? "bad" : story.verdict === "suspect" ? "warn" : "plain"}>{story.verdict ?? "asked"}</Badge>
          <span class="muted">{story.verdict ? `score ${story.score}` : "no rule raised it"}</span>
        </p>
        <h1>
          <T v={story.title} />
        </h1>
        {story.asked && story.asked !== "everything" ? (
          <p class="muted">
            Asked: <T v={story.asked} />
          </p>
        ) : null}
        {story.verdict ? <p class="muted">{VERDICT_WORDS[story.verdict] ?? ""}.</p> : null}
      </div>
      {took ? (
        <p class="took">
          <b>{took.seconds < 0.95 ? `${Math.round(took.seconds * 1000)} ms` : length(took.seconds)}</b>
          <span>{took.words}</span>
        </p>
      ) : null}
      <Facts
        rows={[
          ["Pod", pod ? <T key="p" v={`${pod.namespace}/${pod.name}`} /> : "none is joined to it"],
          ...(story.workload ? [["Workload", <T key="w" v={story.workload} />] as const] : []),
          ...(pod ? [["Where", <T key="n" v={[pod.cluster, pod.node].filter(Boolean).join(" \u00b7 ")} />] as const] : []),
          ...(story.image ? [["Image", <T key="i" v={image(story.image)} limit={90} />] as const] : []),
          ["T0", story.t0 ? utc(story.t0) : "no landing was seen"],
          ...(story.service_account ? [["Account", <T key="s" v={story.service_account} />] as const] : []),
        ]}
      />
    </header>
  );
}

export function Stages({ index, pick }: { index: Index; pick: Pick }): JSX.Element {
  return (
    <ol class="stages" aria-label="Stages of the chain">
      {STAGES.map((stage) => {
        const first = index.firstOf.get(stage);
        return (
          <li key={stage} class={first ? `stage-${stage}` : "unseen"}>
            <button type="button" disabled={!first} onClick={() => first && pick({ kind: "mark", one: first })}>
              <Glyph stage={stage} hollow={first?.mark.origin === "suspect"} {...(first ? { letter: first.mark.grade } : {})} size={28} />
              <b>{stage}</b>
              <span class="when">{first ? (index.story.t0 ? since(first.x) : utc(first.mark.at)) : "not seen"}</span>
              <span class="what">{first ? <T v={first.mark.title} limit={90} /> : STAGE_WORDS[stage]}</span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}

export function Answers({ index, pick }: { index: Index; pick: Pick }): JSX.Element {
  const { story } = index;
  const little = story.rotate.reduce((sum, one) => sum + one.commands.length, 0) <= 6;
  return (
    <div class="answers">
      <section class="card" aria-labelledby="answer-what">
        <h2 id="answer-what">What happened</h2>
        {story.summary.length ? (
          <Few items={story.summary} step={10} what="sentences">
            {(few) => (
              <ol class="summary">
                {few.map((line, at) => (
                  <li key={at}>
                    <T v={line} limit={600} />
                  </li>
                ))}
              </ol>
            )}
          </Few>
        ) : (
          <Empty>Nothing that makes a sentence was seen.</Empty>
        )}
      </section>
      <section class="card" aria-labelledby="answer-who">
        <h2 id="answer-who">Which identities</h2>
        {story.identities.length + story.exposed.length ? null : <Empty>None was seen taken, used or exposed. That clears none.</Empty>}
        <Few items={[...story.identities, ...story.exposed]} step={5} what="identities">
          {(few) => (
            <ul class="identities">
              {few.map((one, at) => (
                <li key={at}>
                  <IdentityLine index={index} identity={one} pick={pick} />
                </li>
              ))}
            </ul>
          )}
        </Few>
        <Unseen story={story} />
      </section>
      <section class="card" aria-labelledby="answer-do">
        <h2 id="answer-do">Do now, in this order</h2>
        {story.rotate.length ? (
          <Few items={[...story.rotate].sort((one, other) => one.order - other.order)} step={6} what="steps">
            {(few) => (
              <ol class="rotate">
                {few.map((one, at) => (
                  <li key={at} value={one.order}>
                    <Step step={one} open={little || at === 0} />
                  </li>
                ))}
              </ol>
            )}
          </Few>
        ) : (
          <Empty>Nothing to rotate is known.</Empty>
        )}
      </section>
    </div>
  );
}

/** The first gaps, on the first screen: a story without them would look whole. */
function Unseen({ story }: { story: Story }): JSX.Element {
  return (
    <div class="unseen-list">
      <h3>What nobody could see</h3>
      {story.gaps.length ? (
        <ul>
          {story.gaps.slice(0, 4).map((gap, at) => (
            <li key={at}>
              {gap.stage ? <b>{inert(gap.stage, 20)} </b> : null}
              <T v={gap.text} limit={150} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="muted">No gap was told.</p>
      )}
      {story.gaps.length > 4 ? <a href="#gaps">{story.gaps.length - 4} more, and what closes them</a> : story.gaps.length ? <a href="#gaps">What closes them</a> : null}
    </div>
  );
}

/** One thing to do: its name is always read, reason and commands open at once where that is little or comes first. */
function Step({ step, open }: { step: Rotation; open: boolean }): JSX.Element {
  const { commands } = step;
  const count = commands.length;
  return (
    <>
      <p>
        <b>
          <T v={step.what} limit={300} />
        </b>
      </p>
      {step.why || count ? (
        <details open={open}>
          <summary class="muted">{count ? `${count} ${count === 1 ? "command" : "commands"}, and why` : "why"}</summary>
          <Few items={commands} step={8} what="commands">
            {(few) => (
              <>
                {few.map((line, at) => (
                  <Command key={at} line={line} />
                ))}
              </>
            )}
          </Few>
          {step.why ? (
            <p class="muted">
              <T v={step.why} limit={1200} />
            </p>
          ) : null}
        </details>
      ) : null}
    </>
  );
}

/** An image by its name, with so much of its digest as tells it from others. */
function image(name: string): string {
  const at = name.indexOf("@sha256:");
  return at < 0 || name.length < at + 30 ? name : `${name.slice(0, at + 20)}\u2026`;
}

function IdentityLine({ index, identity, pick }: { index: Index; identity: IdentityStory; pick: Pick }): JSX.Element {
  const after = identity.uses.filter((one) => one.after);
  const foreign = identity.uses.some((one) => one.foreign);
  const { possible, until } = identity.revocation;
  const taken = seconds(identity.taken_at);
  return (
    <button type="button" class="identity" onClick={() => pick({ kind: "identity", identity })}>
      <span class="identity-head">
        <Badge tone={identity.state === "exposed" ? "warn" : "bad"}>{inert(identity.state, 20)}</Badge>
        <b>
          <T v={identity.name} limit={80} />
        </b>
      </span>
      <span class="muted">
        {inert(identity.kind, 40)}
        {identity.domain ? ` \u00b7 ${inert(identity.domain, 30)}` : ""}
        {Number.isFinite(taken) ? ` \u00b7 taken ${index.story.t0 ? since(taken - index.zero) : utc(identity.taken_at)}` : ` \u00b7 ${STATE_WORDS[identity.state] ?? ""}`}
      </span>
      <span>
        {identity.state === "exposed" ? "" : after.length ? `${after.length} ${after.length === 1 ? "use" : "uses"} after that` : "no use seen after that"}
        {foreign ? <b class="bad"> from outside the cluster</b> : null}
      </span>
      <span class={possible === false ? "bad" : ""}>
        {possible === null ? "Nobody can say whether tokens can be taken back" : possible ? "Its tokens can be taken back" : `Issued tokens cannot be taken back${until ? `: until ${utc(until)}` : ""}`}
      </span>
    </button>
  );
}
