// The page of a reconstruction: a story is picked, told, and looked into.
import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Frame } from "../shell/frame";
import { inert } from "../shell/inert";
import { useTheme } from "../shell/theme";
import { Answers, Hero, Stages } from "./answers";
import { GraphView } from "./graph/graph";
import { build } from "./index";
import type { Reconstruction, Story } from "./model";
import { Panel } from "./panel";
import { Reached } from "./reach";
import { Elsewhere, Gaps, Marks, Read, Why } from "./rest";
import type { Selection } from "./select";
import { Timeline } from "./timeline/timeline";

function name(story: Story): string {
  const pod = story.pod ? `${story.pod.namespace}/${story.pod.name}` : "no pod";
  return inert(`${story.verdict ?? "asked"} \u00b7 ${story.title} \u00b7 ${pod}`, 140);
}

export function App({ told }: { told: Reconstruction }): JSX.Element {
  const look = useTheme();
  const [at, setAt] = useState(0);
  const story = told.stories[at];
  const picker =
    told.stories.length > 1 ? (
      <label class="picker">
        <span>
          Story {at + 1} of {told.stories.length}
        </span>
        <select value={at} onChange={(event) => setAt(Number((event.currentTarget as HTMLSelectElement).value))}>
          {told.stories.map((one, each) => (
            <option key={one.id} value={each}>
              {name(one)}
            </option>
          ))}
        </select>
      </label>
    ) : null;
  return (
    <Frame
      report="reconstruct"
      look={look}
      tools={picker}
      foot="Text from telemetry is shown as data: hidden and reordering characters are written out. This file asks nobody for anything. The story as JSON stands in it, in the block data."
    >
      {story ? (
        <Told key={at} story={story} told={told} colours={look.colours} />
      ) : (
        <main>
          <div class="nothing">
            <h1>Nothing to tell</h1>
            <p>
              No chain was raised, and nothing was asked for by name. What could be read is below; not seen is not clean.
            </p>
          </div>
          <Read told={told} story={null} />
        </main>
      )}
    </Frame>
  );
}

function Told({ story, told, colours }: { story: Story; told: Reconstruction; colours: number }): JSX.Element {
  const index = useMemo(() => build(story), [story]);
  const [selection, setSelection] = useState<Selection | null>(null);
  const opener = useRef<Element | null>(null);
  const pick = useCallback((next: Selection): void => {
    const active = document.activeElement;
    // Picked from inside of the panel: closing goes back to where it was opened from.
    if (!active?.closest(".panel")) opener.current = active;
    setSelection(next);
  }, []);
  const close = useCallback((): void => {
    setSelection(null);
    if (opener.current instanceof HTMLElement || opener.current instanceof SVGElement) opener.current.focus();
  }, []);
  useEffect(() => {
    const key = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && selection) close();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, [selection, close]);
  return (
    <div class={`story ${selection ? "with-panel" : ""}`}>
      <main>
        <Hero index={index} />
        <Stages index={index} pick={pick} />
        <Answers index={index} pick={pick} />
        <Timeline index={index} selection={selection} pick={pick} colours={colours} />
        <GraphView index={index} selection={selection} pick={pick} />
        <Reached story={story} />
        <Gaps story={story} />
        <Elsewhere story={story} />
        <Why story={story} />
        <Marks index={index} pick={pick} />
        <Read told={told} story={story} />
      </main>
      {selection ? <Panel index={index} selection={selection} pick={pick} close={close} /> : null}
    </div>
  );
}
