"""A second opinion on a prfpipe bundle: the standard library and `cryptography`, nothing of prfpipe.

usage: python verify.py BUNDLE [PUBLIC_KEY.pem ...]        exit code 0: accepted, 1: refused, 2: bad usage

Without a public key no signature is checked and the origin is not shown. Checked: envelopes, signatures, every file's
digest, the plan's seal, the journal, the decision rule, every sample against the plan. Derived again: speed-ups with
their intervals, guards, strata, claim, and the verdict's word as far as samples and proof decide it; other reasons are
taken as told. Reports are not drawn again (`prfpipe audit` does). Neither shows that the samples were not made up.
"""
import base64
import json
import sys
import zlib
from bisect import bisect_right
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate
from math import isqrt
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ONE = 1 << 96  # of fixed point
STATEMENT, PLAN, SEAL, LOG = "statement.dsse.json", "plan.json", "plan.dsse.json", "runlog.jsonl"
SAMPLES = {"baseline": "art-01-baseline/samples.jsonl.gz", "reprofile": "art-03-comparison/samples.jsonl.gz"}
STAGES = ["plan", "baseline", "profile", "prove", "implement", "verify", "reprofile", "decide"]
ALL = {"quick": (0.05, 60, 10, 10, 6, 2), "standard": (0.01, 90, 60, 20, 9, 8), "rigorous": (0.01, 600, 240, 60, 9, 8)}
OF_EFFORT = ("alpha", "seconds", "secondary_seconds", "baseline_seconds", "min_invocations", "secondary_invocations")
FIXED = {"look_fractions": [0.1, 0.2, 0.4, 0.7, 1.0], "look_weights": [0.1, 0.1, 0.2, 0.2, 0.4], "max_invocations": 150}
OF_LEVER = ("min_gain_percent", "expected_speedup", "guards", "non_inferiority_percent")
QUANTILES, WORDS = {"speedup": 50, "p95": 95, "p99": 99}, ["adopt", "undecided", "reject"]
IN_FAVOUR = {"faster", "guard-holds", "stratum-holds"}

def need(holds, why):
    if not holds:
        raise ValueError(why)

def exact(number):
    return Fraction(str(number))

