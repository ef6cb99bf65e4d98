// Seeded inputs: integer arithmetic only, so every runtime makes the same ones.
const WORDS = [
  "a",
  "b",
  "..",
  ".",
  "index.js",
  "lib",
  "node_modules",
  "é",
  "日本",
  "x y",
  "C:",
  "~",
  "src",
  ".env",
  "%20",
  "a+b",
  "tar.gz",
  "👍",
  "__proto__",
  "0",
  "-1",
  "con",
  "q?",
  "h#",
];
const ODD_NUMBERS = [
  0,
  -0,
  NaN,
  Infinity,
  -Infinity,
  1,
  -1,
  0.1,
  1e21,
  1e-7,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 64,
  1.5,
  -2.25,
  Number.MIN_VALUE,
  Number.MAX_VALUE,
];

export class Inputs {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  bits() {
    // mulberry32
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit) {
    return this.bits() % limit;
  }
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(items) {
    return items[this.below(items.length)];
  }
  several(limit, make) {
    return Array.from({ length: this.below(limit) + 1 }, () => make());
  }
  word() {
    return this.pick(WORDS);
  }
  number() {
    return this.chance(40) ? this.pick(ODD_NUMBERS) : this.below(100000) - 5000;
  }
  words(limit = 5) {
    return this.several(limit, () => this.word());
  }
  path() {
    return (
      this.pick(["", "/", "//", "./", "../"]) +
      this.words().join(this.pick(["/", "/", "//", "\\"])) +
      this.pick(["", "/"])
    );
  }
  bytes(limit = 40) {
    return Buffer.from(this.several(limit, () => this.below(256)));
  }
  ascii(limit = 30) {
    return String.fromCharCode(...this.several(limit, () => 32 + this.below(95)));
  }
  // Years before 2024 or after 2099 only: a time between them is taken for the time of a run (volatile.py).
  date() {
    return new Date(
      Date.UTC(
        1890 + this.below(133),
        this.below(12),
        this.below(28) + 1,
        this.below(24),
        this.below(60),
        this.below(60),
        this.below(1000),
      ),
    );
  }

  text(limit = 12) {
    const point = () =>
      this.pick([
        32 + this.below(95),
        0x80 + this.below(0x700),
        0x4e00 + this.below(0x5000),
        0x1f300 + this.below(0x200),
      ]);
    const text = String.fromCodePoint(...this.several(limit, point));
    return this.chance(6) ? text + String.fromCharCode(0xd800 + this.below(0x800)) : text;
  }

  url() {
    const host = this.pick([
      "example.com",
      "EXAMPLE.com:80",
      "user:p%40ss@h.test:8080",
      "[::1]:3000",
      "münchen.de",
      "127.1",
      "a b.test",
      "xn--n3h.test",
      "",
    ]);
    const scheme = this.pick(["http:", "https:", "HTTP:", "file:", "ftp:", "mailto:", "javascript:", "data:", ""]);
    return (
      scheme +
      this.pick(["//", "//", "//", "/", "\\\\", ""]) +
      host +
      this.pick(["", "/", "/../"]) +
      this.words(3).join("/") +
      this.pick(["", "?", "?a=1&b=2&a=%zz", `?q=${this.text(5)}`]) +
      this.pick(["", "#", `#${this.word()}`])
    );
  }

  value(depth = 2) {
    const leaves = [
      () => this.number(),
      () => this.text(),
      () => undefined,
      () => null,
      () => this.chance(50),
      () => BigInt(this.bits()) ** 3n,
      () => Symbol.for(this.word()),
      () => this.date(),
      () => new RegExp("a+b|[x-z]", this.pick(["", "g", "iu"])),
      () => new Error(this.ascii(8)),
    ];
    const branches = [
      () => this.several(4, () => this.value(depth - 1)),
      () => this.object(depth),
      () => new Set(this.several(3, () => this.value(depth - 1))),
      () => new Map(this.several(3, () => [this.word(), this.value(depth - 1)])),
      () => this.sparse(),
      () => this.cyclic(),
      () => new Uint16Array(this.several(4, () => this.bits())),
    ];
    return this.pick(depth > 0 ? [...leaves, ...branches, ...branches] : leaves)();
  }

  object(depth = 2) {
    const made = {};
    for (const word of this.words(4)) if (word !== "__proto__") made[word] = this.value(depth - 1);
    return made;
  }

  sparse() {
    const array = [];
    array[this.below(4) + 1] = this.number();
    return array;
  }

  cyclic() {
    const made = this.object(1);
    made.self = made;
    return made;
  }

  json(depth = 3) {
    const leaf = () =>
      this.pick([() => this.below(1000), () => this.ascii(8), () => null, () => true, () => this.below(1000) / 8])();
    if (depth === 0 || this.chance(30)) return leaf();
    if (this.chance(50)) return this.several(4, () => this.json(depth - 1));
    return Object.fromEntries(this.several(4, () => [this.ascii(5), this.json(depth - 1)]));
  }
}
