// Binds KQL with Microsoft's own parser. The folder of node_modules is the argument; a line of JSON in, a line out.
//
// In, first: {NAME: {"tables": {TABLE: [[COLUMN, TYPE], ...]}, "watchlists": [FUNCTION, ...]}}    answered by {}
// In, then:  {"schema": NAME, "text": KQL}
// Out:       {"diagnostics": [{severity, code, message, start}, ...], "columns": [[NAME, TYPE], ...] or null,
//             "references": [[NAME, START, [TABLE, ...]], ...]}, or {"failed": TEXT} for a query that broke the parser
//
// A reference is a use of a column, with the tables that the column comes from. Query text is parsed, never run.
"use strict";

const path = require("path");

const library = path.join(process.argv[2], "node_modules", "@kusto", "language-service-next");
require(path.join(library, "bridge.min.js"));
require(path.join(library, "Kusto.Language.Bridge.min.js"));
const kusto = globalThis.Kusto.Language;
const symbols = kusto.Symbols;
const array = globalThis.Bridge.toArray;

function tableOf(columns) {
  return symbols.TableSymbol.From(
    "(" + columns.map(([name, type]) => `['${name}']:${type}`).join(", ") + ")",
  );
}

function globalsOf(schema) {
  const members = Object.entries(schema.tables).map(([name, columns]) => tableOf(columns).WithName(name));
  // A watchlist has the columns that its owner gave it: nobody else knows them, so any name is taken.
  const watchlist = tableOf([["SearchKey", "string"], ["LastUpdatedTimeUTC", "datetime"]]).WithIsOpen(true);
  const alias = new symbols.Parameter.$ctor2("watchlistAlias", symbols.ScalarTypes.String);
  for (const name of schema.watchlists) {
    members.push(new symbols.FunctionSymbol.$ctor5(name, watchlist, [alias]));
  }
  return kusto.GlobalState.Default.WithDatabase(new symbols.DatabaseSymbol.$ctor1("workspace", members, false));
}

function originsOf(column, globals, seen) {
  const own = globals.GetTable(column);
  if (own) return [own.Name];
  if (seen.has(column) || !column.OriginalColumns) return [];
  seen.add(column);
  return array(column.OriginalColumns).flatMap((one) => originsOf(one, globals, seen));
}

function bind(text, globals) {
  const code = kusto.KustoCode.ParseAndAnalyze(text, globals);
  const diagnostics = array(code.GetDiagnostics()).map((one) => ({
    severity: one.Severity,
    code: one.Code,
    message: one.Message,
    start: one.Start,
  }));
  const references = [];
  kusto.Syntax.SyntaxElement.WalkNodes(code.Syntax, (node) => {
    if (!(node instanceof kusto.Syntax.NameReference)) return;
    const symbol = node.ReferencedSymbol;
    if (!(symbol instanceof symbols.ColumnSymbol)) return;
    const origins = [...new Set(originsOf(symbol, globals, new Set()))].sort();
    references.push([symbol.Name, node.TextStart, origins]);
  });
  const result = code.ResultType;
  const columns =
    result instanceof symbols.TableSymbol
      ? array(result.Columns).map((column) => [column.Name, column.Type.Name])
      : null;
  return { diagnostics, columns, references };
}

let globals = null;

function answer(line) {
  const asked = JSON.parse(line);
  if (globals === null) {
    globals = new Map(Object.entries(asked).map(([name, schema]) => [name, globalsOf(schema)]));
    return {};
  }
  try {
    return bind(asked.text, globals.get(asked.schema));
  } catch (error) {
    return { failed: String(error).slice(0, 200) };
  }
}

const lines = require("readline").createInterface({ input: process.stdin, terminal: false });
lines.on("line", (line) => process.stdout.write(JSON.stringify(answer(line)) + "\n"));
