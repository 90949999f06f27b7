// What is behind a mark, an entity or an identity: the raw record, how sure it is, whose it may be, and queries for more.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { forEntity, forIdentity, forMark, type Query } from "../kusto/query";
import { harmlessJson, inert, inertLines } from "../shell/inert";
import { laidOut } from "../shell/json";
import { Badge, Copy, Empty, Facts, Few, T } from "../shell/widgets";
import type { Index, Placed } from "./index";
import type { Attribution, Evidence, IdentityStory } from "./model";
import { Glyph, Ref, Sure } from "./pieces";
import type { Pick, Selection } from "./select";
import { clock, seconds, since, utc } from "./time";
import { GRADE_WORDS, LANE_WORDS, ORIGIN_WORDS, OUTCOME_WORDS, STAGE_WORDS, STATE_WORDS } from "./words";

const RECORD = 20_000; // characters of a record that are shown; all of it is copied

export function Panel(props: { index: Index; selection: Selection; pick: Pick; close: () => void }): JSX.Element {
  const { index, selection, pick, close } = props;
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), [selection]);
  const [title, body] = content(index, selection, pick);
  return (
    <aside
      class="panel"
      aria-labelledby="panel-title"
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === "Escape") {
          event.stopPropagation();
          close();
        }
      }}
    >
      <header>
        <h2 id="panel-title" ref={head} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" class="button" onClick={close} aria-label="Close the details (Escape)">
          Close
        </button>
      </header>
      <div class="panel-body">{body}</div>
    </aside>
  );
}

function content(index: Index, selection: Selection, pick: Pick): [ComponentChildren, JSX.Element] {
  switch (selection.kind) {
    case "mark":
      return [<T key="t" v={selection.one.mark.title} />, <MarkBody key="b" index={index} one={selection.one} pick={pick} />];
    case "marks":
      return [`${selection.items.length} marks`, <MarkList key="b" index={index} items={selection.items} pick={pick} />];
    case "entities":
      return [`${selection.ids.length} more: ${inert(selection.name, 40)}`, <EntityList key="b" index={index} ids={selection.ids} pick={pick} />];
    case "identity":
      return [<T key="t" v={selection.identity.name} />, <IdentityBody key="b" index={index} identity={selection.identity} pick={pick} />];
    case "entity": {
      const entity = index.entities.get(selection.id);
      return [<T key="t" v={entity?.name ?? selection.id} />, <EntityBody key="b" index={index} id={selection.id} pick={pick} />];
    }
  }
}

function MarkBody({ index, one, pick }: { index: Index; one: Placed; pick: Pick }): JSX.Element {
  const { mark } = one;
  return (
    <>
      <p class="lead">
        <Glyph stage={mark.stage} hollow={mark.origin === "suspect"} letter={mark.grade} />{" "}
        {mark.stage ? `${mark.stage}: ${STAGE_WORDS[mark.stage]}` : "surrounds the chain, is no part of it"}
      </p>
      {mark.detail ? (
        <p class="detail">
          <T v={mark.detail} limit={2000} />
        </p>
      ) : null}
      <Facts
        rows={[
          ["When", `${index.story.t0 ? `${since(one.x, 0.001)}, ` : ""}${utc(mark.at)}`],
          ...(mark.until ? [["Until", utc(mark.until)] as const] : []),
          ["Grade", `${mark.grade}: ${GRADE_WORDS[mark.grade] ?? ""}`],
          ["Origin", `${mark.origin}: ${ORIGIN_WORDS[mark.origin] ?? ""}`],
          ["Outcome", OUTCOME_WORDS[mark.outcome] ?? mark.outcome],
          ["Lane", LANE_WORDS[mark.lane]?.[0] ?? mark.lane],
          ...(mark.count > 1 ? [["Records", String(mark.count)] as const] : []),
          ...(mark.pod ? [["Pod", <T key="p" v={mark.pod} />] as const] : []),
          ...(mark.actor ? [["Who", <Ref key="a" index={index} id={mark.actor} pick={pick} />] as const] : []),
          ...(mark.subject ? [["To what", <Ref key="s" index={index} id={mark.subject} pick={pick} />] as const] : []),
          ...(mark.also.length ? [["Also", <T key="l" v={`${mark.also.join(", ")} of further chains`} />] as const] : []),
          ...(mark.techniques.length ? [["ATT&CK", <T key="k" v={mark.techniques.join(", ")} />] as const] : []),
          ...(mark.signal ? [["Signal", <T key="g" v={mark.signal} />] as const] : []),
        ]}
      />
      {mark.attribution ? <Whose attribution={mark.attribution} /> : null}
      <Records index={index} evidence={mark.evidence} />
      <Queries queries={forMark(index.story, mark, index.record)} />
    </>
  );
}

