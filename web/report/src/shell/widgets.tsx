// Pieces that every report is made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { copy } from "./clipboard";
import { inert, isPlain } from "./inert";

/** Text from telemetry, shown harmlessly and in the order of its characters. */
export function T({ v, limit }: { v: string; limit?: number }): JSX.Element {
  return <bdi class="t">{inert(v, limit)}</bdi>;
}

export function Badge({ tone, children }: { tone: string; children: ComponentChildren }): JSX.Element {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}

/** Copies what `text` gives, and says so to eyes and to screen readers. */
export function Copy({ text, label, what }: { text: () => string; label?: string; what: string }): JSX.Element {
  const [said, say] = useState<"" | "Copied" | "Not copied">("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const click = (): void => {
    void copy(text()).then((done) => {
      say(done ? "Copied" : "Not copied");
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => say(""), 2500);
    });
  };
  return (
    <span class="copy">
      <button type="button" class="button" onClick={click} aria-label={`${label ?? "Copy"}: ${what}`}>
        {said || (label ?? "Copy")}
      </button>
      <span class="sr" role="status">
        {said}
      </span>
    </span>
  );
}

/** A line for a shell. One that a terminal would read differently from what is shown is not offered for copying. */
export function Command({ line }: { line: string }): JSX.Element {
  return (
    <div class="command">
      <code tabIndex={0}>
        <T v={line} limit={2000} />
      </code>
      {isPlain(line) ? (
        <Copy text={() => line} what={inert(line, 80)} />
      ) : (
        <span class="muted">holds characters that a terminal acts on: not for copying</span>
      )}
    </div>
  );
}

export function Section(props: {
  title: string;
  note?: ComponentChildren;
  class?: string;
  id?: string;
  children: ComponentChildren;
}): JSX.Element {
  const made = useId();
  const id = props.id ?? made;
  return (
    <section class={`section ${props.class ?? ""}`} aria-labelledby={id}>
      <div class="section-head">
        <h2 id={id} tabIndex={props.id ? -1 : undefined}>
          {props.title}
        </h2>
        {props.note === undefined ? null : <p class="muted">{props.note}</p>}
      </div>
      {props.children}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <p class="empty">{children}</p>;
}

/** The first `step` of `items`, and a button for the next ones: a page stays light whatever it is given. */
export function Few<I>(props: { items: readonly I[]; step: number; what: string; children: (shown: readonly I[]) => JSX.Element }): JSX.Element {
  const [count, setCount] = useState(props.step);
  const left = props.items.length - count;
  return (
    <>
      {props.children(props.items.slice(0, count))}
      {left > 0 ? (
        <button type="button" class="button more" onClick={() => setCount(count + props.step * 4)}>
          Show more: {left} {props.what} left
        </button>
      ) : null}
    </>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
  return (
    <dl class="facts">
      {rows.map(([name, value], at) => (
        <div key={at}>
          <dt>{inert(name, 60)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
