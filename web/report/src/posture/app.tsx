// The page of a posture: the answers, the matrix of workloads, the paths of one, identities, fixes, what nobody saw.
import type { JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Frame } from "../shell/frame";
import { moves, useTheme } from "../shell/theme";
import { Answers, Hero, Sinks } from "./answers";
import { Fixes } from "./fixes";
import { Identities } from "./identities";
import { Matrix } from "./matrix";
import type { Pod, Told } from "./model";
import { NotSeen, Past, Pools } from "./rest";
import { Reach } from "./reach";

/** Scrolls to a part of the page, and gives its heading the focus. */
function go(id: string): void {
  const heading = document.getElementById(id);
  heading?.scrollIntoView({ behavior: moves() ? "smooth" : "auto", block: "start" });
  heading?.focus({ preventScroll: true });
}

export function App({ told }: { told: Told }): JSX.Element {
  const look = useTheme();
  const [pod, setPod] = useState<Pod | null>(() => told.pods.find((one) => one.sinks.length && !one.architectural) ?? told.pods[0] ?? null);
  const [sink, setSink] = useState("");
  const wanted = useRef("");
  const open = useCallback((next: Pod): void => {
    wanted.current = "reach";
    setPod(next);
    if (next === pod) go("reach");
  }, [pod]);
  const filter = useCallback((next: string): void => {
    setSink((now) => {
      if (next && now !== next) wanted.current = "matrix";
      return now === next ? "" : next;
    });
  }, []);
  useEffect(() => {
    if (wanted.current) go(wanted.current);
    wanted.current = "";
  }, [pod, sink]);
  return (
    <Frame
      report="posture"
      look={look}
      foot="Names come from the cluster and are shown as data: hidden and reordering characters are written out. This file asks nobody for anything, and holds no Secret. All edges, also those that no path here crosses, are in --format json."
    >
      <main>
        <Hero told={told} />
        <Sinks told={told} sink={sink} pick={filter} />
        <Answers told={told} open={open} />
        <Matrix told={told} sink={sink} setSink={setSink} pod={pod} open={open} />
        <Reach told={told} pod={pod} />
        <Identities told={told} open={open} />
        <Fixes told={told} />
        <Pools told={told} open={open} />
        <Past told={told} />
        <NotSeen told={told} />
      </main>
    </Frame>
  );
}
