// The few changes after which the most pods lose the most, with what each takes away and how it is made.
import type { JSX } from "preact";
import { Empty, Few, Section, T } from "../shell/widgets";
import type { Told } from "./model";
import { Doing } from "./pieces";
import { plural } from "./words";

export function Fixes({ told }: { told: Told }): JSX.Element {
  return (
    <Section title="Fixes" id="fixes" note="In this order: each is counted after those before it.">
      {told.fixes.length ? null : <Empty>None is known.</Empty>}
      <ol class="rotate all-fixes">
        {told.fixes.map((fix) => (
          <li key={fix.order}>
            <p>
              <b>
                <T v={fix.what} limit={900} />
              </b>
            </p>
            <div class="columns">
              <div>
                <Few items={fix.why.split("; ")} step={4} what="sinks">
                  {(few) => (
                    <ul class="plain-list">
                      {few.map((line, at) => (
                        <li key={at}>
                          <T v={line} limit={300} />
                        </li>
                      ))}
                    </ul>
                  )}
                </Few>
                <p class="muted">It takes away {plural(fix.cut, "edge")}.</p>
              </div>
              <div>
                <Doing command={fix.command} patch={fix.patch} />
                {fix.command || fix.patch ? null : <p class="muted">No exact command is known: objects do not tell enough for one.</p>}
              </div>
            </div>
          </li>
        ))}
      </ol>
    </Section>
  );
}
