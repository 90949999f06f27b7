// The density matrix: workloads by what they hold, to search, to filter and to sort.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { inert } from "../shell/inert";
import { Badge, Empty, Few, Section, T } from "../shell/widgets";
import { families, reaches } from "./answers";
import { type Pod, type Told, weight } from "./model";
import { Cell, Risk } from "./pieces";
import { count, DOMAINS, family, plural, sinkWord } from "./words";

type Key = "risk" | "name" | "pods" | "density";
const LEVELS = [0, 1, 2, 3, 4];
const MOST_NAMESPACES = 400;

const COMPARE: Record<Key, (one: Pod, other: Pod) => number> = {
  risk: (one, other) => other.risk - one.risk,
  pods: (one, other) => other.pods - one.pods,
  density: (one, other) => other.density - one.density,
  name: (one, other) => (one.hay < other.hay ? -1 : one.hay > other.hay ? 1 : 0),
};

/** Namespaces with how many pods, those of the most pods first. */
function namespaces(told: Told): [string, number][] {
  const found = new Map<string, number>();
  for (const pod of told.pods) found.set(pod.namespace, (found.get(pod.namespace) ?? 0) + weight(pod));
  return [...found].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}

export function Matrix({ told, sink, setSink, pod, open }: { told: Told; sink: string; setSink: (sink: string) => void; pod: Pod | null; open: (pod: Pod) => void }): JSX.Element {
  const [text, setText] = useState("");
  const [where, setWhere] = useState("");
  const [level, setLevel] = useState(-1);
  const [holds, setHolds] = useState<readonly string[]>([]);
  const [sort, setSort] = useState<{ key: Key; up: boolean }>({ key: "risk", up: false });
  const spaces = useMemo(() => namespaces(told), [told]);
  const sinks = useMemo(() => families(told), [told]);
  const levels = useMemo(() => {
    const found = LEVELS.map(() => ({ pods: 0, workloads: 0 }));
    for (const one of told.pods) {
      const at = found[one.density];
      if (at) [at.pods, at.workloads] = [at.pods + weight(one), at.workloads + 1];
    }
    return found;
  }, [told]);
  const found = useMemo(() => {
    const asked = text.trim().toLowerCase();
    const kept = told.pods.filter(
      (one) =>
        (!asked || one.hay.includes(asked)) &&
        (!where || one.namespace === where) &&
        (level < 0 || one.density === level) &&
        (!sink || one.sinks.some((each) => family(each) === sink)) &&
        holds.every((domain) => one.credentials.some((each) => each.domain === domain)),
    );
    const compare = COMPARE[sort.key];
    // The order of the posture, the worst first, decides between equals.
    if (sort.key !== "risk") kept.sort((one, other) => compare(one, other) || one.at - other.at);
    return sort.up ? kept.reverse() : kept;
  }, [told, text, where, level, sink, holds, sort]);
  const shownPods = found.reduce((sum, one) => sum + weight(one), 0);
  const most = Math.max(1, ...levels.map((one) => one.pods));
  const head = (key: Key, word: string): JSX.Element => (
    <th scope="col" aria-sort={sort.key === key ? (sort.up ? "ascending" : "descending") : "none"}>
      <button type="button" class="sort" onClick={() => setSort({ key, up: sort.key === key && !sort.up })}>
        {word}
        <span aria-hidden="true">{sort.key === key ? (sort.up ? " \u2191" : " \u2193") : ""}</span>
      </button>
    </th>
  );
  const clear = text || where || level >= 0 || sink || holds.length;
  return (
    <Section title="Credential density" id="matrix" class="matrix" note={`${plural(found.length, "workload")}, ${plural(shownPods, "pod")}${clear ? ` of ${count(told.podCount)}` : ""}; pods that are alike are one row`}>
      <ol class="density" aria-label="Pods by how many of the four domains they hold; press to filter">
        {LEVELS.map((one) => (
          <li key={one}>
            <button type="button" aria-pressed={level === one} onClick={() => setLevel(level === one ? -1 : one)}>
              <b>{one}</b>
              <span class="density-word">{one === 1 ? "domain" : "domains"}</span>
              <svg width="100%" height="8" aria-hidden="true">
                <rect class={`level level-${one}`} width={`${((100 * (levels[one]?.pods ?? 0)) / most).toFixed(1)}%`} height="8" rx="2" />
              </svg>
              <span class="muted">
                {plural(levels[one]?.pods ?? 0, "pod")} · {plural(levels[one]?.workloads ?? 0, "workload")}
              </span>
            </button>
          </li>
        ))}
      </ol>
      <div class="toolbar filters">
        <label class="search">
          Find <input type="search" value={text} placeholder="namespace/name" onInput={(event) => setText((event.currentTarget as HTMLInputElement).value)} />
        </label>
        <label>
          Namespace{" "}
          <select value={where} onChange={(event) => setWhere((event.currentTarget as HTMLSelectElement).value)}>
            <option value="">all {count(spaces.length)}</option>
            {spaces.slice(0, MOST_NAMESPACES).map(([name, pods]) => (
              <option key={name} value={name}>
                {inert(name, 60)} ({count(pods)})
              </option>
            ))}
          </select>
        </label>
        <label>
          Reaches{" "}
          <select value={sink} onChange={(event) => setSink((event.currentTarget as HTMLSelectElement).value)}>
            <option value="">anything</option>
            {sinks.map((one) => (
              <option key={one.family} value={one.family}>
                {inert(sinkWord(one.family), 60)} ({count(one.pods)})
              </option>
            ))}
          </select>
        </label>
        <span class="legend" role="group" aria-label="Only those that hold">
          {DOMAINS.map(({ domain, letter, word, what }) => (
            <button
              key={domain}
              type="button"
              class="hold-toggle"
              title={what}
              aria-pressed={holds.includes(domain)}
              onClick={() => setHolds(holds.includes(domain) ? holds.filter((one) => one !== domain) : [...holds, domain])}
            >
              <span class={`cell held domain-${domain} proved`} aria-hidden="true">
                {letter}
              </span>
              {word}
            </button>
          ))}
        </span>
        {clear ? (
          <button
            type="button"
            class="button"
            onClick={() => {
              setText("");
              setWhere("");
              setLevel(-1);
              setSink("");
              setHolds([]);
            }}
          >
            Show all
          </button>
        ) : null}
      </div>
      <p class="hint">
        Density is raw and no alert by itself: every pod has two domains by default. <span class="cell held domain-cluster proved key-cell">K</span> an object proves it{" "}
        <span class="cell held domain-cluster inferred key-cell">K</span> it follows <span class="cell held domain-cluster assumed key-cell">K</span> a name says so. A number: how many credentials.
      </p>
      {found.length ? (
        <Few key={`${text}\n${where}\n${level}\n${sink}\n${holds.join()}\n${sort.key}${sort.up}`} items={found} step={25} what="workloads">
          {(few) => (
            <div class="scroll" tabIndex={0} role="region" aria-label="Workloads">
              <table class="pods">
                <thead>
                  <tr>
                    {head("risk", "Risk")}
                    {head("name", "Workload")}
                    {head("pods", "Pods")}
                    {DOMAINS.map(({ word }) => (
                      <th key={word} scope="col" class="domain-head">
                        {word}
                      </th>
                    ))}
                    {head("density", "Density")}
                    <th scope="col">Reaches</th>
                  </tr>
                </thead>
                <tbody>
                  {few.map((one) => (
                    <tr key={one.id} class={one === pod ? "picked" : ""} onClick={() => open(one)}>
                      <td>
                        <Risk risk={one.risk} />
                      </td>
                      <td class="workload">
                        <button
                          type="button"
                          class="link"
                          aria-current={one === pod ? "true" : undefined}
                          onClick={(event) => {
                            event.stopPropagation();
                            open(one);
                          }}
                        >
                          <T v={`${one.namespace}/${one.name}`} limit={70} />
                        </button>{" "}
                        <span class="muted">{inert(one.kind, 30)}</span> {one.architectural ? <Badge tone="plain">architectural</Badge> : null}
                      </td>
                      <td class="number">{count(one.pods)}</td>
                      {DOMAINS.map((domain) => (
                        <td key={domain.domain} class="domain-cell">
                          <Cell pod={one} domain={domain} />
                        </td>
                      ))}
                      <td class="number">{one.density} of 4</td>
                      <td class={one.sinks.length ? "" : "muted"}>{reaches(one)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Few>
      ) : (
        <Empty>{told.pods.length ? "No workload is like that." : "No workload was read."}</Empty>
      )}
    </Section>
  );
}
