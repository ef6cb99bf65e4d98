// The call families: a name whose first part is the module that is asked, and what is done with seeded inputs.
import assert from "node:assert";
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  pbkdf2Sync,
  randomUUID,
} from "node:crypto";
import { EventEmitter } from "node:events";
import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import querystring from "node:querystring";
import { StringDecoder } from "node:string_decoder";
import url from "node:url";
import util from "node:util";
import vm from "node:vm";
import zlib from "node:zlib";

const ENCODINGS = ["utf8", "hex", "base64", "base64url", "latin1", "ascii", "utf16le", "utf-9"];
const LOCALES = ["en-US", "de-DE", "fr-FR", "ja-JP", "ar-EG", "hi-IN", "tr-TR"];
const SANDBOX = process.cwd();

const failing = (task) => {
  try {
    return task();
  } catch (error) {
    return error;
  }
};

// With its message, which names the path that was asked for. What succeeds depends on the machine: only its type.
const worded = (task) => {
  const found = failing(task);
  return found instanceof Error ? [found, found.message] : typeof found;
};

export const FAMILIES = {
  "path.join": (i) => path.join(...i.several(4, () => i.path())),
  "path.resolve": (i) => path.resolve("/", ...i.several(3, () => i.path())),
  "path.relative": (i) => path.relative(`/${i.path()}`, `/${i.path()}`),
  "path.parse": (i) => path.parse(i.path()),
  "path.win32": (i) => [
    path.win32.normalize(i.path()),
    path.win32.resolve("C:\\", i.path()),
    path.win32.parse(i.path()),
  ],
  "url.URL": (i) => urlParts(new URL(i.url(), i.chance(50) ? "https://base.test/a/b?c" : undefined)),
  "url.parse": (i) => url.parse(i.url(), i.chance(40)),
  "url.resolve": (i) => url.resolve(i.url(), i.path()),
  "url.URLSearchParams": (i) => searchParams(i),
  "url.domainToASCII": (i) => {
    const name = `${i.word()}.${i.text(4)}.test`;
    return [url.domainToASCII(name), url.domainToUnicode(name)];
  },
  "url.fileURLToPath": (i) => url.fileURLToPath(`file://${i.pick(["", "", "host"])}/${i.words(3).join("/")}`),
  "querystring.parse": (i) =>
    querystring.parse(`${i.words(3).join("&")}=${i.ascii(8)}&a=%E4%zz;b=${encodeURIComponent(i.word())}`),
  "querystring.stringify": (i) => querystring.stringify({ [i.word()]: i.value(1), list: i.words(3), n: i.number() }),
  "util.inspect": (i) =>
    util.inspect(withoutErrors(i.value(3)), {
      depth: i.below(4),
      compact: i.pick([true, false, 3]),
      sorted: i.chance(30),
    }),
  "util.format": (i) =>
    util.format(
      i.pick(["%s", "%d %i", "%j", "%o", "%O %s", "%c%%", "%f|%s", "%x"]),
      ...i.several(3, () => withoutErrors(i.value(1))),
    ),
  "util.isDeepStrictEqual": (i) => {
    const value = i.value(3);
    return util.isDeepStrictEqual(value, i.chance(60) ? structuredCloneOrSame(value) : i.value(3));
  },
  "util.types": (i) => {
    const value = i.value(1);
    return Object.keys(util.types)
      .filter((name) => name !== "isEventTarget" && failing(() => util.types[name](value)) === true)
      .sort();
  },
  "util.parseArgs": (i) =>
    util.parseArgs({
      args: i.several(4, () => i.pick(["-f", "--bar", "--bar=b", "x", "--no-c", "--", "-fz"])),
      options: { foo: { type: "boolean", short: "f" }, bar: { type: "string" } },
      strict: i.chance(60),
      allowPositionals: i.chance(70),
    }),
  "util.stripVTControlCharacters": (i) =>
    util.stripVTControlCharacters(`\u001b[${i.below(99)}m${i.text()}\u001b]8;;${i.word()}\u0007`),
  "buffer.from": (i) => Buffer.from(i.pick([i.text(), i.ascii(), "zz%", "a=b==", "0g1"]), i.pick(ENCODINGS)),
  "buffer.toString": (i) => i.bytes().toString(i.pick(ENCODINGS), i.below(4), i.below(40)),
  "buffer.numbers": (i) => bufferNumbers(i),
  "buffer.indexOf": (i) => {
    const bytes = i.bytes(60);
    return [
      bytes.indexOf(i.pick(bytes)),
      bytes.lastIndexOf(i.below(300), i.number()),
      bytes.includes(i.ascii(1)),
      bytes.compare(i.bytes()),
    ];
  },
  "buffer.fill": (i) =>
    Buffer.alloc(i.below(20) + 1, i.pick([i.word(), i.below(999), "", "zz"]), i.pick(["utf8", "hex", "latin1"])),
  "json.parse": (i) => JSON.parse(broken(JSON.stringify(i.json()), i)),
  "json.stringify": (i) => JSON.stringify(withoutBigInts(i.value(3)), null, i.pick([0, 2, "\t", 12])),
  "structuredClone.values": (i) => structuredClone(i.value(3)),
  "structuredClone.refused": (i) =>
    structuredClone({ [i.word()]: i.pick([() => 1, Symbol("s"), new WeakMap(), new Proxy({}, {})]) }),
  "intl.NumberFormat": (i) =>
    new Intl.NumberFormat(
      i.pick(LOCALES),
      i.pick([
        {},
        { style: "currency", currency: "EUR" },
        { notation: "compact" },
        { style: "percent" },
        { style: "unit", unit: "mile-per-hour" },
      ]),
    ).format(i.number()),
  "intl.DateTimeFormat": (i) =>
    new Intl.DateTimeFormat(i.pick(LOCALES), {
      dateStyle: i.pick(["full", "long", "short"]),
      timeStyle: i.pick(["short", "long"]),
      timeZone: i.pick(["UTC", "Asia/Tokyo", "America/New_York"]),
    }).format(i.date()),
  "intl.Collator": (i) =>
    i.several(8, () => i.text(3)).sort(new Intl.Collator(i.pick(LOCALES), { numeric: i.chance(50) }).compare),
  "zlib.deflate": (i) =>
    zlib[i.pick(["deflateSync", "gzipSync", "deflateRawSync", "brotliCompressSync"])](
      Buffer.from(i.ascii(8).repeat(i.below(20) + 1)),
    ),
  "zlib.inflate": (i) => zlib.inflateSync(damaged(zlib.deflateSync(i.bytes(60)), i)),
  "crypto.createHash": (i) =>
    createHash(i.pick(["sha256", "sha1", "md5", "sha512", "sha3-256", "whirl"]))
      .update(i.bytes())
      .digest(i.pick(["hex", "base64"])),
  "crypto.createHmac": (i) =>
    createHmac(i.pick(["sha256", "sha512"]), i.bytes(8))
      .update(i.text())
      .digest("hex"),
  "crypto.createCipheriv": (i) => encrypted(i),
  "crypto.derive": (i) =>
    i.chance(50)
      ? pbkdf2Sync(i.ascii(8), i.bytes(8), i.below(20), i.below(30) + 1, "sha256")
      : hkdfSync("sha256", i.bytes(8), i.bytes(8), i.ascii(5), i.below(40)),
  "crypto.randomUUID": (i) => ({ request: randomUUID(), tries: i.below(9) }),
  "assert.deepStrictEqual": (i) => {
    const value = i.json();
    assert.deepStrictEqual(value, i.chance(30) ? value : i.json());
    return "equal";
  },
  "assert.rejects": (i) =>
    failing(() => assert[i.pick(["ok", "equal", "notEqual", "match"])](i.pick([0, "", "abc"]), i.pick([1, "b", /x/]))),
  "date.parse": (i) =>
    new Date(
      i.pick([
        i.date().toISOString(),
        i.date().toUTCString(),
        `${i.below(13)}/${i.below(33)}/19${i.below(90) + 10}`,
        `1${i.below(999)}-2-30`,
        i.ascii(6),
      ]),
    ),
  "date.format": (i) => {
    const date = i.date();
    return [date.toString(), date.toJSON(), date.toLocaleString(i.pick(LOCALES), { timeZone: "UTC" })];
  },
  "TextDecoder.decode": (i) =>
    new TextDecoder(i.pick(["utf-8", "utf-16le", "shift_jis", "windows-1252", "euc-kr", "nope"]), {
      fatal: i.chance(40),
      ignoreBOM: i.chance(50),
    }).decode(i.bytes()),
  "string_decoder.write": (i) => {
    const decoder = new StringDecoder(i.pick(ENCODINGS));
    return [decoder.write(i.bytes(9)), decoder.write(i.bytes(9)), decoder.end()];
  },
  "events.emit": (i) => emitted(i),
  "fs.errors": (i) =>
    worded(() =>
      i.pick([readFileSync, statSync, mkdirSync, rmSync])(
        i.pick([path.join(SANDBOX, i.pick(["lib", "src", "no"]), "gone", "x"), SANDBOX, "/no/such/file", "a\0b"]),
        { [i.word()]: 1 },
      ),
    ),
  "process.facts": (i) => ({
    log: `${new Date().toISOString()} pid ${process.pid} ${i.ascii(6)}`,
    cwd: process.cwd(),
    up: process.uptime() > 0,
  }),
  "vm.runInNewContext": (i) =>
    vm.runInNewContext(i.pick(["a + b", "[a, b].map(String)", "typeof require", "b.x.y", "a +", "this.c = a * 2; c"]), {
      a: i.number(),
      b: i.word(),
    }),
};

