"""A second opinion on a prfpipe bundle: the standard library and `cryptography`, nothing of prfpipe.

usage: python verify.py BUNDLE [PUBLIC_KEY.pem ...]        exit code 0: accepted, 1: refused, 2: bad usage

Without a public key no signature is checked and the origin is not shown. Checked: envelopes, signatures, every file's
digest, the plan's seal, the journal, the rule's error rate and thresholds, every sample against the plan. Derived
again: the primary scenario's speed-up with its interval, guards, A/A control, claim, and the verdict's word as far as
these and what each case of the proof says decide it; other reasons are taken as told. Strata are not decided, it is not
asked whether other scenarios ended as planned, and ART-01, -03, -04 and -05 are not written again: `prfpipe audit` does
that. Neither derives profiles, nor shows that the samples were not made up.
"""
import base64
import gzip
import io
import json
import sys
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate
from math import isqrt
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ONE, TYPE = 1 << 96, "application/vnd.in-toto+json"  # one of fixed point; what an envelope holds
STATEMENT, PLAN, SEAL, LOG = "statement.dsse.json", "plan.json", "plan.dsse.json", "runlog.jsonl"
SAMPLES = {"baseline": "art-01-baseline/samples.jsonl.gz", "re-profile": "art-03-comparison/samples.jsonl.gz"}
ALPHA = {"quick": Fraction(5, 100), "standard": Fraction(1, 100), "rigorous": Fraction(1, 100)}
OF_LEVER = ("min_gain_percent", "expected_speedup", "guards", "non_inferiority_percent")
PARTS = "conformance coverage edge_cases lockstep mutants oracle verify"
PROOF = {f"art-04-proof/{part}.json" for part in PARTS.split()}
LONGEST, AGAINST = 1 << 28, ("differences", "missing_lines", "missing_branches")
WORDS, IN_FAVOUR = ["adopt", "undecided", "reject"], {"faster", "guard-holds", "stratum-holds"}

def need(holds, why):
    if not holds:
        raise ValueError(why)

def tight(value, **form):
    form = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False, "allow_nan": False, **form}
    return json.dumps(value, **form).encode()

def seed(start, name, index):
    return int.from_bytes(sha256(f"{start}/{name}/{index}".encode()).digest()[:7], "big")

def parse(data, what, **form):  # JSON in its one form: no key stands twice, nothing is NaN; numbers are exact
    need(tight(json.loads(data), **form) == data, f"{what} is misspelt")
    return json.loads(data, parse_float=Fraction)

