// Prints what the runtime that runs it really offers: every `node:` module, `process` and the globals.
// Signature of an entry: function/ARITY, class/ARITY, namespace (a plain object whose members follow),
// or the type of the value. Values are never read out, so the same runtime always prints the same text.
import { builtinModules } from "node:module";
import process from "node:process";
import { writeFileSync } from "node:fs";

const PREFIX_ONLY = ["sea", "sqlite", "test", "test/reporters"];
// Whose members depend on the machine or on how the process was started.
const OPAQUE = new Set(["env", "argv", "execArgv", "config", "report", "stdin", "stdout", "stderr", "mainModule",
  "STATUS_CODES", "_cache", "_pathCache", "_extensions", "cache", "globalPaths"]);
const ECMASCRIPT = new Set(["Object", "Function", "Array", "Number", "Boolean", "String", "Symbol", "Date", "Promise",
  "RegExp", "Error", "AggregateError", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError",
  "URIError", "JSON", "Math", "Intl", "ArrayBuffer", "Atomics", "Uint8Array", "Int8Array", "Uint16Array",
  "Int16Array", "Uint32Array", "Int32Array", "Float16Array", "Float32Array", "Float64Array", "Uint8ClampedArray",
  "BigUint64Array", "BigInt64Array", "DataView", "Map", "BigInt", "Set", "Iterator", "WeakMap", "WeakSet",
  "WeakRef", "Proxy", "Reflect", "FinalizationRegistry", "SharedArrayBuffer", "SuppressedError",
  "DisposableStack", "AsyncDisposableStack", "Temporal", "WebAssembly"]);
const FUNCTION_OWN = new Set(["length", "name", "prototype", "arguments", "caller"]);

const names = (object) => Object.getOwnPropertyNames(object).filter((name) => /^[\w$]+$/.test(name));

function read(object, name) {
  try {
    return object[name];
  } catch {
    return undefined;
  }
}

function isClass(value) {
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype")?.value;
  return prototype != null && names(prototype).some((name) => name !== "constructor");
}

const isNamespace = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) &&
  [null, Object.prototype].includes(Object.getPrototypeOf(value));

function signature(value) {
  if (typeof value === "function") return `${isClass(value) ? "class" : "function"}/${value.length}`;
  if (isNamespace(value)) return "namespace";
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function addPrototype(entries, path, value) {
  for (const name of names(value.prototype)) {
    if (name === "constructor") continue;
    const held = Object.getOwnPropertyDescriptor(value.prototype, name);
    entries[`${path}.prototype.${name}`] = held.get || held.set ? "accessor" : signature(held.value);
  }
}

function addMembers(entries, path, value) {
  const own = typeof value === "function" ? names(value).filter((name) => !FUNCTION_OWN.has(name)) : names(value);
  for (const name of own) entries[`${path}.${name}`] ??= signature(read(value, name)).replace("namespace", "object");
}

function add(entries, name, value, deep) {
  const kind = signature(value);
  if (OPAQUE.has(name) || (kind === "namespace" && !deep)) {
    entries[name] = kind.replace("namespace", "object");
    return;
  }
  entries[name] = kind;
  if (!deep) return;
  if (kind === "namespace" || typeof value === "function") addMembers(entries, name, value);
  if (kind.startsWith("class")) addPrototype(entries, name, value);
}

// An instance such as `process` or `console` offers what its prototypes hold too.
function chain(value) {
  const found = new Set();
  for (let at = value; at && at !== Object.prototype && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of names(at)) found.add(name);
  }
  return found;
}

function enumerate(value) {
  const entries = {};
  for (const name of chain(value)) {
    if (name === "constructor" || (typeof value === "function" && FUNCTION_OWN.has(name))) continue;
    add(entries, name, read(value, name), true);
  }
  return entries;
}

function enumerateGlobals() {
  const entries = {};
  for (const name of names(globalThis)) {
    const recursive = name === "process" || name === "global" || name === "globalThis" || name === "self" || name === "window";
    add(entries, name, read(globalThis, name), !recursive && !ECMASCRIPT.has(name));
  }
  // Instances are not followed by the analyser, and the web classes' prototypes are most of the size.
  const kept = ([name]) => name.startsWith("Buffer.") || !name.includes(".prototype.");
  return Object.fromEntries(Object.entries(entries).filter(kept));
}

const table = { globals: enumerateGlobals() };
for (const name of [...new Set([...builtinModules, ...PREFIX_ONLY])]) {
  const bare = name.replace(/^node:/, "");
  if (bare.includes(":") || bare.startsWith("_")) continue;
  try {
    const loaded = await import(`node:${bare}`);
    table[PREFIX_ONLY.includes(bare) ? `node:${bare}` : bare] = enumerate(loaded.default ?? loaded);
  } catch {
    // A listed module that does not load is a missing one.
  }
}
writeFileSync(process.argv[2], JSON.stringify(table));
process.exit(0);
