// Small pieces that several parts of a posture show.
import type { JSX } from "preact";
import { inert, inertLines, isPlain } from "../shell/inert";
import { Command, Copy } from "../shell/widgets";
import { laidOut } from "../shell/json";
import type { Confidence, Pod } from "./model";
import { CONFIDENCE_WORDS, DOMAINS, plural } from "./words";

const ORDER: readonly Confidence[] = ["proved", "inferred", "assumed"];

export function Sure({ confidence }: { confidence: Confidence }): JSX.Element {
  return (
    <span class={`conf conf-${confidence}`} title={CONFIDENCE_WORDS[confidence]}>
      {confidence}
    </span>
  );
}

export function Risk({ risk }: { risk: number }): JSX.Element {
  const tone = risk >= 8 ? "bad" : risk >= 4 ? "warn" : "plain";
  return <span class={`risk badge badge-${tone}`}>{risk.toFixed(1)}</span>;
}

/** One cell of the matrix: full where an object proves a credential of the domain, striped or hollow where less says so. */
export function Cell({ pod, domain }: { pod: Pod; domain: (typeof DOMAINS)[number] }): JSX.Element {
  const held = pod.credentials.filter((one) => one.domain === domain.domain);
  if (!held.length)
    return (
      <span class="cell">
        <span class="sr">none</span>
      </span>
    );
  const best = ORDER.find((sure) => held.some((one) => one.confidence === sure)) ?? "assumed";
  const told = held.slice(0, 6).map((one) => `${inert(one.name, 60)} (${inert(one.signal, 40)}, ${one.confidence})`);
  return (
    <span class={`cell held domain-${domain.domain} ${best}`} title={`${told.join("\n")}${held.length > 6 ? `\nand ${held.length - 6} more` : ""}`}>
      <span aria-hidden="true">{held.length > 1 ? held.length : domain.letter}</span>
      <span class="sr">
        {plural(held.length, "credential")}, {best}
      </span>
    </span>
  );
}

/** The four domains of a workload beside each other. */
export function Held({ pod }: { pod: Pod }): JSX.Element {
  const words = DOMAINS.filter(({ domain }) => pod.credentials.some((one) => one.domain === domain)).map(({ word }) => word);
  return (
    <span class="held-row">
      <span class="sr">holds: {words.join(", ") || "nothing"}</span>
      <span aria-hidden="true">
        {DOMAINS.map((domain) => (
          <Cell key={domain.domain} pod={pod} domain={domain} />
        ))}
      </span>
    </span>
  );
}

const SHOWN = 6;

/** Commands, a line each; or a patch where there is no whole command for it. */
export function Doing({ command, patch }: { command: string; patch: string }): JSX.Element | null {
  if (command) {
    const lines = command.split("\n");
    return (
      <>
        {lines.slice(0, SHOWN).map((line, at) => (
          <Command key={at} line={line} />
        ))}
        {lines.length > SHOWN && isPlain(lines.join(" ")) ? (
          <p class="more-lines">
            <span class="muted">and {lines.length - SHOWN} more lines</span> <Copy text={() => command} label="Copy all" what={`${lines.length} commands`} />
          </p>
        ) : null}
      </>
    );
  }
  if (!patch) return null;
  return (
    <div class="patch">
      <pre tabIndex={0}>{inertLines(patch.split("\n").map(laidOut).join("\n"), 4000)}</pre>
      {isPlain(patch.replaceAll("\n", " ")) ? <Copy text={() => patch} what="the patch" /> : <span class="muted">holds characters that a terminal acts on: not for copying</span>}
    </div>
  );
}
