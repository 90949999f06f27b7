// What the reader has picked: it is lit on the timeline and in the graph, and told in the panel.
import type { Index, Placed } from "./index";
import type { IdentityStory } from "./model";

export type Selection =
  | { kind: "mark"; one: Placed }
  | { kind: "marks"; items: readonly Placed[] }
  | { kind: "entity"; id: string }
  | { kind: "entities"; name: string; ids: readonly string[] }
  | { kind: "identity"; identity: IdentityStory };

export type Pick = (selection: Selection) => void;

/** The marks that a selection lights; null where it is about none in particular. */
export function litBy(index: Index, selection: Selection | null): ReadonlySet<Placed> | null {
  if (selection?.kind === "entity") return new Set(index.marksOf.get(selection.id) ?? []);
  if (selection?.kind === "identity" && selection.identity.entity)
    return new Set(index.marksOf.get(selection.identity.entity) ?? []);
  return null;
}

/** The entities that a selection lights in the graph. */
export function lightsEntity(selection: Selection | null): ReadonlySet<string> {
  if (selection?.kind === "entity") return new Set([selection.id]);
  if (selection?.kind === "identity") return new Set([selection.identity.entity]);
  if (selection?.kind === "mark") return new Set([selection.one.mark.actor, selection.one.mark.subject].filter(Boolean));
  return new Set();
}