function urlParts(parsed) {
  const names = ["href", "origin", "protocol", "username", "password", "host", "port", "pathname", "search", "hash"];
  return Object.fromEntries(names.map((name) => [name, parsed[name]]));
}

function searchParams(i) {
  const params = new URLSearchParams(`?${i.ascii(10)}&${i.word()}=${i.text(5)}`);
  params.append(i.word(), i.text(4));
  params.sort();
  return [params.toString(), [...params]];
}

function bufferNumbers(i) {
  const bytes = Buffer.alloc(8);
  const kind = i.pick(["UInt8", "Int16LE", "UInt32BE", "FloatBE", "DoubleLE", "BigInt64LE"]);
  bytes[`write${kind}`](kind.startsWith("Big") ? BigInt(i.bits()) - 2n ** 31n : i.number(), i.below(10));
  return [bytes, bytes[`read${kind}`](i.below(3))];
}

function broken(text, i) {
  const at = i.below(text.length + 1);
  return i.pick([
    text,
    text.slice(0, at),
    `${text.slice(0, at)}${i.pick(["'", ",", "}", "NaN", "\u0000"])}${text.slice(at)}`,
    text + text,
  ]);
}

function damaged(bytes, i) {
  if (i.chance(60)) bytes[i.below(bytes.length)] ^= 1 << i.below(8);
  return i.chance(30) ? bytes.subarray(0, i.below(bytes.length)) : bytes;
}

