// The paths of one workload: drawn, and step by step with what proves each, what it is called, and what cuts it.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Arrow, type Box, type Drawing, fold } from "../shell/graph/layout";
import { GraphFrame } from "../shell/graph/view";
import { inert } from "../shell/inert";
import { Badge, Command, Empty, Few, Section, T } from "../shell/widgets";
import type { Edge, Path, Pod, Told } from "./model";
import { Doing, Risk, Sure } from "./pieces";
import { beginning, brief, edgeName, family, plural, quoted, sinkName, thing } from "./words";

const MAX_PATHS = 12;
const MAX_CHIPS = 8;

interface Joined extends Arrow {
  edges: Edge[];
}

function box(id: string, pod: Pod): Box {
  const { kind, name } = thing(id);
  const words = kind.replaceAll("-", " ");
  return {
    id,
    kind,
    top: id === pod.id ? "this pod" : inert(words, 28),
    name: tail(name),
    said: `${inert(words, 40)} ${inert(name, 160)}`,
    tone: kind === "sink" ? "taken" : id === pod.id ? "start" : "",
  };
}

/** A long name by its end, which tells more. */
function tail(name: string): string {
  const safe = inert(name, 200);
  return safe.length > 27 ? `\u2026${safe.slice(-26)}` : safe;
}

function draw(paths: readonly Path[], pod: Pod, wide: number): Drawing<Box, Joined> {
  const boxes = new Map<string, Box>();
  const arrows = new Map<string, Joined>();
  for (const edge of paths.flatMap((path) => path.edges)) {
    for (const id of [edge.source, edge.target]) if (!boxes.has(id)) boxes.set(id, box(id, pod));
    if (edge.source === edge.target) continue;
    const name = `${edge.source}\n${edge.target}`;
    const found = arrows.get(name);
    if (!found) arrows.set(name, { source: edge.source, target: edge.target, words: "", dashed: edge.confidence !== "proved", edges: [edge] });
    else if (!found.edges.includes(edge)) {
      found.edges.push(edge);
      found.dashed &&= edge.confidence !== "proved";
    }
  }
  for (const arrow of arrows.values()) arrow.words = [...new Set(arrow.edges.map((edge) => inert(edge.type.toLowerCase().replaceAll("_", " "), 40)))].join(", ");
  return fold([...boxes.values()], [...arrows.values()], wide);
}

export function Reach({ told, pod }: { told: Told; pod: Pod | null }): JSX.Element {
  if (!pod)
    return (
      <Section title="Paths of one pod" id="reach">
        <Empty>There is no workload to show.</Empty>
      </Section>
    );
  return (
    <Section
      title="Paths of one pod"
      id="reach"
      note={
        <>
          <Risk risk={pod.risk} />{" "}
          <b class="ink">
            <T v={`${pod.namespace}/${pod.name}`} limit={120} />
          </b>{" "}
          {inert(pod.kind, 30)}, {plural(pod.pods, "pod")}
          {pod.architectural ? (
            <>
              {" "}
              <Badge tone="plain">architectural</Badge>
            </>
          ) : null}
        </>
      }
    >
      {pod.architectural ? <p class="note">Its hardware needs it privileged: whoever breaks into it is root on its node, and no fix changes that. Keep what such nodes hold small.</p> : null}
      <Paths key={pod.id} told={told} pod={pod} />
      <Holding told={told} pod={pod} />
    </Section>
  );
}

/** About how wide the graph's frame is, in steps: a drawing is not made anew for each pixel of a window that is dragged. */
function useWide(): number {
  const now = (): number => Math.max(280, Math.floor((Math.min(innerWidth, 1440) - 90) / 100) * 100);
  const [wide, setWide] = useState(now);
  useEffect(() => {
    const changed = (): void => setWide(now());
    addEventListener("resize", changed);
    return () => removeEventListener("resize", changed);
  }, []);
  return wide;
}

