// Below the timeline and the graph: where else, why, what nobody saw, every mark as a table, what was read.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { forStory } from "../kusto/query";
import { inert } from "../shell/inert";
import { Badge, Empty, Facts, Few, Section, T } from "../shell/widgets";
import type { Index, Placed } from "./index";
import type { Reconstruction, Story } from "./model";
import { Queries } from "./panel";
import { Glyph, Sure } from "./pieces";
import type { Pick } from "./select";
import { clock, since, utc } from "./time";
import { LANE_WORDS } from "./words";

export function Gaps({ story }: { story: Story }): JSX.Element {
  return (
    <Section title="What nobody could see" class="gaps" note="Not seen is not clean.">
      <div id="gaps" />
      {story.gaps.length ? null : <Empty>No gap was told.</Empty>}
      <Few items={story.gaps} step={12} what="gaps">
        {(few) => (
          <ul class="gap-list">
            {few.map((gap, at) => (
              <li key={at}>
                <Badge tone="plain">{gap.stage ? inert(gap.stage, 20) : "all stages"}</Badge>
                <span>
                  <T v={gap.text} limit={600} />
                </span>
                {gap.close ? (
                  <span class="close">
                    <span class="muted">closed by</span> <T v={gap.close} limit={400} />
                  </span>
                ) : null}
              </li>
            ))}
          </ul>
        )}
      </Few>
    </Section>
  );
}