function encrypted(i) {
  const name = i.pick(["aes-128-cbc", "aes-256-gcm", "aes-256-ctr", "des-nope"]);
  const key = Buffer.alloc(name.includes("128") ? 16 : 32, i.below(256)),
    iv = Buffer.alloc(i.chance(90) ? 16 : 3, 7);
  const cipher = createCipheriv(name, key, iv);
  const sealed = Buffer.concat([cipher.update(i.text(), "utf8"), cipher.final()]);
  if (name.endsWith("gcm")) return [sealed, cipher.getAuthTag()];
  const opener = createDecipheriv(name, key, iv);
  return [sealed, Buffer.concat([opener.update(sealed), opener.final()]).toString()];
}

function emitted(i) {
  const emitter = new EventEmitter(),
    order = [];
  for (const word of i.words(4))
    emitter[i.pick(["on", "once", "prependListener"])](word, (...args) => order.push([word, ...args]));
  for (const word of i.words(6)) emitter.emit(word, i.number());
  if (i.chance(20)) emitter.emit("error", new TypeError(i.ascii(5)));
  return [order, emitter.eventNames()];
}

function structuredCloneOrSame(value) {
  const cloned = failing(() => structuredClone(value));
  return cloned instanceof Error ? value : cloned;
}

// An inspected error shows its stack; those within cycles stay, so that some lines hold frames with paths.
function withoutErrors(value) {
  return value instanceof Error ? [value.name, value.message] : mapped(value, withoutErrors);
}

function withoutBigInts(value) {
  return typeof value === "bigint" ? value.toString() : mapped(value, withoutBigInts);
}

function mapped(value, change) {
  if (Array.isArray(value)) return value.map(change);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, change(item)]));
  if (value instanceof Set) return new Set([...value].map(change));
  if (value === null || Object.getPrototypeOf(Object(value)) !== Object.prototype || value.self === value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]));
}
