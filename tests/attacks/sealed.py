"""What the tamper harness works on, and what it counts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from prfpipe.bundle import read_tree
from tests.attacks.mutations import Mutation
from tests.support import bundles
from tests.support.fault_audit import audited, refusals

OTHER_RUN = "20261123T081600Z-lev-01-aaaaaaaa"


def valid_bundles(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Two valid bundles of one lever, of different runs."""
    other = bundles.plan(run_id=OTHER_RUN, seed=7)
    return (
        read_tree(bundles.build(folder, bundles.Parts.of(bundles.plan()))),
        read_tree(bundles.build(folder, bundles.Parts.of(other))),
    )


@dataclass
class Tally:
    """Mutations tried, by family; checks that refused them, by name; what was accepted or refused without a name."""

    tried: Counter[str] = field(default_factory=Counter)
    refused_by: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)

    def take(self, found: Iterable[Mutation]) -> "Tally":
        """Audit each mutation."""
        for mutation in found:
            report = audited(mutation.files)
            names = refusals(report)
            self.tried[mutation.family] += 1
            if report.accepted or not names:
                self.accepted.append(f"{mutation.family}: {mutation.file}")
            else:
                self.refused_by[names[0]] += 1
        return self
