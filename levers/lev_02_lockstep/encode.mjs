// Any JavaScript value as JSON without objects, so that nothing of it is lost on the way into another language.
// What JSON has no word for is an array whose first item names it: ["undefined"], ["NaN"], ["object", "Object", …].
// Keys of objects are items of arrays: their order counts and none can come twice.
const DEEPEST = 60;
const SINGLE = { [Infinity]: "Infinity", [-Infinity]: "-Infinity", NaN: "NaN" };
const typedArray = Object.getPrototypeOf(Uint8Array);

/** One value as JSON text. No brace stands in it: a raw one would be an object that nothing here has made. */
export function encodeLine(parts) {
  return JSON.stringify(parts).replaceAll("{", "\\u007b");
}

export function encode(value) {
  return encodeAny(value, new Map(), 0);
}

function encodeAny(value, seen, depth) {
  switch (typeof value) {
    case "string":
      return encodeString(value);
    case "number":
      return encodeNumber(value);
    case "undefined":
      return ["undefined"];
    case "bigint":
      return ["bigint", String(value)];
    case "symbol":
      return ["symbol", Symbol.keyFor(value) === undefined ? "local" : "shared", encodeAny(value.description)];
    case "function":
      return ["function", encodeString(value.name), value.length];
    case "boolean":
      return value;
  }
  return value === null ? null : encodeObject(value, seen, depth);
}

function encodeString(text) {
  if (text.isWellFormed()) return text;
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, "0"));
  return ["utf16", units.join("")];
}

function encodeNumber(number) {
  if (Object.is(number, -0)) return ["-0"];
  return Number.isFinite(number) ? number : [SINGLE[number]];
}

function encodeObject(object, seen, depth) {
  if (seen.has(object)) return ["seen", seen.get(object)]; // a cycle, or the same object once more
  seen.set(object, seen.size);
  if (depth > DEEPEST) return ["deeper"];
  const inner = (value) => encodeAny(value, seen, depth + 1);
  for (const [kind, encoder] of ENCODERS) if (kind(object)) return encoder(object, inner);
  return ["object", className(object), ...entries(object, inner)];
}

const instance = (type) => (object) => object instanceof type;

const ENCODERS = [
  [Array.isArray, encodeArray],
  [instance(Date), (date) => ["date", encodeNumber(date.getTime())]],
  [instance(RegExp), (regexp, inner) => ["regexp", inner(regexp.source), regexp.flags, inner(regexp.lastIndex)]],
  [instance(Error), encodeError],
  [instance(Map), (map, inner) => ["map", ...[...map].map(([key, value]) => [inner(key), inner(value)])]],
  [instance(Set), (set, inner) => ["set", ...[...set].map(inner)]],
  [instance(typedArray), (array) => ["typed", className(array), array.length, hex(array)]],
  [instance(DataView), (view) => ["typed", "DataView", view.byteLength, hex(view)]],
  [instance(ArrayBuffer), (buffer) => ["typed", "ArrayBuffer", buffer.byteLength, hex(new Uint8Array(buffer))]],
  [isBoxed, (boxed, inner) => ["boxed", inner(boxed.valueOf())]],
];

function encodeArray(array, inner) {
  const items = Array.from({ length: array.length }, (_, at) => (at in array ? inner(array[at]) : ["hole"]));
  const others = entries(array, inner, (key) => typeof key === "symbol" || !/^\d+$/.test(key));
  return others.length > 0 ? ["array+", items, ...others] : ["array", ...items];
}

// Node promises an error's code and not its wording; only where there is no code the message has to speak.
function encodeError(error, inner) {
  const coded = error.code !== undefined;
  return ["error", className(error), inner(error.name), inner(error.code), ...(coded ? [] : [inner(error.message)])];
}

function entries(object, inner, wanted = () => true) {
  const held = Object.getOwnPropertyDescriptors(object);
  const keys = Reflect.ownKeys(held).filter((key) => held[key].enumerable && wanted(key));
  return keys.map((key) => [inner(key), held[key].get || held[key].set ? ["accessor"] : inner(held[key].value)]);
}

function className(object) {
  const prototype = Object.getPrototypeOf(object);
  return prototype === null ? null : encodeString(String(prototype.constructor?.name));
}

function isBoxed(object) {
  return [String, Number, Boolean, BigInt, Symbol].some((type) => object instanceof type);
}

function hex(view) {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("hex");
}
