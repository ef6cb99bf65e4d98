"""What somebody can do who has a key and knows every format: change files, then make journal, seals, statement again.

Nothing here parses a record, so that also what no record can hold gets its journal and its signature.
"""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

from prfpipe import layout
from prfpipe.attest.signing import SigningKey
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.doctrine import Stage
from tests.support import bundles

Files = dict[str, bytes]
SAMPLES = layout.SAMPLES[Stage.REPROFILE]


def payload_of(data: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(data)["payload"]))


def with_envelope(files: Files, edit: Callable[[Any], Any], name: str = layout.STATEMENT) -> Files:
    """The envelope edited, its signature left alone."""
    return {**files, name: canonical_json(edit(json.loads(files[name])))}


def with_payload(files: Files, edit: Callable[[Any], Any], key: SigningKey = bundles.KEY) -> Files:
    """The statement edited and signed again."""
    return {**files, layout.STATEMENT: key.seal(canonical_json(edit(payload_of(files[layout.STATEMENT]))))}


def told(**changes: Any) -> Callable[[Any], Any]:
    """An edit of the predicate."""
    return lambda found: {**found, "predicate": {**found["predicate"], **changes}}


def stated(files: Files, key: SigningKey = bundles.KEY, **changes: Any) -> Files:
    """A statement over the files as they are now; `changes` replace fields of its predicate."""
    found = payload_of(files[layout.STATEMENT])
    kept = {name: files[name] for name in sorted(files) if name != layout.STATEMENT}
    digests = {name: sha256_hex(data) for name, data in kept.items()}
    fresh = {
        "plan_sha256": digests[layout.PLAN],
        "plan_seal_sha256": digests[layout.PLAN_SEAL],
        "samples": {
            name: {"sha256": digests[layout.SAMPLES[stage]], "count": found["predicate"]["samples"][name]["count"]}
            for name, stage in (("baseline", Stage.BASELINE), ("re-profile", Stage.REPROFILE))
        },
        "proof": {name: digest for name, digest in digests.items() if name.startswith("art-04-proof/")},
        "sizes": {name: len(data) for name, data in kept.items()},
    }
    subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()]
    whole = {**found, "subject": subject, "predicate": {**found["predicate"], **fresh, **changes}}
    return {**files, layout.STATEMENT: key.seal(canonical_json(whole))}


def _digest(data: bytes) -> dict[str, Any]:
    return {"sha256": sha256_hex(data), "size": len(data)}


def journaled(files: Files, edit: Callable[[Any], Any] = lambda step: step) -> Files:
    """A journal that claims the files as they are now; `edit` changes a step, or drops it with None."""
    previous, lines = sha256_hex(json.loads(files[layout.PLAN])["run_id"].encode()), list[bytes]()
    for line in files[layout.RUNLOG].splitlines():
        step = edit(json.loads(line))
        if step is None:
            continue
        claimed = {name: _digest(files[name]) for name in step["files"] if name in files}
        lines.append(canonical_json({**step, "seq": len(lines), "previous": previous, "files": claimed}))
        previous = sha256_hex(lines[-1])
    return {**files, layout.RUNLOG: b"".join(line + b"\n" for line in lines)}


def sealed(files: Files, key: SigningKey = bundles.KEY) -> Files:
    """The seal of the plan as it is now."""
    seal, plan = payload_of(files[layout.PLAN_SEAL]), json.loads(files[layout.PLAN])
    predicate = {
        **seal["predicate"],
        "seed": plan["seed"],
        "created_at": plan["provenance"]["created_at"],
    }
    subject = [{"name": layout.PLAN, "digest": {"sha256": sha256_hex(files[layout.PLAN])}}]
    data = key.seal(canonical_json({**seal, "subject": subject, "predicate": predicate}))
    return {**files, layout.PLAN_SEAL: data}


def anew(files: Files, key: SigningKey = bundles.KEY, **changes: Any) -> Files:
    """Plan sealed, journal and statement made again: all that a signer can do over other files."""
    return stated(journaled(sealed(files, key)), key, **changes)


def replaced(files: Files, name: str, old: bytes, new: bytes) -> Files:
    if old not in files[name]:
        raise ValueError(f"{name} has no {old!r}")
    return {**files, name: files[name].replace(old, new, 1)}


def flipped(files: Files, name: str) -> Files:
    """One bit of the byte in the middle."""
    data = files[name]
    middle = len(data) // 2
    return {**files, name: data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]}


def sampled(files: Files, edit: Callable[[list[bytes]], list[bytes]], name: str = SAMPLES) -> Files:
    """Other lines in the comparison's samples; the header stays."""
    header, *lines = gzip.decompress(files[name]).splitlines()
    return {**files, name: gzip.compress(b"".join(line + b"\n" for line in [header, *edit(lines)]), mtime=0)}