export function Whose({ attribution }: { attribution: Attribution }): JSX.Element {
  return (
    <section class="whose">
      <h3>Whose it was</h3>
      <p>
        <Sure grade={attribution.grade} origin={attribution.origin} />{" "}
        {attribution.certain ? "One pod alone can have done it, by the records there are." : attribution.candidates.length ? "Not certain. Candidates:" : "Nothing joins it to a pod; that clears nobody."}
      </p>
      {attribution.candidates.length ? (
        <ul class="candidates">
          {attribution.candidates.map((one, at) => (
            <li key={at}>
              <meter min={0} max={1} value={one.probability} aria-label="probability" /> <b>{percent(one.probability)}</b> <T v={one.pod} limit={120} />
              {one.why ? (
                <span class="muted">
                  {" "}
                  <T v={one.why} limit={300} />
                </span>
              ) : null}
            </li>
          ))}
          {attribution.others ? <li class="muted">and {attribution.others} others</li> : null}
        </ul>
      ) : null}
      <p class="muted">
        {attribution.join_key ? (
          <>
            Joined by <T v={attribution.join_key} limit={120} />.{" "}
          </>
        ) : null}
        <T v={attribution.why} limit={600} />
      </p>
    </section>
  );
}

function percent(value: number): string {
  if (value >= 1) return "100 %";
  return value > 0.99 ? ">99 %" : value < 0.01 && value > 0 ? "<1 %" : `${Math.round(value * 100)} %`;
}

function Records({ index, evidence }: { index: Index; evidence: readonly Evidence[] }): JSX.Element {
  return (
    <section>
      <h3>Raw records</h3>
      {evidence.length ? null : <Empty>No record is pointed to.</Empty>}
      <Few items={evidence} step={5} what="records">
        {(few) => (
          <>
            {few.map((one, at) => (
              <RawRecord key={`${one.file}\n${one.line}\n${at}`} index={index} evidence={one} open={at === 0} />
            ))}
          </>
        )}
      </Few>
    </section>
  );
}

