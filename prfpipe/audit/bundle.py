"""The parts of a bundle, each parsed once and only when a check asks for it."""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from prfpipe import layout, verdict
from prfpipe.attest.envelope import Opened, open_envelope
from prfpipe.attest.plan_seal import PlanSeal, plan_seal_in
from prfpipe.attest.statement import Statement, statement_in
from prfpipe.attest.trust import SignatureCheck, Trust, judge
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import TamperError
from prfpipe.models import FileDigest, Plan, ProfileRecord, ProofRecord, SampleSet, TreeRecord, Verdict
from prfpipe.runlog import Step, read_steps
from prfpipe.samples import read_samples

NOBODY = Trust()
"""Trust in no key at all."""
MAX_PROBLEMS = 3
HINT = "Do not use this bundle as evidence; fetch it again and compare, or evaluate again."


class Noted(Exception):  # noqa: N818 - not an error: the check neither holds nor fails
    """What an audit says without refusing."""


def refuse(what: str) -> TamperError:
    """The error with which a check fails."""
    return TamperError(what, hint=HINT)


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - MAX_PROBLEMS} more" if len(names) > MAX_PROBLEMS else ""
    return ", ".join(names[:MAX_PROBLEMS]) + more


class Bundle:
    """A bundle's bytes by name, and whose signatures are believed.

    Every property raises `BundleError` for what it cannot read.
    """

    def __init__(self, files: Mapping[str, bytes], trust: Trust = NOBODY) -> None:
        self.files, self.trust = files, trust

    def file(self, name: str) -> bytes:
        """A file's bytes."""
        if name not in self.files:
            raise TamperError(f"{name} is missing", hint=HINT)
        return self.files[name]

    @cached_property
    def digests(self) -> dict[str, FileDigest]:
        """What is really there, without the statement."""
        return {
            name: FileDigest(sha256=sha256_hex(data), size=len(data))
            for name, data in self.files.items()
            if name != layout.STATEMENT
        }

    @cached_property
    def statement(self) -> Statement:
        """The statement."""
        return statement_in(self._envelope)

    @cached_property
    def signature(self) -> SignatureCheck:
        """What the statement's signature is worth."""
        return judge(self._envelope, self.trust)

    @cached_property
    def plan_seal(self) -> PlanSeal:
        """The plan's seal."""
        return plan_seal_in(self._plan_envelope)

    @cached_property
    def plan_signature(self) -> SignatureCheck:
        """What the signature of the plan's seal is worth."""
        return judge(self._plan_envelope, self.trust)

    @cached_property
    def _envelope(self) -> Opened:
        return open_envelope(self.file(layout.STATEMENT), layout.STATEMENT)

    @cached_property
    def _plan_envelope(self) -> Opened:
        return open_envelope(self.file(layout.PLAN_SEAL), layout.PLAN_SEAL)

    @cached_property
    def plan(self) -> Plan:
        """The plan."""
        return layout.read_plan(self.files)

    @property
    def made_by(self) -> str:
        """The version of prfpipe that made the bundle."""
        return self.plan.provenance.tools.get("prfpipe", "unknown")

    @property
    def made_by_this_version(self) -> bool:
        """Whether that is the version that audits: only then must rules and wording be the same."""
        try:
            return self.made_by == version("prfpipe")
        except PackageNotFoundError:
            return self.made_by == "not installed"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The journal."""
        return read_steps(self.file(layout.RUNLOG), self.plan.run_id)

    @cached_property
    def claimed_verdict(self) -> Verdict:
        """The verdict as the producer wrote it."""
        return layout.read_verdict(self.files)

    @cached_property
    def baseline_samples(self) -> SampleSet:
        """Samples of stage baseline."""
        return self._samples(Stage.BASELINE)

    @cached_property
    def comparison_samples(self) -> SampleSet:
        """Samples of stage re-profile."""
        return self._samples(Stage.REPROFILE)

    def samples(self, stage: Literal[Stage.BASELINE, Stage.REPROFILE]) -> SampleSet:
        """The samples of a stage."""
        return self.baseline_samples if stage is Stage.BASELINE else self.comparison_samples

    def _samples(self, stage: Stage) -> SampleSet:
        name = layout.SAMPLES[stage]
        return read_samples(self.file(name), name, stage)

    @cached_property
    def proofs(self) -> tuple[ProofRecord, ...]:
        """The proofs."""
        return layout.read_proofs(self.files)

    def proof(self, stage: Literal["prove", "verify"]) -> ProofRecord | None:
        """The proof of a stage."""
        return next((proof for proof in self.proofs if proof.stage == stage), None)

    @cached_property
    def profiles(self) -> tuple[ProfileRecord, ...]:
        """The profiles."""
        return layout.read_profiles(self.files)

    @cached_property
    def tree(self) -> TreeRecord:
        """The tree that was measured."""
        tree = layout.read_tree(self.files)
        if tree is None:
            raise TamperError(f"{layout.TREE} is missing", hint=HINT)
        return tree

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict that plan, samples, proofs, profiles and tree give."""
        return verdict.decide(self.plan, self.comparison_samples, self.proofs, self.profiles, self.tree)
