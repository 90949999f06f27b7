// Queries that find an event, its neighbours, or an identity again, over the tables of docs/hunt-tables.md.
//
// Whatever comes from telemetry is a literal; names of tables and columns, and comments, are ours.
import type { Evidence, IdentityStory, Mark, PodRef, Story } from "../incident/model";
import { literal, moment } from "./literal";

export interface Query {
  name: string;
  text: string;
}

type Find = (evidence: Evidence) => { text: string } | undefined;

const EVENTS = "EightySixEvents_CL";
const COLUMNS =
  "| project TimeGenerated, EventSource, Kind, Activity, Namespace, PodName, ProcessCommandLine, DestinationIp, " +
  "DestinationName, FilePath, Identity, Verb, Resource, ObjectName, Outcome, Grade, Origin, EvidenceFile, EvidenceLine";
const IN_ORDER = "| sort by TimeGenerated asc";
const MAX_IDS = 50;
const MAX_TEXT = 1000; // characters of a literal: longer text is asked for by its start

function start(text: string): string {
  return Array.from(text.slice(0, 2 * MAX_TEXT)).slice(0, MAX_TEXT).join("");
}

function list(values: readonly string[]): string {
  return values.slice(0, MAX_IDS).map((one) => literal(start(one))).join(", ");
}

function is(column: string, text: string): string {
  return text.length > MAX_TEXT ? `${column} startswith ${literal(start(text))}` : `${column} == ${literal(text)}`;
}

function between(from: string, to: string, before: string, after: string): string[] {
  const start = moment(from);
  if (!start) return [];
  return [`| where TimeGenerated between ((${start} - ${before}) .. (${moment(to) ?? start} + ${after}))`];
}

/** Which pod a mark is about: the story's, or the one that it names itself. */
function podOf(story: Story, mark: Mark): string[] {
  const { pod } = story;
  const own = pod ? [`${pod.namespace}/${pod.name}`, pod.name, pod.uid] : [];
  if (pod && (mark.pod === "" || own.includes(mark.pod))) return podLines(pod);
  const [namespace, name] = mark.pod.includes("/") ? mark.pod.split("/", 2) : ["", mark.pod];
  return name ? [`| where ${namespace ? `${is("Namespace", namespace)} and ` : ""}${is("PodName", name)}`] : [];
}

function podLines(pod: PodRef): string[] {
  const lines = [`| where ${is("Namespace", pod.namespace)} and ${is("PodName", pod.name)}`];
  if (pod.uid) lines.push(`| where isempty(PodUid) or ${is("PodUid", pod.uid)}`);
  return lines;
}

function evidenceLine(evidence: readonly Evidence[]): string[] {
  const files = new Map<string, number[]>();
  for (const { file, line } of evidence.slice(0, MAX_IDS)) {
    const name = file.slice(file.lastIndexOf("/") + 1);
    files.set(name, [...(files.get(name) ?? []), line]);
  }
  const parts = [...files].map(
    ([name, lines]) => `(EvidenceFile endswith ${literal(name.slice(-MAX_TEXT))} and EvidenceLine in (${lines.map((line) => Math.trunc(line)).join(", ")}))`,
  );
  return parts.length ? [`| where ${parts.join(" or ")}`] : [];
}

function field(value: unknown, name: string): string {
  const found = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof found === "string" ? found : "";
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ids that the raw records carry, asked of the tables that Azure fills. */
function rawQueries(evidence: readonly Evidence[], find: Find): Query[] {
  const audits = new Set<string>();
  const signIns = new Set<string>();
  for (const one of evidence.slice(0, MAX_IDS)) {
    const record = parsed(find(one)?.text);
    const audit = field(record, "auditID") || field(record, "AuditId");
    if (audit) audits.add(audit);
    if (one.source !== "azure") continue;
    const inside = typeof record === "object" && record !== null ? (record as Record<string, unknown>)["properties"] : null;
    const correlation = field(record, "correlationId") || field(inside, "correlationId") || field(record, "CorrelationId");
    if (correlation) signIns.add(correlation);
  }
  const found: Query[] = [];
  if (audits.size) found.push({ name: "In the audit log of AKS", text: ["AKSAudit", `| where AuditId in (${list([...audits])})`, IN_ORDER].join("\n") });
  if (signIns.size) {
    const where = `| where CorrelationId in (${list([...signIns])})`;
    const tables = ["AADManagedIdentitySignInLogs", "AADServicePrincipalSignInLogs", "AzureActivity", "AZKVAuditLogs"];
    found.push({ name: "In Azure's logs", text: [`union isfuzzy=true ${tables.join(", ")}`, where, IN_ORDER].join("\n") });
  }
  return found;
}

export function forMark(story: Story, mark: Mark, find: Find): Query[] {
  const until = mark.until || mark.at;
  const pod = mark.lane === "control-plane" ? [] : podOf(story, mark);
  return [
    {
      name: "This event",
      text: [EVENTS, ...between(mark.at, until, "2s", "2s"), ...evidenceLine(mark.evidence), COLUMNS, IN_ORDER].join("\n"),
    },
    {
      name: "Its neighbours: two minutes around it",
      text: [EVENTS, ...between(mark.at, until, "1m", "1m"), ...pod, COLUMNS, IN_ORDER].join("\n"),
    },
    ...rawQueries(mark.evidence, find),
  ];
}

export function forStory(story: Story): Query[] {
  if (!story.pod && !story.marks.length) return [];
  const lines = [EVENTS, ...between(story.first || story.t0, story.last || story.t0, "5m", "5m")];
  if (story.pod) lines.push(...podLines(story.pod));
  return [{ name: "Everything of this pod in the time of the story", text: [...lines, COLUMNS, IN_ORDER].join("\n") }];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values.filter(Boolean))];
}

