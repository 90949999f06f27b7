// What is around every report: the bar with its name and the theme, and the licences at the end.
import type { ComponentChildren, JSX } from "preact";
import { read } from "./data";
import type { useTheme } from "./theme";

const NAMES = { auto: "System", light: "Light", dark: "Dark" } as const;

export function Frame(props: {
  report: string;
  look: ReturnType<typeof useTheme>;
  tools?: ComponentChildren;
  foot: string;
  children: ComponentChildren;
}): JSX.Element {
  const { theme, next } = props.look;
  return (
    <>
      <header class="bar">
        <span class="mark-name">
          eighty<b>six</b> <span class="muted">{props.report}</span>
        </span>
        <div class="tools">
          {props.tools}
          <button type="button" class="button" onClick={next} aria-label={`Colours: ${NAMES[theme]}. Press for the next.`}>
            {NAMES[theme]}
          </button>
          <button type="button" class="button" onClick={() => window.print()}>
            Print
          </button>
        </div>
      </header>
      {props.children}
      <footer class="foot">
        <p>{props.foot}</p>
        <details>
          <summary>Libraries in this page, and their licences</summary>
          <pre tabIndex={0}>{read<string>("licences")}</pre>
        </details>
      </footer>
    </>
  );
}