def tight(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

def seed(start, name, index):
    return int.from_bytes(sha256(f"{start}/{name}/{index}".encode()).digest()[:7], "big")

def parse(data, what):  # JSON in its one form: no key stands twice, nothing is NaN
    value = json.loads(data)
    need(tight(value) == data, f"{what} is not in canonical form")
    return value

def opened(data, what, kind, keys):  # subjects, predicate and signer of the statement in an envelope
    envelope = parse(data, what)
    [signed], typ = envelope["signatures"], envelope["payloadType"]
    payload, signature = base64.b64decode(envelope["payload"]), base64.b64decode(signed["sig"])
    texts = {"payload": base64.b64encode(payload).decode(), "payloadType": "application/vnd.in-toto+json"}
    need(signed == {"keyid": signed["keyid"], "sig": base64.b64encode(signature).decode()}, f"{what}: signature's form")
    need(envelope == {**texts, "signatures": [signed]} and len(signature) == 64, f"{what}: envelope's form")
    if keys:
        need(signed["keyid"] in keys, f"{what}: signed by {signed['keyid']}, which is not trusted")
        keys[signed["keyid"]].verify(signature, f"DSSEv1 {len(typ)} {typ} {len(payload)} ".encode() + payload)
    found = parse(payload, what)
    files = {item["name"]: item["digest"]["sha256"] for item in found["subject"]}
    subject = [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)]
    whole = {"_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "subject": subject}
    need(found == {**whole, "predicate": found["predicate"]}, f"{what}: another version")
    return files, found["predicate"], signed["keyid"]

def metric(arm, name):
    times = sorted(arm["samples_ns"])
    if name in QUANTILES:
        return max(times[-(-QUANTILES[name] * len(times) // 100) - 1], 1)
    return max({"throughput": sum(times), "peak_rss": arm["peak_rss_kib"], "cold_start": arm["cold_start_ns"]}[name], 1)

def effect(done, count, name="speedup", after="candidate"):  # Hodges-Lehmann, exact signed-rank interval, six decimals
    ratios = [metric(item["arms"]["baseline"], name) * ONE // metric(item["arms"][after], name) for item in done]
    means = sorted(isqrt(a * b) for i, a in enumerate(ratios) for b in ratios[i:])
    half = len(means) // 2
    middle = means[half] if len(means) % 2 else isqrt(means[half - 1] * means[half])
    figures = [max((x * 2 * 10**6 + ONE) // (2 * ONE) / 10**6, 1e-6) for x in (middle, means[count - 1], means[-count])]
    return dict(zip(("estimate", "low", "high"), figures if count else (figures[0], None, None), strict=True))

def state(found, floor):
    if found["low"] is None or exact(found["low"]) < floor <= exact(found["high"]):
        return "undecided"
    return "holds" if exact(found["low"]) >= floor else "violated"

def looks(rule, done):  # that the plan allows: after how many invocations, which pair mean bounds, the last or not
    found, spent, allowed = [], 0, Fraction(0)
    pending = [*zip(rule["look_fractions"], rule["look_weights"], strict=True)]
    for n, item in enumerate(done, 1):
        before = len(pending)
        while pending and (n >= rule["max_invocations"] or ((len(pending) > 1 or n >= rule["min_invocations"])
                and item["elapsed_ns"] >= exact(pending[0][0]) * exact(rule["seconds"]) * 10**9)):
            allowed += exact(rule["alpha"]) * exact(pending.pop(0)[1])
        if len(pending) < before:
            ways = [1] + [0] * (n * (n + 1) // 4)  # sign patterns that give the signed-rank statistic t
            for rank in range(1, n + 1):
                ways = [count + (ways[t - rank] if t >= rank else 0) for t, count in enumerate(ways)]
            tail = [Fraction(2 * patterns, 2**n) for patterns in accumulate(ways[:-1])]
            count = bisect_right(tail, allowed - spent)
            spent += tail[count - 1] if count else 0
            found.append((n, count, not pending))
    return found

class Bundle:
    """A bundle's files; each method refuses what is wrong. `keys`: public keys by their ids."""

    def __init__(self, folder, keys):
        paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        need(all(path.is_file() and not path.is_symlink() for path in paths), "there is more than plain files")
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self.digests = {name: sha256(data).hexdigest() for name, data in self.files.items() if name != STATEMENT}
        listed, self.told, signer = opened(self.files[STATEMENT], "statement", "urn:prfpipe:evidence:v1", keys)
        need(listed == self.digests, f"not as listed: {sorted(dict(listed.items() ^ self.digests.items()))[:3]}")
        self.plan, self.verdict = self.record(PLAN), self.record("verdict.json")
        need(self.plan["format"] + self.verdict["format"] == "prfpipe/plan/v1prfpipe/verdict/v1", "an unknown format")
        self.rule, self.lever, self.made = self.plan["rule"], self.plan["lever"], self.plan["provenance"]["created_at"]
        sealed, said, sealer = opened(self.files[SEAL], "plan's seal", "urn:prfpipe:plan:v1", keys)
        need(sealer == signer and sealed == {PLAN: self.digests[PLAN]}, "the plan was not sealed so")
        stated = {"run_id": self.plan["run_id"], "lever": self.lever["id"], "seed": self.plan["seed"]}
        need(said == {**stated, "created_at": self.made}, "the seal is of another plan")

    def record(self, name):
        value = json.loads(self.files[name])
        need(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n" == self.files[name].decode(), name)
        return value

    def rule_of_effort(self):  # and which scenarios are to be measured
        spec, effort, every = self.lever, self.plan["effort"], self.lever["scenarios"]
        strata = [item["name"] for item in every if spec["must_hold"] == "all" or item["name"] in spec["must_hold"]]
        usual = {**dict(zip(OF_EFFORT, ALL[effort], strict=True)), **FIXED, **{key: spec[key] for key in OF_LEVER}}
        need(self.rule == {**usual, "tail_confidence": 0.95, "must_hold": strata}, "the rule is not that of the effort")
        self.primary = next(item["name"] for item in every if item["primary"])
        self.by_rule, efforts = {self.primary, *strata}, list(ALL)[: list(ALL).index(effort) + 1]
        self.planned = {item["name"] for item in every if item["from_effort"] in efforts} | self.by_rule

    def journal(self):  # one chain of lines, whose finished stages left exactly the files that are there
        before, ended = self.plan["run_id"].encode(), []
        for number, line in enumerate(self.files[LOG].splitlines()):
            step = parse(line, "the journal")
            need([step["seq"], step["previous"]] == [number, sha256(before).hexdigest()], "the journal is no chain")
            before, ended = line, [*ended, step] if step["status"] == "finished" else ended
        left = {name: found["sha256"] for step in ended for name, found in step["files"].items()}
        need([step["stage"] for step in ended] == STAGES, "the journal is of other stages")
        need({**left, LOG: self.digests[LOG]} == self.digests, "the journal is of other files")
        need(ended[0]["files"].keys() == {PLAN, SEAL}, "stage plan left something else than the sealed plan")
        self.earliest = max(datetime.fromisoformat(each).timestamp() for each in (self.made, ended[0]["time"])) - 5
        self.decided_at = ended[-1]["time"]

    def samples(self, stage):  # the invocations of each scenario, each as the plan wants it and in its place
        unzip, found, shapes, count = zlib.decompressobj(31), {}, {}, 0
        text = unzip.decompress(self.files[SAMPLES[stage]], 1 << 28)
        head, *records = [parse(line, "samples") for line in text.splitlines()]
        need(unzip.eof and not unzip.unused_data and head["stage"] + head["interrupted"] == stage, "other samples")
        arms = {"baseline", "control"} | ({"candidate"} if stage == "reprofile" else set())
        start = seed(self.plan["seed"], f"stage {stage}", 0)
        for item in records:
            name, at = item["scenario"], len(found.get(item["scenario"], ()))
            if item["kind"] == "schedule":
                need(name not in found, f"{name}: two schedules")
                found[name], shapes[name] = [], [item["block"] * item["rounds"], item["rounds"], item["rounds"]]
                continue
            what, began = f"{name}, invocation {at}", datetime.fromisoformat(item["started_at"]).timestamp()
            place = [item["index"], item["seed"], item["excluded"], item["arms"].keys()]
            need(place == [at, seed(start, name, at), None, arms], f"{what} is not in its place")
            need(item["elapsed_ns"] > (found[name][-1]["elapsed_ns"] if at else 0), f"{what} ends too early")
            need(began >= self.earliest, f"{what} is older than the plan")
            for arm in item["arms"].values():
                need([len(arm[key]) for key in ("samples_ns", "wall_ns", "cpu_ns")] == shapes[name], f"{what}: shape")
                count += len(arm["samples_ns"])
            found[name].append(item)
        need(found.keys() == self.planned and all(found.values()), f"stage {stage} measured other scenarios")
        told = self.told["samples"][stage.replace("rep", "re-p")]
        need(told == {"sha256": self.digests[SAMPLES[stage]], "count": count}, "another sample count")
        return found

    def judged(self, name, done, count):  # the state of everything that the rule asks of a scenario, and the claim
        speedup, rule = effect(done, count), self.rule
        margin, least = (1 + exact(rule[key]) / 100 for key in ("non_inferiority_percent", "min_gain_percent"))
        states = [state(speedup, 1 / margin)] if name in rule["must_hold"] else []
        if name != self.primary:
            return states, "met"
        states.append("undecided" if count and exact(speedup["low"]) == least else state(speedup, least))
        for guard in rule["guards"]:
            limit = exact(guard["max_regression_percent"]) / 100
            floor = 1 - limit if guard["metric"] == "throughput" else 1 / (1 + limit)
            states.append(state(effect(done, count, guard["metric"]), floor))
        claim = state(speedup, exact(rule["expected_speedup"][0]))
        return states, {"holds": "met", "violated": "not-met"}.get(claim, claim)

    def decided(self, samples):  # what the samples of the primary scenario and the strata say
        results, states = {item["scenario"]: item for item in self.verdict["scenarios"]}, []
        for name in self.by_rule:
            done, taken = samples[name], looks(self.rule, samples[name])
            differ = [len({arm["outputs"] for arm in item["arms"].values()}) > 1 for item in done]
            count = taken[-1][1] if taken and taken[-1][0] == len(done) else 0
            asked = [(last, *self.judged(name, done[:n], mean)) for n, mean, last in taken]
            ends = [last or "violated" in found or "undecided" not in [*found, claim] for last, found, claim in asked]
            whole = differ[-1] or (taken and taken[-1][0] == len(done) and ends[-1])
            need(whole and not any(differ[:-1]) and not any(ends[:-1]), f"{name}: invocations were dropped or added")
            asked, claim = self.judged(name, done, count)
            speedup, control = effect(done, count), effect(done, count, after="control")
            told = [results[name]["speedup"], results[name]["control"], results[name]["looks"]]
            need(told == [speedup, control, len(taken)], f"{name}: {speedup} follows from the samples")
            need(name != self.primary or claim == self.verdict["claim"], f"claim {claim} follows from the samples")
            biased = count and (control["low"] > 1 or control["high"] < 1)
            floor = max(exact(control["high"]), 1 / exact(control["low"])) if count and name == self.primary else 0
            states += [*asked, *["undecided"] * bool(biased or (floor and 1 < exact(speedup["low"]) <= floor))]
            states += ["violated"] * any(differ)
        return "reject" if "violated" in states else "undecided" if "undecided" in states else "adopt"

    def proven(self):  # what proof and tree say
        tree, proofs = self.record("implement/tree.json"), [name for name in self.files if name.startswith("art-04")]
        records = [self.record(name) for name in proofs if name.endswith(".json")]
        need(tree["files"] == self.plan["source_files"], "what was measured is not the lever folder of the plan")
        failed = tree["outside_path"] or any(b'"passed": false' in self.files[name] for name in proofs)
        return "reject" if failed or {each["tree_digest"] for each in records} != {tree["digest"]} else "adopt"

    def check(self):
        self.rule_of_effort()
        self.journal()
        self.samples("baseline")
        verdict, plan, told, word = self.verdict, self.plan, self.told, self.verdict["verdict"]
        least = max(self.decided(self.samples("reprofile")), self.proven(), key=WORDS.index)
        against = {reason["code"] for reason in verdict["reasons"]} - IN_FAVOUR
        stricter = against and WORDS.index(word) > WORDS.index(least)
        need(word == least or stricter, f"the verdict is {word}, {least} follows from samples and proof")
        text, page = self.files["art-03-comparison/comparison.md"].decode(), self.files["report.html"].decode()
        need(f"Verdict: {word}\n" in text and f'"prfpipe-verdict" content="{word}"' in page, "a report says otherwise")
        said = {"run_id": plan["run_id"], "lever": self.lever["id"], "verdict": word, "claim": verdict["claim"],
                "created_at": self.decided_at, "rule": self.rule,
                "plan_sha256": self.digests[PLAN], "plan_seal_sha256": self.digests[SEAL],
                "proof": {name: digest for name, digest in self.digests.items() if name.startswith("art-04")},
                "sizes": {name: len(self.files[name]) for name in self.digests},
                "host": {"name": plan["host"]["name"], "sha256": sha256(tight(plan["host"])).hexdigest()},
                "tools": plan["provenance"]["tools"], "prfpipe": plan["provenance"]["tools"]["prfpipe"]}
        need({**told, **said} == told, "the statement says otherwise")
        need((told["sequence"] == 1) == (told["previous"] is None) and told["sequence"] > 0, "no place in a chain")
        return f"{plan['run_id']}: {word}, claim {verdict['claim']}"

def main(words):
    if not words or not Path(words[0]).is_dir():
        print(__doc__)
        return 2
    keys = [load_pem_public_key(Path(name).read_bytes()) for name in words[1:]]
    raw = [key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() for key in keys]
    forms = [{"keytype": "ed25519", "keyval": {"public": each}, "scheme": "ed25519"} for each in raw]
    trusted = {sha256(tight(form)).hexdigest(): key for form, key in zip(forms, keys, strict=True)}
    try:
        print("ACCEPTED", Bundle(Path(words[0]), trusted).check(), "" if keys else "(no signature was checked)")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a bundle, it is refused
        print(f"REFUSED {type(error).__name__}: {error}")
        return 1
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