function Paths({ told, pod }: { told: Told; pod: Pod }): JSX.Element {
  const paths = useMemo(() => told.pathsOf.get(pod.id) ?? [], [told, pod]);
  const [at, setAt] = useState(0);
  const [picked, setPicked] = useState<Edge | null>(null);
  const [node, setNode] = useState("");
  useEffect(() => setPicked(null), [at]);
  const shown = useMemo(() => (at < 0 ? paths.slice(0, MAX_PATHS) : paths.slice(at, at + 1)), [paths, at]);
  const wide = useWide();
  const drawing = useMemo(() => draw(shown, pod, wide), [shown, pod, wide]);
  if (!paths.length)
    return pod.sinks.length ? (
      <>
        <p>Its paths are not in this page: the list was cut at those of the worst workloads. Ask for one:</p>
        <Command line={`eightysix posture why ${quoted(`${pod.namespace}/${pod.name}`)} ${quoted((pod.sinks[0] ?? "").replace(/^sink:/, ""))} PATH...`} />
      </>
    ) : (
      <Empty>Nothing that matters is known within its reach.</Empty>
    );
  const steps = [...new Set(shown.flatMap((path) => path.edges))];
  const only = at >= 0 ? paths[at] : undefined;
  return (
    <>
      <div class="chips" role="group" aria-label="Which path">
        {paths.length > 1 ? (
          <button type="button" class="chip" aria-pressed={at < 0} onClick={() => setAt(-1)}>
            {paths.length > MAX_PATHS ? `The first ${MAX_PATHS} together` : "All together"}
          </button>
        ) : null}
        {paths.slice(0, MAX_CHIPS).map((path, each) => (
          <button key={path.sink} type="button" class={`chip sink-${/^[a-z-]+$/.test(family(path.sink)) ? family(path.sink) : "other"}`} aria-pressed={at === each} onClick={() => setAt(each)}>
            {inert(sinkName(path.sink), 60)} <span class="muted">{path.probability.toFixed(2)}</span>
          </button>
        ))}
        {paths.length > MAX_CHIPS ? (
          <label>
            {paths.length - MAX_CHIPS} more{" "}
            <select value={at} onChange={(event) => setAt(Number((event.currentTarget as HTMLSelectElement).value))}>
              {paths.map((path, each) => (
                <option key={path.sink} value={each}>
                  {inert(sinkName(path.sink), 60)}
                </option>
              ))}
            </select>
          </label>
        ) : null}
      </div>
      <GraphFrame
        drawing={drawing}
        label="Graph of the path; arrow keys walk from one thing to the next, Enter lights it"
        hint="Read along the arrows. Dashed: not proved by an object. Pick a box or an arrow to light its steps below."
        lit={(one) => one.id === node}
        litEdge={(edge) => picked !== null && edge.edges.includes(picked)}
        open={(one) => {
          setPicked(null);
          setNode(node === one.id ? "" : one.id);
        }}
        openEdge={(edge) => {
          setNode("");
          setPicked(edge.edges[0] ?? null);
          document.getElementById(`step-${edge.edges[0]?.at ?? ""}`)?.scrollIntoView({ block: "nearest" });
        }}
      />
      <p class="hint">
        {only ? `The best path to ${inert(sinkName(only.sink), 80)}, probability ${only.probability.toFixed(2)}: the product of its steps (proved 1, inferred 0.8, assumed 0.5).` : `The steps of ${plural(shown.length, "path")}, each once.`}
      </p>
      <Few key={at} items={steps} step={30} what="steps">
        {(few) => (
          <ol class="steps">
            {few.map((edge) => (
              <Step
                key={edge.at}
                told={told}
                edge={edge}
                lit={edge === picked || (node !== "" && (edge.source === node || edge.target === node))}
                pick={() => {
                  setNode("");
                  setPicked(edge === picked ? null : edge);
                }}
              />
            ))}
          </ol>
        )}
      </Few>
    </>
  );
}

