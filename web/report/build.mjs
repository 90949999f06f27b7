// Builds the reports' programs and style sheets into the Python package: the same bytes from the same sources.
//
// node build.mjs [FOLDER]    FOLDER takes the files instead of the package (a test compares the two)
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "..", "src", "eightysix", "report", "html");

// One line a report: its name in the package, and where it begins.
const REPORTS = { incident: "src/incident/main.tsx", posture: "src/posture/main.tsx" };

// What would end a block of the page early: such a bundle must never be written.
const FORBIDDEN = ["</script", "</style", "<!--"];

function licences(inputs) {
  const names = new Set();
  for (const path of inputs) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    if (name) names.add(name);
  }
  // NOTE: dagre's file has graphlib inside.
  if (names.has("@dagrejs/dagre")) names.add("@dagrejs/graphlib");
  const texts = new Map();
  for (const name of [...names].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((one) => /^licen[sc]e/i.test(one));
    if (!file) throw new Error(`${name} has no licence`);
    const text = readFileSync(join(folder, file), "utf8").replace(/\r\n/g, "\n").trim();
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  return [...texts].map(([text, who]) => `${who.join("\n")}\n\n${text}\n`).join(`\n${"-".repeat(72)}\n\n`);
}

for (const [name, entry] of Object.entries(REPORTS)) {
  const done = await build({
    absWorkingDir: here,
    entryPoints: { [name]: entry },
    outdir: target,
    write: false,
    bundle: true,
    minify: true,
    charset: "ascii",
    format: "iife",
    target: ["es2022", "chrome109", "firefox115", "safari16"],
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  for (const file of done.outputFiles) {
    const lower = file.text.toLowerCase();
    const found = FORBIDDEN.find((text) => lower.includes(text));
    if (found) throw new Error(`${file.path} holds ${found}`);
    writeFileSync(file.path, file.contents);
  }
  const used = Object.values(done.metafile.outputs).flatMap((one) =>
    Object.entries(one.inputs).filter(([, part]) => part.bytesInOutput > 0).map(([path]) => path),
  );
  writeFileSync(join(target, `${name}.licences.txt`), licences(used));
}
