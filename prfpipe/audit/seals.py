"""What is as it was sealed, by whom: envelopes, signatures, files, and the plan's seal."""

from prfpipe import layout
from prfpipe.attest.plan_seal import plan_predicate
from prfpipe.attest.trust import SignatureCheck
from prfpipe.audit.bundle import Bundle, Noted, refuse, some


def statement(bundle: Bundle) -> str:
    """The envelope and the statement in it, each in its one form."""
    return f"lists {len(bundle.statement.files)} files"


def signature(bundle: Bundle) -> str:
    """Signed by a key that this verifier trusts; noted where the verifier trusts nobody."""
    return _believed(bundle.signature)


def _believed(check: SignatureCheck) -> str:
    if check.state == "refused":
        raise refuse(check.detail)
    if check.state == "untrusted":
        raise Noted(f"its origin is not shown: {check.detail}")
    return check.detail


def files(bundle: Bundle) -> str:
    """No file is missing, none was added."""
    listed, found = bundle.statement.files.keys(), bundle.digests.keys()
    if missing := sorted(listed - found):
        raise refuse(f"missing: {some(missing)}")
    if extra := sorted(found - listed):
        raise refuse(f"not listed: {some(extra)}")
    if lacking := sorted(set(layout.ALWAYS) - bundle.files.keys()):
        raise refuse(f"no bundle is without {some(lacking)}")
    return f"{len(found)} files, no more and no fewer"


def digests(bundle: Bundle) -> str:
    """No file was changed."""
    listed = bundle.statement.files
    if changed := [name for name, digest in bundle.digests.items() if listed[name] != digest]:
        raise refuse(f"changed: {some(changed)}")
    return f"{sum(digest.size for digest in listed.values())} bytes"


def plan_seal(bundle: Bundle) -> str:
    """The plan was signed as it is, by the key that signed the statement."""
    seal, data = bundle.plan_seal, bundle.digests[layout.PLAN]
    if seal.keyid != bundle.statement.keyid:
        raise refuse(f"the plan was signed by key {seal.keyid}, the statement by {bundle.statement.keyid}")
    if bundle.plan_signature.state == "refused":
        raise refuse(bundle.plan_signature.detail)
    if seal.plan_sha256 != data.sha256:
        raise refuse("another plan was signed: this one was changed afterwards")
    if seal.predicate != plan_predicate(bundle.plan):
        raise refuse("its seal says something else about the plan than the plan itself")
    return f"signed by key {seal.keyid[:12]} with order seed {bundle.plan.seed}"


def place(bundle: Bundle) -> str:
    """The statement's place among those of its lever and key. Whether the others are there, only an archive shows."""
    told = bundle.statement.predicate
    before = f"follows {told.previous[:12]}" if told.previous else "the first"
    return f"number {told.sequence} of its chain, {before}; gaps and forks show in an archive only"
