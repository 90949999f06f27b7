// The words of a posture for people: domains, sinks, things, counts.
import type { Confidence } from "./model";

export const DOMAINS = [
  { domain: "cluster", letter: "K", word: "Cluster", what: "credentials of the cluster" },
  { domain: "delivery", letter: "D", word: "Delivery", what: "credentials of registries, forges and hubs" },
  { domain: "cloud", letter: "C", word: "Cloud", what: "credentials of the cloud" },
  { domain: "llm", letter: "L", word: "Models", what: "keys of model providers" },
] as const;

const SINKS: Record<string, readonly [string, string]> = {
  "cluster-admin": ["cluster-admin", "everything in the cluster"],
  "sub-owner": ["subscription owner", "everything in the cloud"],
  "acr-write": ["write images", "what others pull and run"],
  "model-store-write": ["write models", "what others load"],
  "kv-secrets": ["key vault secrets", "secrets of the cloud"],
  node: ["root on a node", "and all pods there"],
  "ns-admin": ["all of a namespace", "everything in it"],
  "data-read": ["read data", "of storage accounts"],
  "registry-read": ["read images", "of private registries"],
  "llm-spend": ["spend on models", "with a provider's key"],
};

export const SINK_ORDER = Object.keys(SINKS);

/** The family of a sink: `sink:ns-admin/ml` is of `ns-admin`. */
export function family(sink: string): string {
  return sink.replace(/^sink:/, "").split("/", 1)[0] ?? "";
}

export function sinkWord(of: string): string {
  return SINKS[of]?.[0] ?? of;
}

export function sinkMeaning(of: string): string {
  return SINKS[of]?.[1] ?? "";
}

/** A sink with its member: `all of a namespace: ml`. */
export function sinkName(sink: string): string {
  const of = family(sink);
  const member = sink.replace(/^sink:/, "").slice(of.length + 1);
  return member && member !== "*" ? `${sinkWord(of)}: ${member}` : sinkWord(of);
}

/** What a thing is, and what it is called: ids are `kind:namespace/name`, a slash in a namespace written as %2F. */
export function thing(id: string): { kind: string; name: string } {
  const colon = id.indexOf(":");
  const kind = colon < 0 ? "" : id.slice(0, colon);
  const name = id.slice(colon + 1).replaceAll("%2F", "/").replaceAll("%25", "%");
  if (kind === "sink") return { kind, name: sinkName(id) };
  if (kind === "cluster") return { kind: "cluster", name: name ? `all ${name}` : "everything" };
  if (kind === "cloud-identity" || kind === "cloud-role") return { kind, name: shortScope(name) };
  return { kind, name };
}

/** A resource id of the cloud by its last part; a role at one by both. */
function shortScope(name: string): string {
  const at = name.indexOf("@/");
  const last = (path: string): string => path.split("/").filter(Boolean).pop() ?? path;
  if (at >= 0) return `${name.slice(0, at)} @ ${last(name.slice(at + 1))}`;
  return name.startsWith("/") ? last(name) : name;
}

/** A text with each resource id of the cloud by its last two parts. */
export function brief(text: string): string {
  return text.replace(/\/subscriptions\/[^\s@;]*?([^/\s@;]+\/[^/\s@;]+)(?=$|[\s@;])/g, (whole, end: string) => `\u2026/${end.replace(/\.+$/, "")}${whole.endsWith(".") ? "." : ""}`);
}

/** The beginning of a long text: what is done says more than to what else. */
export function beginning(text: string, most: number): string {
  return text.length <= most ? text : `${Array.from(text.slice(0, most)).slice(0, -1).join("").trimEnd()}\u2026`;
}

export const CONFIDENCE_WORDS: Record<Confidence, string> = {
  proved: "an object says so",
  inferred: "it follows from what objects say and a documented default",
  assumed: "from a name or a default alone",
};

const COUNT = new Intl.NumberFormat("en-US");

export function count(number: number): string {
  return COUNT.format(number);
}

/** `3 pods`, `1 pod`. */
export function plural(number: number, noun: string, many = `${noun}s`): string {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

const DAY = 86_400_000;

/** Whole days from one time to a later one; NaN where one of them is none. */
export function days(from: string, to: string): number {
  return Math.floor((Date.parse(to) - Date.parse(from)) / DAY);
}

/** A time as people read it, to the minute; what is none is shown as it is. */
export function when(time: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(time) ? `${time.slice(0, 10)} ${time.slice(11, 16)} UTC` : time;
}

/** The edge as `posture simulate` names it. */
export function edgeName(edge: { type: string; source: string; target: string }): string {
  return `${edge.type}:${edge.source}:${edge.target}`;
}

/** `text` as one word of a shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