function RawRecord({ index, evidence, open }: { index: Index; evidence: Evidence; open: boolean }): JSX.Element {
  const record = index.record(evidence);
  const where = `${evidence.file}:${evidence.line}`;
  const [shown, show] = useState(open);
  if (!record)
    return (
      <p class="pointer">
        <span class="kind">{inert(evidence.source, 40)}</span> <T v={where} /> <span class="muted">(not carried in this file)</span>
      </p>
    );
  const text = laidOut(record.text);
  return (
    <details class="record" open={open} onToggle={(event) => show((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>
        <span class="kind">{inert(evidence.source, 40)}</span> <T v={where} />
      </summary>
      {shown ? <pre tabIndex={0}>{inertLines(text, RECORD)}</pre> : null}
      <p class="record-foot">
        <Copy text={() => harmlessJson(record.text)} label="Copy the record" what={inert(where, 80)} />
        {record.cut ? <span class="muted">{record.cut} bytes were left out at its end</span> : null}
        {text.length > RECORD ? <span class="muted">shown up to {RECORD} characters</span> : null}
      </p>
    </details>
  );
}

export function Queries({ queries }: { queries: readonly Query[] }): JSX.Element {
  return (
    <section>
      <h3>As KQL</h3>
      {queries.map((query) => (
        <div key={query.name} class="query">
          <details>
            <summary>{query.name}</summary>
            <pre tabIndex={0}>{query.text}</pre>
          </details>
          <Copy text={() => query.text} label="Copy as KQL" what={query.name} />
        </div>
      ))}
    </section>
  );
}

function MarkList({ index, items, pick }: { index: Index; items: readonly Placed[]; pick: Pick }): JSX.Element {
  return (
    <Few items={items} step={100} what="marks">
      {(few) => (
        <ul class="mark-list">
          {few.map((one) => (
            <li key={one.at}>
              <button type="button" class="link" onClick={() => pick({ kind: "mark", one })}>
                <Glyph stage={one.mark.stage} hollow={one.mark.origin === "suspect"} letter={one.mark.grade} size={18} />
                <span class="when">{index.story.t0 ? since(one.x) : clock(index.zero + one.x)}</span> <T v={one.mark.title} limit={160} />
                {one.mark.detail ? (
                  <span class="muted">
                    {" "}
                    <T v={one.mark.detail} limit={160} />
                  </span>
                ) : null}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Few>
  );
}

function EntityList({ index, ids, pick }: { index: Index; ids: readonly string[]; pick: Pick }): JSX.Element {
  return (
    <Few items={ids} step={100} what="entities">
      {(few) => (
        <ul class="mark-list">
          {few.map((id) => (
            <li key={id}>
              <Ref index={index} id={id} pick={pick} />
            </li>
          ))}
        </ul>
      )}
    </Few>
  );
}

function EntityBody({ index, id, pick }: { index: Index; id: string; pick: Pick }): JSX.Element {
  const entity = index.entities.get(id);
  const identity = index.identityOf.get(id);
  const links = index.linksOf.get(id) ?? [];
  const marks = index.marksOf.get(id) ?? [];
  return (
    <>
      <p class="lead">
        {inert(entity?.kind ?? "unknown")}
        {entity?.state ? (
          <>
            {" "}
            <Badge tone={/^(used|taken)$/.test(entity.state) ? "bad" : "plain"}>{inert(entity.state, 40)}</Badge>
          </>
        ) : null}
      </p>
      <Facts rows={Object.entries(entity?.facts ?? {}).map(([name, value]) => [name, <T key={name} v={value} />] as const)} />
      {identity ? (
        <p>
          <button type="button" class="button" onClick={() => pick({ kind: "identity", identity })}>
            What became of this identity
          </button>
        </p>
      ) : null}
      <h3>Joined to</h3>
      {links.length ? null : <Empty>No link of it is known.</Empty>}
      <Few items={links} step={30} what="links">
        {(few) => (
          <ul class="mark-list">
            {few.map((link, at) => (
              <li key={at}>
                {link.source === id ? <i>{inert(link.kind)} </i> : <i>{inert(link.kind)} by </i>}
                <Ref index={index} id={link.source === id ? link.target : link.source} pick={pick} /> <Sure grade={link.grade} origin={link.origin} />{" "}
                <span class="muted">
                  {index.story.t0 ? since(seconds(link.at) - index.zero) : utc(link.at)}
                  {link.join_key ? (
                    <>
                      , joined by <T v={link.join_key} limit={80} />
                    </>
                  ) : null}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Few>
      <h3>On the timeline</h3>
      {marks.length ? <MarkList index={index} items={marks} pick={pick} /> : <Empty>No mark names it.</Empty>}
      <Queries queries={forEntity(index.story, entity?.name ?? id)} />
    </>
  );
}

function IdentityBody({ index, identity, pick }: { index: Index; identity: IdentityStory; pick: Pick }): JSX.Element {
  const { revocation } = identity;
  return (
    <>
      <p class="lead">
        {inert(identity.kind, 60)} <Badge tone={identity.state === "exposed" ? "warn" : "bad"}>{STATE_WORDS[identity.state] ?? inert(identity.state)}</Badge>
      </p>
      <Facts
        rows={[
          ["Opens", <T key="d" v={identity.domain || "unknown"} />],
          ...(identity.taken_at ? [["Taken", `${index.story.t0 ? `${since(seconds(identity.taken_at) - index.zero)}, ` : ""}${utc(identity.taken_at)}`] as const] : []),
          ...(identity.taken_by ? [["By", <T key="b" v={identity.taken_by} />] as const] : []),
          ["How sure", <Sure key="s" grade={identity.grade} origin={identity.origin} />],
          ...(identity.ids.length ? [["Ids", <Ids key="i" ids={identity.ids} />] as const] : []),
          ["Tokens", revocation.possible === null ? "nobody can say whether they can be taken back" : revocation.possible ? "can be taken back" : "cannot be taken back"],
          ["How", <T key="h" v={revocation.how} limit={600} />],
          ...(revocation.until ? [["Run out", `${utc(revocation.until)} at the latest`] as const] : []),
          ...(revocation.source ? [["Source", <T key="o" v={revocation.source} />] as const] : []),
          ...(identity.why ? [["Why", <T key="w" v={identity.why} limit={600} />] as const] : []),
        ]}
      />
      {identity.entity && index.entities.has(identity.entity) ? (
        <p>
          <button type="button" class="button" onClick={() => pick({ kind: "entity", id: identity.entity })}>
            Its links and marks
          </button>
        </p>
      ) : null}
      <h3>Where it was used</h3>
      {identity.uses.length ? null : <Empty>No use was seen. That clears nobody.</Empty>}
      <Few items={identity.uses} step={20} what="uses">
        {(few) => (
          <>
            {few.map((use, at) => (
              <details key={at} class="record">
                <summary>
                  <span class="when">{index.story.t0 ? since(use.offset_s) : utc(use.at)}</span> <T v={`${use.service}: ${use.operation} ${use.target}`} limit={160} />{" "}
                  {use.outcome === "denied" ? <Badge tone="plain">denied</Badge> : null} {use.foreign ? <Badge tone="bad">from outside</Badge> : null}
                </summary>
                <Facts
                  rows={[
                    ["When", `${utc(use.at)}${use.until ? ` until ${utc(use.until)}` : ""}${use.count > 1 ? `, ${use.count} times` : ""}`],
                    ["After it was taken", use.after ? "yes" : "no"],
                    ...(use.source_ip ? [["From", <T key="f" v={use.source_ip} />] as const] : []),
                    ["Address of the cluster", use.foreign === null ? "not known" : use.foreign ? "no: none that its pods have" : "yes"],
                    ...(use.user_agent ? [["User agent", <T key="u" v={use.user_agent} />] as const] : []),
                    ...(use.credential_id ? [["Credential id", <T key="c" v={use.credential_id} />] as const] : []),
                    ["Outcome", OUTCOME_WORDS[use.outcome] ?? use.outcome],
                  ]}
                />
                <Whose attribution={use.attribution} />
                <Records index={index} evidence={use.evidence} />
              </details>
            ))}
          </>
        )}
      </Few>
      {identity.other_uses ? <p class="muted">{identity.other_uses} more uses were before it was taken, or of other pods.</p> : null}
      <Queries queries={forIdentity(index.story, identity)} />
    </>
  );
}

function Ids({ ids }: { ids: readonly string[] }): JSX.Element {
  return (
    <ul class="ids">
      {ids.slice(0, 20).map((id, at) => (
        <li key={at}>
          <code>
            <T v={id} limit={200} />
          </code>
        </li>
      ))}
    </ul>
  );
}