/** A service account asks under its user name, and its tokens have ids: both are in the audit log. */
function forAccount(identity: IdentityStory, since: string[]): Query[] {
  const [namespace = "", name = ""] = identity.name.split("/", 2);
  const users = unique([...identity.ids, name ? `system:serviceaccount:${namespace}:${name}` : identity.name]);
  const tokens = unique(identity.uses.map((use) => use.credential_id));
  const byToken = tokens.length ? ` or CredentialId in (${list(tokens)})` : "";
  return [
    { name: "What this identity did since", text: [EVENTS, ...since, `| where Identity in (${list(users)})${byToken}`, COLUMNS, IN_ORDER].join("\n") },
    { name: "In the audit log of AKS", text: ["AKSAudit", ...since, `| where tostring(User.username) in (${list(users)})`, IN_ORDER].join("\n") },
  ];
}

/** A managed identity, an application: by any of its ids. */
function forPrincipal(ids: readonly string[], since: string[]): Query[] {
  const any = list(ids);
  return [
    { name: "What this identity did since", text: [EVENTS, ...since, `| where Identity in~ (${any}) or tostring(Principals) has_any (${any})`, COLUMNS, IN_ORDER].join("\n") },
    {
      name: "Its sign-ins",
      text: [
        "union isfuzzy=true AADManagedIdentitySignInLogs, AADServicePrincipalSignInLogs",
        ...since,
        `| where AppId in~ (${any}) or ServicePrincipalId in~ (${any})`,
        IN_ORDER,
      ].join("\n"),
    },
    { name: "What it changed in Azure", text: ["AzureActivity", ...since, `| where Caller in~ (${any})`, IN_ORDER].join("\n") },
  ];
}

/** A secret is read by name, or with all of its namespace. */
function forSecret(identity: IdentityStory, since: string[]): Query[] {
  const [namespace = "", name = ""] = identity.name.split("/", 2);
  const one = name && name !== "*" ? ` and (isempty(ObjectName) or ${is("ObjectName", name)})` : "";
  return [
    { name: "Who asked for it since", text: [EVENTS, ...since, `| where Resource == "secrets" and ${is("ObjectNamespace", namespace)}${one}`, COLUMNS, IN_ORDER].join("\n") },
    {
      name: "In the audit log of AKS",
      text: [
        "AKSAudit",
        ...since,
        `| where tostring(ObjectRef.resource) == "secrets" and ${is("tostring(ObjectRef.namespace)", namespace)}`,
        ...(one ? [`| where isempty(tostring(ObjectRef.name)) or ${is("tostring(ObjectRef.name)", name)}`] : []),
        IN_ORDER,
      ].join("\n"),
    },
  ];
}

export function forIdentity(story: Story, identity: IdentityStory): Query[] {
  // The cluster's clock is another one than the node's.
  const after = moment(identity.taken_at || story.t0 || story.first);
  const since = after ? [`| where TimeGenerated >= ${after} - 2s`] : [];
  if (identity.kind === "service-account") return forAccount(identity, since);
  if (identity.kind === "secret") return forSecret(identity, since);
  return forPrincipal(identity.ids.length ? identity.ids : [identity.name], since);
}

export function forEntity(story: Story, name: string): Query[] {
  const lines = [EVENTS, ...between(story.first || story.t0, story.last || story.t0, "5m", "1d")];
  const text = literal(start(name));
  lines.push(
    `| where ${is("DestinationName", name)} or ${is("DestinationIp", name)} or ProcessCommandLine has ${text} or ObjectName == ${text} or Artifacts has ${text}`,
  );
  return [{ name: "Where its name stands", text: [...lines, COLUMNS, IN_ORDER].join("\n") }];
}
