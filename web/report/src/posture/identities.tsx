// Identities and their ages: last used, by whom, never since when, and from which pods still within reach.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { inert } from "../shell/inert";
import { Badge, Empty, Few, Section, T } from "../shell/widgets";
import { state } from "./answers";
import type { Identity, Pod, Told } from "./model";
import { brief, count, days, plural } from "./words";

const STATES = ["unused", "unknown", "used"] as const;
const WIDE = 120;

export function Identities({ told, open }: { told: Told; open: (pod: Pod) => void }): JSX.Element {
  const [text, setText] = useState("");
  const [only, setOnly] = useState("");
  const [reachable, setReachable] = useState(true);
  const found = useMemo(() => {
    const asked = text.trim().toLowerCase();
    return told.identities.filter((one) => (!asked || one.hay.includes(asked)) && (!only || state(one) === only) && (!reachable || one.pods > 0));
  }, [told, text, only, reachable]);
  const hidden = reachable ? told.identities.filter((one) => !one.pods).length : 0;
  return (
    <Section title="Identities and their ages" id="identities" note={`${count(found.length)} of ${count(told.identities.length)}; unused and reachable first`}>
      <div class="toolbar filters">
        <label class="search">
          Find <input type="search" value={text} onInput={(event) => setText((event.currentTarget as HTMLInputElement).value)} />
        </label>
        <label>
          Use{" "}
          <select value={only} onChange={(event) => setOnly((event.currentTarget as HTMLSelectElement).value)}>
            <option value="">any</option>
            {STATES.map((one) => (
              <option key={one} value={one}>
                {one} ({count(told.identities.filter((each) => state(each) === one).length)})
              </option>
            ))}
          </select>
        </label>
        <label>
          <input type="checkbox" checked={reachable} onChange={(event) => setReachable((event.currentTarget as HTMLInputElement).checked)} /> only those that a pod reaches
          {hidden ? ` (${count(hidden)} are not)` : ""}
        </label>
      </div>
      {found.length ? (
        <Few key={`${text}\n${only}\n${reachable}`} items={found} step={25} what="identities">
          {(few) => (
            <div class="scroll" tabIndex={0} role="region" aria-label="Identities">
              <table>
                <thead>
                  <tr>
                    {["Use", "Identity", "Last used", "Reachable from", "Roles"].map((name) => (
                      <th key={name} scope="col">
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {few.map((one) => (
                    <Row key={one.id} told={told} one={one} open={open} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Few>
      ) : (
        <Empty>{told.identities.length ? "No identity is like that." : "No identity is known."}</Empty>
      )}
    </Section>
  );
}

function Row({ told, one, open }: { told: Told; one: Identity; open: (pod: Pod) => void }): JSX.Element {
  const from = one.reachedBy.flatMap((id) => told.podOf.get(id) ?? []);
  return (
    <tr>
      <td>
        <Badge tone={one.unused ? "warn" : "plain"}>{state(one)}</Badge>
      </td>
      <td class="who">
        <b>
          <T v={one.name} limit={90} />
        </b>
        <br />
        <span class="muted">{inert(one.kind.replaceAll("-", " "), 40)}</span>
      </td>
      <td class="age">
        <Age one={one} now={told.takenAt} />
        {one.lastUsed ? (
          <>
            {inert(one.lastUsed.slice(0, 10), 10)} {ago(one.lastUsed, told.takenAt)}
          </>
        ) : one.since ? (
          <>never since {inert(one.since.slice(0, 10), 10)}</>
        ) : (
          <span class="muted">no records given</span>
        )}
        {one.usedBy.length ? (
          <>
            <br />
            <span class="muted">
              by <T v={one.usedBy.slice(0, 3).join(", ")} limit={120} />
              {one.usedBy.length > 3 ? ` and ${one.usedBy.length - 3} more` : ""}
            </span>
          </>
        ) : null}
      </td>
      <td>
        {one.pods ? plural(one.pods, "pod") : <span class="muted">no pod</span>}
        {from.length ? (
          <Few items={from} step={3} what="workloads">
            {(few) => (
              <ul>
                {few.map((pod) => (
                  <li key={pod.id}>
                    <button type="button" class="link" onClick={() => open(pod)}>
                      <T v={`${pod.namespace}/${pod.name}`} limit={60} />
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </Few>
        ) : null}
      </td>
      <td class="roles">
        {one.roles.length ? (
          <Few items={one.roles} step={3} what="roles">
            {(few) => (
              <ul>
                {few.map((role) => (
                  <li key={role} title={inert(role)}>
                    <T v={brief(role)} limit={140} />
                  </li>
                ))}
              </ul>
            )}
          </Few>
        ) : (
          <span class="muted">none known</span>
        )}
      </td>
    </tr>
  );
}

function ago(time: string, now: string): string {
  const found = days(time, now);
  return Number.isNaN(found) || found < 0 ? "" : found === 0 ? "the same day" : `${plural(found, "day")} before`;
}

/** From when records reach back to the snapshot, with the last use on it. */
function Age({ one, now }: { one: Identity; now: string }): JSX.Element | null {
  const all = days(one.since, now);
  if (!(all > 0)) return null;
  const left = one.lastUsed ? days(one.lastUsed, now) : NaN;
  const x = Number.isNaN(left) ? NaN : WIDE - 5 - (Math.min(Math.max(left, 0), all) / all) * (WIDE - 10);
  return (
    <svg class="age-line" width={WIDE} height="12" aria-hidden="true">
      <line x1="5" y1="6" x2={WIDE - 5} y2="6" />
      {Number.isNaN(x) ? null : (
        <>
          <line class="used" x1="5" y1="6" x2={x} y2="6" />
          <circle cx={x} cy="6" r="4" />
        </>
      )}
    </svg>
  );
}