export function Elsewhere({ story }: { story: Story }): JSX.Element | null {
  if (!story.elsewhere.length) return null;
  return (
    <Section title="The same artifact elsewhere" note={`${story.elsewhere.length} sightings`}>
      <Few items={story.elsewhere} step={20} what="sightings">
        {(few) => (
          <div class="scroll" tabIndex={0} role="region" aria-label="Sightings">
            <table>
              <thead>
                <tr>
                  {["Artifact", "Where", "How", "When", "The same", "Identity taken"].map((name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {few.map((one, at) => (
                  <tr key={at}>
                    <td>
                      <T v={one.artifact} limit={120} />
                    </td>
                    <td>
                      <T v={[one.cluster, one.namespace && one.pod ? `${one.namespace}/${one.pod}` : one.pod, one.node].filter(Boolean).join(" \u00b7 ")} limit={200} />
                    </td>
                    <td>{inert(one.how, 40)}</td>
                    <td>{inert(utc(one.at), 40)}</td>
                    <td>{one.same === null ? "not told" : one.same ? "yes" : "another version"}</td>
                    <td>{one.identity_taken ? <Badge tone="bad">yes</Badge> : "not seen"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Few>
    </Section>
  );
}

export function Why({ story }: { story: Story }): JSX.Element | null {
  if (!story.why.length) return null;
  return (
    <Section title="Why this verdict" note={`score ${story.score}`}>
      <Few items={story.why} step={20} what="reasons">
        {(few) => (
          <ul class="why">
            {few.map((one, at) => (
              <li key={at}>
                <b class={one.points < 0 ? "good" : ""}>{one.points ? `${one.points > 0 ? "+" : "\u2212"}${Math.abs(one.points)}` : "\u00b7"}</b>{" "}
                <span>
                  <T v={one.text} limit={400} />
                </span>{" "}
                <span class="muted">{inert(one.basis, 20)}</span>
              </li>
            ))}
          </ul>
        )}
      </Few>
    </Section>
  );
}

/** The timeline as a table: the same marks for those who read rather than look. */
export function Marks({ index, pick }: { index: Index; pick: Pick }): JSX.Element {
  const [text, setText] = useState("");
  const [around, setAround] = useState(false);
  const found = useMemo(() => {
    const asked = text.trim().toLowerCase();
    return index.placed.filter(({ mark }) => {
      if (!around && !mark.stage) return false;
      return !asked || `${mark.title} ${mark.detail} ${mark.stage ?? ""} ${mark.lane} ${mark.outcome} ${mark.origin}`.toLowerCase().includes(asked);
    });
  }, [index, text, around]);
  return (
    <Section title="Every mark, as a table" class="marks" note={`${found.length} of ${index.placed.length}`}>
      <div class="toolbar">
        <label class="search">
          Find <input type="search" value={text} onInput={(event) => setText((event.currentTarget as HTMLInputElement).value)} />
        </label>
        <label>
          <input type="checkbox" checked={around} onChange={(event) => setAround((event.currentTarget as HTMLInputElement).checked)} /> with what surrounds the chain
        </label>
      </div>
      {found.length ? (
        <Few key={`${index.story.id} ${text} ${around}`} items={found} step={50} what="marks">
          {(few) => (
            <div class="scroll" tabIndex={0} role="region" aria-label="Every mark">
              <table>
                <thead>
                  <tr>
                    {["T+", "UTC", "Lane", "Stage", "What", "Sure", "Outcome"].map((name) => (
                      <th key={name} scope="col">
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {few.map((one) => (
                    <MarkRow key={one.at} index={index} one={one} pick={pick} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Few>
      ) : (
        <Empty>{index.placed.length ? "Nothing matches." : "No mark was told."}</Empty>
      )}
      {index.story.left_out ? <p class="muted">{index.story.left_out} more were left out by a bound.</p> : null}
    </Section>
  );
}

function MarkRow({ index, one, pick }: { index: Index; one: Placed; pick: Pick }): JSX.Element {
  const { mark } = one;
  return (
    <tr>
      <td class="number">{index.story.t0 ? since(one.x) : ""}</td>
      <td class="number">{clock(index.zero + one.x)}</td>
      <td>{LANE_WORDS[mark.lane]?.[0] ?? inert(mark.lane)}</td>
      <td class="stage-cell">
        <Glyph stage={mark.stage} hollow={mark.origin === "suspect"} size={16} /> {mark.stage ?? ""}
      </td>
      <td class="wide">
        <button type="button" class="link" onClick={() => pick({ kind: "mark", one })}>
          <T v={mark.title} limit={160} />
        </button>{" "}
        <span class="muted">
          <T v={mark.detail} limit={240} />
          {mark.count > 1 ? ` \u00d7${mark.count}` : ""}
        </span>
      </td>
      <td>
        <Sure grade={mark.grade} origin={mark.origin} />
      </td>
      <td>{mark.outcome === "denied" ? <Badge tone="plain">denied</Badge> : inert(mark.outcome, 20)}</td>
    </tr>
  );
}

export function Read({ told, story }: { told: Reconstruction; story: Story | null }): JSX.Element {
  const { coverage, counts } = told;
  return (
    <Section title="What was read" note={Object.entries(counts).filter(([, count]) => count).map(([name, count]) => `${count} ${name}`).join(", ")}>
      <div class="columns">
        <div>
          <h3>Sources</h3>
          {coverage.sources.length ? null : <Empty>No source was read.</Empty>}
          <ul class="plain-list">
            {coverage.sources.slice(0, 40).map((one, at) => (
              <li key={at}>
                <b>{inert(one.source, 60)}</b> {one.records} records{" "}
                <span class="muted">
                  {Object.entries(one.kinds)
                    .slice(0, 12)
                    .map(([kind, count]) => `${count} ${inert(kind, 30)}`)
                    .join(", ")}
                  {one.first ? `; ${inert(utc(one.first), 40)} to ${inert(utc(one.last), 40)}` : ""}
                </span>
              </li>
            ))}
          </ul>
        </div>
        <div>
          <h3>Not usable, not judged</h3>
          <Facts
            rows={[
              ["Not given to a pod", String(coverage.unattributed)],
              ["Baseline", <T key="b" v={coverage.baseline} />],
              ...(coverage.late ? [["Late", String(coverage.late)] as const] : []),
              ...(coverage.flooded.length ? [["Bounds hit", <T key="f" v={coverage.flooded.slice(0, 20).join(", ")} limit={900} />] as const] : []),
            ]}
          />
          <ul class="plain-list">
            {coverage.rules
              .filter((one) => !one.evaluable)
              .slice(0, 40)
              .map((one, at) => (
                <li key={at}>
                  <b>{inert(one.rule, 60)}</b> needs <T v={one.missing.join(", ")} />
                  {one.switch_on.slice(0, 4).map((line, each) => (
                    <p key={each} class="muted">
                      <T v={line} limit={400} />
                    </p>
                  ))}
                </li>
              ))}
          </ul>
          <Few items={coverage.problems} step={5} what="records that could not be used">
            {(few) => (
              <ul class="plain-list">
                {few.map((one, at) => (
                  <li key={at}>
                    <span class="kind">{inert(one.kind, 30)}</span> <T v={`${one.file}:${one.line}`} limit={200} />{" "}
                    <span class="muted">
                      <T v={one.reason} limit={200} />
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Few>
        </div>
      </div>
      {story ? <Queries queries={forStory(story)} /> : null}
    </Section>
  );
}
