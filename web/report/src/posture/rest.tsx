// What no fix changes, what was and is gone, and what could not be looked at.
import type { JSX } from "preact";
import { inert } from "../shell/inert";
import { Empty, Few, Section, T } from "../shell/widgets";
import type { Pod, Told } from "./model";
import { family, plural, sinkWord, thing, when } from "./words";

/** GPU node pools: once each, with what root on such a node holds. */
export function Pools({ told, open }: { told: Told; open: (pod: Pod) => void }): JSX.Element | null {
  if (!told.pools.length) return null;
  const names = (ids: readonly string[], step: number, what: string): JSX.Element => (
    <Few items={ids} step={step} what={what}>
      {(few) => (
        <ul>
          {few.map((id) => {
            const pod = told.podOf.get(id);
            return (
              <li key={id}>
                {pod ? (
                  <button type="button" class="link" onClick={() => open(pod)}>
                    <T v={`${pod.namespace}/${pod.name}`} limit={60} />
                  </button>
                ) : (
                  <T v={thing(id).name} limit={80} />
                )}
              </li>
            );
          })}
        </ul>
      )}
    </Few>
  );
  return (
    <Section title="What no fix changes" id="pools" note="GPU operands are privileged because they must be: keep identities and other pods off their nodes.">
      <div class="scroll" tabIndex={0} role="region" aria-label="Node pools of GPUs">
        <table>
          <thead>
            <tr>
              {["Node pool", "Must be privileged", "Root there holds", "And the credentials of", "Reaches"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {told.pools.slice(0, 100).map((one) => (
              <tr key={one.pool}>
                <td>
                  <b>
                    <T v={one.pool || "not known"} limit={60} />
                  </b>
                  <br />
                  <span class="muted">{one.nodes ? plural(one.nodes, "node") : "its nodes were not given"}</span>
                </td>
                <td>{names(one.operands, 4, "workloads")}</td>
                <td>{one.identities.length ? names(one.identities, 4, "identities") : <span class="muted">no identity of its machines is known</span>}</td>
                <td>
                  {one.neighbourCount ? (
                    <>
                      {plural(one.pods, "pod")} of {plural(one.neighbourCount, "workload")}
                      {names(one.neighbours, 4, "workloads")}
                    </>
                  ) : (
                    <span class="muted">no other pod there is known</span>
                  )}
                </td>
                <td>{[...new Set(one.sinks.map(family))].map((sink) => inert(sinkWord(sink), 40)).join(", ") || <span class="muted">nothing known</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

/** Bindings that were made and taken away again: no snapshot shows them. */
export function Past({ told }: { told: Told }): JSX.Element | null {
  if (!told.past.length) return null;
  return (
    <Section title="What was, and is gone" id="past" note="Bindings of the audit log that no snapshot shows.">
      <Few items={told.past} step={10} what="bindings">
        {(few) => (
          <ul class="gap-list two">
            {few.map((one, at) => (
              <li key={at}>
                <b>
                  <T v={one.object} limit={120} />
                </b>
                <span>
                  <T v={one.role} limit={120} /> for <T v={one.subjects.slice(0, 5).join(", ")} limit={240} />
                  {one.subjects.length > 5 ? ` and ${one.subjects.length - 5} more` : ""}
                </span>
                <span class="muted">
                  {inert(when(one.since), 40)} {one.until ? `to ${inert(when(one.until), 40)}` : "until nobody saw it go"}
                  {one.times > 1 ? `, ${one.times} times` : ""}
                  {one.maker ? (
                    <>
                      , made by <T v={one.maker} limit={120} />
                    </>
                  ) : null}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Few>
    </Section>
  );
}

export function NotSeen({ told }: { told: Told }): JSX.Element {
  return (
    <Section title="Not seen" id="not-seen" class="gaps" note="Not seen is not clean.">
      {told.notSeen.length ? null : <Empty>No gap is known.</Empty>}
      <Few items={told.notSeen} step={20} what="gaps">
        {(few) => (
          <ul class="gap-list two">
            {few.map((gap, at) => (
              <li key={at}>
                <b>
                  <T v={gap.what} limit={200} />
                </b>
                <span>
                  <T v={gap.why} limit={400} />
                </span>
                {gap.close ? (
                  <span class="close">
                    <span class="muted">closed by</span>{" "}
                    <code>
                      <T v={gap.close} limit={400} />
                    </code>
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
