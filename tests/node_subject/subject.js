// Serves one module as a subject: node subject.js ./module.js
const fs = require("node:fs");

const incoming = Number(process.env.PRFPIPE_READ_FD);
const outgoing = Number(process.env.PRFPIPE_WRITE_FD);

let subject, groups, results;

const answers = {
  hello({ params, workdir }) {
    const { Subject } = require(process.argv[2]);
    subject = new Subject(params, workdir);
    return { type: "ready", protocol: 1 };
  },
  load({ operations, group }) {
    groups = [];
    for (let at = 0; at < operations.length; at += group) groups.push(operations.slice(at, at + group));
    return { type: "loaded" };
  },
  run() {
    results = [];
    const durations_ns = groups.map((operations) => {
      const start = process.hrtime.bigint();
      const found = operations.map((operation) => subject.operate(operation));
      const duration = process.hrtime.bigint() - start;
      results.push(...found);
      return Number(duration);
    });
    return { type: "timed", durations_ns };
  },
  results() {
    return { type: "results", results };
  },
  settle() {
    return { type: "settled" };
  },
  close() {
    subject?.close?.();
    return { type: "closed", files: [] };
  },
};

function answer(message) {
  try {
    return answers[message.type](message);
  } catch (error) {
    const stage = message.type === "run" ? "operate" : message.type;
    return { type: "error", stage, error: `${error.name}: ${error.message}`, trace: error.stack };
  }
}

function send(message) {
  let rest = Buffer.from(JSON.stringify(message) + "\n");
  while (rest.length > 0) rest = rest.subarray(fs.writeSync(outgoing, rest));
}

const chunk = Buffer.alloc(1 << 20);
let pending = [];
for (let size; (size = fs.readSync(incoming, chunk)) > 0; ) {
  let unread = Buffer.from(chunk.subarray(0, size));
  for (let end; (end = unread.indexOf("\n")) >= 0; unread = unread.subarray(end + 1)) {
    const message = JSON.parse(Buffer.concat([...pending, unread.subarray(0, end)]).toString());
    pending = [];
    send(answer(message));
    if (message.type === "close") process.exit(0);
  }
  pending.push(unread);
}