function Step({ told, edge, lit, pick }: { told: Told; edge: Edge; lit: boolean; pick: () => void }): JSX.Element {
  const cut = edge.cuts[0];
  const same = edge.fixes.some((fix) => fix.what === cut?.what);
  return (
    <li id={`step-${edge.at}`} class={lit ? "lit" : ""}>
      <p class="step-head">
        <button type="button" class="step-text" aria-pressed={lit} onClick={pick}>
          <T v={brief(edge.text)} limit={420} />
        </button>
        <Sure confidence={edge.confidence} />
      </p>
      <div class="step-body">
        <div>
          <h3>Evidence</h3>
          {edge.evidence.length ? (
            <ul>
              {edge.evidence.slice(0, 6).map(([object, path], at) => (
                <li key={at}>
                  <Evidence told={told} object={object} path={path} />
                </li>
              ))}
              {edge.evidence.length > 6 ? <li class="muted">and {edge.evidence.length - 6} more</li> : null}
            </ul>
          ) : (
            <p class="muted">how Kubernetes works: no object says it</p>
          )}
          {edge.needs ? (
            <p class="muted">
              if <T v={edge.needs} limit={200} />
            </p>
          ) : null}
        </div>
        <div>
          <h3>Techniques</h3>
          <ul class="techniques">
            {edge.techniques.map((id) => (
              <li key={id}>
                <code>{inert(id, 20)}</code> {inert(told.techniques.get(id) ?? "", 80)}
              </li>
            ))}
          </ul>
          {edge.techniques.length ? null : <p class="muted">none: it only says what lies where</p>}
          <p>
            <span class="kind">{inert(edge.type, 60)}</span>
          </p>
        </div>
        <div>
          <h3>What cuts it</h3>
          {edge.fixes.map((fix) => (
            <p key={fix.order}>
              <a href="#fixes">Fix {fix.order}</a>: <T v={beginning(brief(fix.what), 200)} />
            </p>
          ))}
          {cut && !same ? (
            <p>
              <T v={beginning(brief(cut.what), 280)} />
            </p>
          ) : null}
          {cut ? (
            <details>
              <summary class="muted">{cut.command ? "Command" : cut.patch ? "Patch" : "Try it first"}</summary>
              <Doing command={cut.command} patch={cut.patch} />
              <p class="muted">What pods would lose:</p>
              <Command line={`eightysix posture simulate --without ${quoted(edgeName(edge))} PATH...`} />
            </details>
          ) : edge.fixes.length ? null : (
            <p class="muted">Nothing alone: cut a step before or after it.</p>
          )}
        </div>
      </div>
    </li>
  );
}

function Evidence({ told, object, path }: { told: Told; object: string; path: string }): JSX.Element {
  const place = told.places.get(object);
  return (
    <>
      <T v={object} limit={120} />{" "}
      <code>
        <T v={path} limit={160} />
      </code>
      {place ? (
        <span class="muted place">
          <T v={`${place.file}:${place.line}`} limit={140} />
        </span>
      ) : null}
    </>
  );
}

function Holding({ told, pod }: { told: Told; pod: Pod }): JSX.Element {
  return (
    <details class="holding">
      <summary>
        What it holds ({plural(pod.credentials.length, "credential")}), and why its risk is {pod.risk.toFixed(1)}
      </summary>
      <div class="columns">
        <div>
          <h3>Credentials</h3>
          <Few items={pod.credentials} step={12} what="credentials">
            {(few) => (
              <ul class="plain-list">
                {few.map((one, at) => (
                  <li key={at}>
                    <span class="kind">{inert(one.domain, 20)}</span> <b>{inert(one.name, 80)}</b> <span class="muted">{inert(one.signal, 60)}</span> <Sure confidence={one.confidence} />
                    <br />
                    <span class="muted">
                      <Evidence told={told} object={one.object} path={one.path} />
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Few>
        </div>
        <div>
          <h3>Why this risk</h3>
          <ul class="plain-list">
            {pod.why.map((line, at) => (
              <li key={at}>
                <T v={line} limit={400} />
              </li>
            ))}
          </ul>
        </div>
      </div>
    </details>
  );
}