def opened(data, what, kind, keys):  # subjects, predicate and signer of the statement in an envelope
    envelope = parse(data, what)
    [signed], texts = envelope["signatures"], [envelope["payload"], envelope["signatures"][0]["sig"]]
    payload, signature = raw = [base64.b64decode(text) for text in texts]
    text, sig = (base64.b64encode(each).decode() for each in raw)
    only = {"payload": text, "payloadType": TYPE, "signatures": [{"keyid": signed["keyid"], "sig": sig}]}
    need(envelope == only and len(signature) == 64, f"{what}: another form")
    if keys:
        need(signed["keyid"] in keys, f"{what}: signed by {signed['keyid']}, which is not trusted")
        keys[signed["keyid"]].verify(signature, f"DSSEv1 {len(TYPE)} {TYPE} {len(payload)} ".encode() + payload)
    found = parse(payload, what)
    files = {item["name"]: item["digest"]["sha256"] for item in found["subject"]}
    subject = [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)]
    whole = {"_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "subject": subject}
    need(found == {**found, **whole} and len(found) == 4, f"{what}: another version")
    return files, found["predicate"], signed["keyid"]

def metric(arm, name):
    times, q = sorted(arm["samples_ns"]), {"p95": 95, "p99": 99}.get(name, 50)
    others = {"throughput": sum(times), "peak_rss": arm["peak_rss_kib"], "cold_start": arm["cold_start_ns"]}
    return max(others.get(name, times[-(-q * len(times) // 100) - 1]), 1)

def effect(done, count, name="speedup", after="candidate"):  # Hodges-Lehmann, exact signed-rank interval, six decimals
    ratios = [metric(item["arms"]["baseline"], name) * ONE // metric(item["arms"][after], name) for item in done]
    means = sorted(isqrt(a * b) for i, a in enumerate(ratios) for b in ratios[i:])
    low, high = means[(len(means) - 1) // 2], means[len(means) // 2]
    raw = (low if low is high else isqrt(low * high), means[count - 1], means[-count])
    figures = [Fraction(max((value * 2 * 10**6 + ONE) // (2 * ONE), 1), 10**6) for value in raw]
    return dict(zip(("estimate", "low", "high"), figures if count else (figures[0], None, None), strict=True))

def state(found, floor):
    if found["low"] is None or found["low"] < floor <= found["high"]:
        return "undecided"
    return "holds" if found["low"] >= floor else "violated"

def wrong(case):  # whether a case of a proof speaks against the lever
    blind, failed = case.get("tried", 1) and not case.get("caught", True), not case.get("passed", True)
    return blind or failed or any(map(case.get, AGAINST)) or any(map(wrong, case.get("cases", ())))

def looks(rule, done):  # that the plan allows: after how many invocations, which pair mean bounds, the last or not
    found, spent, allowed, pending = [], 0, 0, [*zip(rule["look_fractions"], rule["look_weights"], strict=True)]
    for n, item in enumerate(done, 1):
        before = len(pending)
        while pending and (n >= rule["max_invocations"] or ((len(pending) > 1 or n >= rule["min_invocations"])
                and item["elapsed_ns"] >= pending[0][0] * rule["seconds"] * 10**9)):
            allowed += rule["alpha"] * pending.pop(0)[1]
        if len(pending) < before:
            ways = [1] + [0] * (n * (n + 1) // 4)  # sign patterns that give the signed-rank statistic t
            for rank in range(1, n + 1):
                ways = [count + (ways[t - rank] if t >= rank else 0) for t, count in enumerate(ways)]
            tail = [Fraction(2 * patterns, 2**n) for patterns in accumulate(ways[:-1])]
            count = sum(error <= allowed - spent for error in tail)
            spent += tail[count - 1] if count else 0
            found.append((n, count, not pending))
    return found

class Bundle:
    """A bundle's files; each method refuses what is wrong. `keys`: public keys by their ids."""

    def __init__(self, folder, keys):
        paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        need(not any(path.is_symlink() or not path.is_file() for path in paths), "there is more than plain files")
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self.digests = {name: sha256(data).hexdigest() for name, data in self.files.items() if name != STATEMENT}
        listed, self.told, signer = opened(self.files[STATEMENT], "statement", "urn:prfpipe:evidence:v1", keys)
        need(listed == self.digests, f"not as listed: {sorted(dict(listed.items() ^ self.digests.items()))[:3]}")
        self.plan, self.verdict = plan, verdict = self.record(PLAN), self.record("verdict.json")
        need(plan["format"] + verdict["format"] == "prfpipe/plan/v1prfpipe/verdict/v1", "an unknown format")
        self.rule, self.lever, self.made = plan["rule"], plan["lever"], plan["provenance"]["created_at"]
        sealed, said, sealer = opened(self.files[SEAL], "plan's seal", "urn:prfpipe:plan:v1", keys)
        stated = {"run_id": plan["run_id"], "lever": self.lever["id"], "seed": plan["seed"], "created_at": self.made}
        need((sealed, said, sealer) == ({PLAN: self.digests[PLAN]}, stated, signer), "the plan was not sealed so")

    def record(self, name):
        return parse(self.files[name][:-1], name, sort_keys=False, separators=None, indent=2)

    def rule_of_effort(self):  # no more error than the effort allows, and the lever's own thresholds
        rule, shares = self.rule, self.rule["look_weights"]
        need(rule["alpha"] == ALPHA[self.plan["effort"]] and min(shares) >= 0 and sum(shares) <= 1, "the rule")
        need(rule["max_invocations"] <= 150, "the rule: more invocations than can be looked at")
        need(all(rule[key] == self.lever[key] for key in OF_LEVER), "the rule: other thresholds than the lever's")

    def journal(self):  # one chain of lines, whose finished stages left exactly the files that are there
        before, ended = self.plan["run_id"].encode(), []
        for number, line in enumerate(self.files[LOG].splitlines()):
            step = parse(line, "the journal")
            need([step["seq"], step["previous"]] == [number, sha256(before).hexdigest()], "the journal is no chain")
            before, ended = line, [*ended, step] if step["status"] == "finished" else ended
        left = {name: found["sha256"] for step in ended for name, found in step["files"].items()}
        whole = {**left, LOG: self.digests[LOG]} == self.digests and ended[0]["files"].keys() == {PLAN, SEAL}
        need(whole, "the journal is of other files, or the plan was not the first")
        self.earliest = max(datetime.fromisoformat(each).timestamp() for each in (self.made, ended[0]["time"])) - 5
        self.decided_at = ended[-1]["time"]

    def samples(self, kind):  # the invocations of each scenario, each as the plan wants it and in its place
        found, shapes, stage = {}, {}, kind.replace("-", "")
        data = gzip.GzipFile(fileobj=io.BytesIO(self.files[SAMPLES[kind]])).read(LONGEST + 1)
        need(len(data) <= LONGEST, f"{kind}: too long")
        head, *records = [parse(line, kind) for line in data.splitlines()]
        need(head["stage"] + head["interrupted"] == stage, f"samples of another stage than {stage}")
        arms = {"baseline", "control"} | ({"candidate"} if stage == "reprofile" else set())
        start = seed(self.plan["seed"], f"stage {stage}", 0)
        for item in records:
            name, at = item["scenario"], len(found.get(item["scenario"], ()))
            if item["kind"] == "schedule":
                need(name not in found, f"{name}: two schedules")
                found[name], shapes[name] = [], [item["block"] * item["rounds"], item["rounds"], item["rounds"]]
                continue
            shape = [[len(arm[key]) for key in ("samples_ns", "wall_ns", "cpu_ns")] for arm in item["arms"].values()]
            place = [item["index"], item["seed"], item["excluded"], item["arms"].keys(), shape]
            right = [at, seed(start, name, at), None, arms, [shapes[name]] * len(arms)]
            later = item["elapsed_ns"] > (found[name][-1]["elapsed_ns"] if at else 0)
            began = datetime.fromisoformat(item["started_at"]).timestamp()
            need(place == right and later and began >= self.earliest, f"{name}: invocation {at} is not in its place")
            found[name].append(item)
        count = sum(len(items) * len(arms) * shapes[name][0] for name, items in found.items())
        need(self.told["samples"][kind] == {"sha256": self.digests[SAMPLES[kind]], "count": count}, f"{kind}: how many")
        need(set(found) == {item["scenario"] for item in self.verdict["scenarios"]}, f"{kind}: other scenarios")
        return found

    def judged(self, done, count):  # the state of everything that the rule asks of the primary scenario, and the claim
        speedup, rule = effect(done, count), self.rule
        least = 1 + Fraction(rule["min_gain_percent"], 100)
        states = ["undecided" if speedup["low"] == least else state(speedup, least)]
        for guard in rule["guards"]:
            limit = Fraction(guard["max_regression_percent"], 100)
            floor = 1 - limit if guard["metric"] == "throughput" else 1 / (1 + limit)
            states.append(state(effect(done, count, guard["metric"]), floor))
        claim = state(speedup, rule["expected_speedup"][0])
        return states, {"holds": "met", "violated": "not-met"}.get(claim, claim)

    def decided(self, samples):  # what the samples of the primary scenario say
        [primary] = [item["name"] for item in self.lever["scenarios"] if item["primary"]]
        [result] = [item for item in self.verdict["scenarios"] if item["primary"] or item["scenario"] == primary]
        done, taken, ends = samples[result["scenario"]], looks(self.rule, samples[result["scenario"]]), []
        differ = [len({arm["outputs"] for arm in item["arms"].values()}) > 1 for item in done]
        for n, count, last in taken:
            states, claim = self.judged(done[:n], count)
            ends.append(last or "violated" in states or "undecided" not in [*states, claim])
        due = bool(taken) and taken[-1][0] == len(done)
        need((differ[-1] or (due and ends[-1])) and not any([*differ[:-1], *ends[:-1]]), "dropped or added invocations")
        count = taken[-1][1] if due else 0
        speedup, control = effect(done, count), effect(done, count, after="control")
        states, claim = self.judged(done, count)
        told = [result["speedup"], result["control"], result["looks"], self.verdict["claim"]]
        need(told == [speedup, control, len(taken), claim], "other figures follow from the samples")
        floor = max(control["high"], 1 / control["low"]) if count else 1
        vague = count and (not control["low"] <= 1 <= control["high"] or 1 < speedup["low"] <= floor)
        states += ["undecided"] * bool(vague) + ["violated"] * any(differ)
        return "reject" if "violated" in states else "undecided" if "undecided" in states else "adopt"

    def proven(self):  # what proof and tree say
        tree = self.record("implement/tree.json")
        proofs = {name: self.record(name) for name in PROOF & self.files.keys()}
        need(tree["files"] == self.plan["source_files"], "what was measured is not the lever folder of the plan")
        need(all((found["stage"] == "verify") == ("verify" in name) for name, found in proofs.items()), "a mixed proof")
        parts = [part for found in proofs.values() for part in found.values() if isinstance(part, list)]
        strange = {found["tree_digest"] for found in proofs.values()} - {tree["digest"]}
        failed = strange or tree["outside_path"] or any(wrong(case) for part in parts for case in part)
        return "reject" if failed else "adopt" if len(proofs) == len(PROOF) else "undecided"

    def check(self):
        self.rule_of_effort()
        self.journal()
        self.samples("baseline")
        verdict, plan, told, word = self.verdict, self.plan, self.told, self.verdict["verdict"]
        least = max(self.decided(self.samples("re-profile")), self.proven(), key=WORDS.index)
        against = {reason["code"] for reason in verdict["reasons"]} - IN_FAVOUR
        need(word == least or (against and WORDS.index(word) > WORDS.index(least)), f"it is {word}, not {least}")
        texts = (self.files["art-03-comparison/comparison.md"] + self.files["report.html"]).decode()
        need(f"Verdict: {word}\n" in texts and f'prfpipe-verdict" content="{word}"' in texts, "a report says otherwise")
        said = {"run_id": plan["run_id"], "lever": self.lever["id"], "verdict": word, "claim": verdict["claim"],
                "created_at": self.decided_at, "rule": self.rule, "tools": plan["provenance"]["tools"],
                "plan_sha256": self.digests[PLAN], "plan_seal_sha256": self.digests[SEAL],
                "proof": {name: digest for name, digest in self.digests.items() if name.startswith("art-04")},
                "sizes": {name: len(self.files[name]) for name in self.digests},
                "host": {"name": plan["host"]["name"], "sha256": sha256(tight(plan["host"])).hexdigest()},
                "prfpipe": plan["provenance"]["tools"]["prfpipe"]}
        placed = (told["sequence"] == 1) == (told["previous"] is None) and told["sequence"] > 0
        need(placed and {**told, **said} == told, "the statement says otherwise")
        return f"{plan['run_id']}: {word}, claim {verdict['claim']}"

def main(words):
    if not words or not Path(words[0]).is_dir():
        print(__doc__)
        return 2
    trusted = {}
    try:
        for key in (load_pem_public_key(Path(name).read_bytes()) for name in words[1:]):
            value = {"public": key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()}
            trusted[sha256(tight({"keytype": "ed25519", "keyval": value, "scheme": "ed25519"})).hexdigest()] = key
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a key
        print(f"no public key of the kind that signs bundles: {type(error).__name__}: {error}")
        return 2
    try:
        print("ACCEPTED", Bundle(Path(words[0]), trusted).check(), "" if trusted else "(no signature was checked)")
        return 0
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a bundle, it is refused
        print(f"REFUSED {type(error).__name__}: {error}")
        return 1

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
