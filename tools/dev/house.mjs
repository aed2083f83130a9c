// The house's own rule, docs/map.md: who may import whom, and only through the doors. Reads every source with the compiler's own
// parser, so that a comment or a string is no import. `houseProblems` answers with one line per broken rule.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";

/** Each package: whom it may know, and where it may touch Node. `dynamic`: only by import(), or for types. */
const rooms = {
  "device-proto": { knows: [], dynamic: [], node: [/^src\/firmware\.ts$/, /^gen\//, /\.test\.ts$/] },
  sdk: {
    knows: ["@inkan/device-proto"],
    dynamic: [],
    node: [
      /^testing\//,
      /^src\/node\.ts$/,
      /^src\/node\//,
      /^src\/hashing\//,
      /^src\/transport\/serial\//,
      /node-backend\.ts$/,
      /\.test\.ts$/,
    ],
  },
  hwtest: { knows: ["@inkan/device-proto", "@inkan/sdk"], dynamic: [], node: [/./] },
  tools: { knows: ["@inkan/device-proto", "@inkan/sdk"], dynamic: ["@inkan/hwtest"], node: [/./] },
};
/** What only tests use. */
const forTests = ["vitest", "fast-check"];
const folders = ["src", "testing", "gen", "suites"];
const builtin = new Set(builtinModules);

/** Every import of a source: what, how, where. */
export function importsOf(text, name = "file.ts") {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (literal, kind) => {
    if (ts.isStringLiteralLike(literal))
      found.push({ from: literal.text, kind, line: source.getLineAndCharacterOfPosition(literal.getStart()).line + 1 });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const bindings = clause?.namedBindings;
      const onlyTypes =
        clause !== undefined &&
        (clause.isTypeOnly ||
          (!clause.name &&
            bindings &&
            ts.isNamedImports(bindings) &&
            bindings.elements.length > 0 &&
            bindings.elements.every((each) => each.isTypeOnly)));
      add(node.moduleSpecifier, onlyTypes ? "type" : "static");
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly ? "type" : "static");
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, "type");
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0])
      add(node.arguments[0], "dynamic");
    else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "require" && node.arguments[0])
      add(node.arguments[0], "static");
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function* sourcesIn(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourcesIn(path);
    else if (/\.(ts|mts|js|mjs)$/.test(entry.name)) yield path;
  }
}

/** Broken rules of the tree at `root`, as `file:line: sentence`. */
export function houseProblems(root) {
  const manifests = Object.fromEntries(
    Object.keys(rooms).map((name) => [name, JSON.parse(readFileSync(join(root, name, "package.json"), "utf8"))]),
  );
  const doors = new Map(Object.entries(manifests).map(([, manifest]) => [manifest.name, new Set(Object.keys(manifest.exports ?? {}))]));
  const problems = [];
  for (const [name, room] of Object.entries(rooms)) {
    const home = join(root, name);
    const graph = new Map();
    for (const folder of folders)
      for (const path of sourcesIn(join(home, folder))) {
        const inside = relative(home, path).split(sep).join("/");
        const test = inside.endsWith(".test.ts") || inside.startsWith("suites/");
        for (const found of importsOf(readFileSync(path, "utf8"), path)) {
          const complain = (sentence) => problems.push(`${name}/${inside}:${found.line}: ${sentence}`);
          if (found.from.startsWith(".")) {
            const target = resolve(dirname(path), found.from);
            if (!/\.(js|json)$/.test(found.from)) complain(`"${found.from}" needs its .js`);
            if (target !== home && !target.startsWith(home + sep)) complain(`"${found.from}" reaches into a neighbour; use its door`);
            else if (!existsSync(target) && !existsSync(target.replace(/\.js$/, ".ts"))) complain(`"${found.from}" is not there`);
            else if (found.kind === "static" && !test) graph.set(path, [...(graph.get(path) ?? []), target.replace(/\.js$/, ".ts")]);
          } else outside(found, { name, room, inside, test, manifest: manifests[name], doors, complain });
        }
      }
    for (const circle of circles(graph))
      problems.push(`${name}: these import each other: ${circle.map((path) => relative(home, path).split(sep).join("/")).join(" → ")}`);
  }
  return problems;
}

function outside(found, { name, room, inside, test, manifest, doors, complain }) {
  const { from, kind } = found;
  const bare = from.startsWith("node:") ? from.slice(5) : from;
  if (from.startsWith("node:") || builtin.has(bare)) {
    if (!from.startsWith("node:")) complain(`"${from}" is Node's; write node:${from}`);
    if (kind !== "type" && !room.node.some((where) => where.test(inside))) complain(`"${from}": this room also runs in a browser`);
    return;
  }
  const owner = from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
  if (doors.has(owner)) {
    const door = `.${from.slice(owner.length)}`;
    if (!doors.get(owner).has(door)) complain(`"${from}" is no door of ${owner}`);
    if (owner === manifest.name && !test) complain(`"${from}": a package does not enter by its own door`);
    const allowed = owner === manifest.name || room.knows.includes(owner) || test || (room.dynamic.includes(owner) && kind !== "static");
    if (!allowed)
      complain(room.dynamic.includes(owner) ? `${owner} is optional for ${name}: import() it` : `${name} does not know ${owner}`);
    return;
  }
  if (forTests.includes(owner)) {
    if (!test) complain(`"${from}" is for tests`);
    return;
  }
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  const forTestsHere = { ...manifest.devDependencies };
  if (!(owner in declared) && !((test || kind === "type") && owner in forTestsHere))
    complain(`"${owner}" is not among ${name}'s dependencies`);
  if (manifest.peerDependenciesMeta?.[owner]?.optional === true && kind === "static" && !test)
    complain(`${owner} is optional for ${name}: import() it`);
}

/** Circles of imports that load each other, each once. */
function circles(graph) {
  const state = new Map();
  const found = [];
  const visit = (at, way) => {
    if (state.get(at) === "done") return;
    if (state.get(at) === "open") {
      found.push([...way.slice(way.indexOf(at)), at]);
      return;
    }
    state.set(at, "open");
    for (const next of graph.get(at) ?? []) visit(next, [...way, at]);
    state.set(at, "done");
  };
  for (const at of graph.keys()) visit(at, []);
  return found;
}

/** How many sources were looked at: nothing looked at is nothing proven. */
export function countSources(root) {
  return Object.keys(rooms).reduce(
    (sum, name) =>
      sum + folders.reduce((n, folder) => n + [...sourcesIn(join(root, name, folder))].filter((path) => statSync(path).isFile()).length, 0),
    0,
  );
}
