// Runs the fixtures and prints one line for each: `fixtures.mjs SEED COUNT CORPUS-SHA256`, see README.md.
// Fixture n belongs to family n modulo the number of families; its inputs depend on SEED and n alone.
import process from "node:process";
import { writeSync } from "node:fs";
import { encode, encodeLine } from "./encode.mjs";
import { FAMILIES } from "./families.mjs";
import { Inputs } from "./inputs.mjs";

const [seed, count] = process.argv.slice(2, 4).map(Number);
const names = Object.keys(FAMILIES);

function outcome(family, inputs) {
  try {
    return encode(family(inputs));
  } catch (error) {
    return ["threw", encode(error)];
  }
}

function print(parts) {
  let rest = Buffer.from(encodeLine(parts) + "\n");
  while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
}

function runtime() {
  for (const name of ["deno", "bun"]) if (process.versions[name]) return [name, process.versions[name]];
  return ["node", process.versions.node];
}

print(["#begin", ...runtime(), count, `${seed}:${process.argv[4]}`]);
for (let at = 0; at < count; at++) {
  const name = names[at % names.length];
  const inputs = new Inputs(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(at + 1, 0x85ebca6b));
  print([at, name, outcome(FAMILIES[name], inputs)]);
}
print(["#end", count]);
process.exit(0);
