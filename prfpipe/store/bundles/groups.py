"""What lies in the folder of each run, committed or not, one run at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from prfpipe.errors import InputError
from prfpipe.layout import STATEMENT
from prfpipe.store.base import ObjectInfo, Store
from prfpipe.store.bundles.refs import ROOT, BundleRef, ref_of


@dataclass(frozen=True, slots=True)
class Stored:
    """The objects below a run's folder, by their names in the bundle."""

    ref: BundleRef
    objects: dict[str, ObjectInfo]

    @property
    def is_committed(self) -> bool:
        """Whether its statement is there."""
        return STATEMENT in self.objects

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(info.size for info in self.objects.values())


def stored_runs(store: Store, lever: str | None = None, start: str = "") -> Iterator[Stored]:
    """Every folder that is named like a run of its lever, lever by lever, oldest first.

    Args:
        store: where.
        lever: only this lever's, by its id in any case.
        start: only runs whose ids sort after this text.
    """
    for name in [lever.lower()] if lever else store.folders(ROOT):
        folder = f"{ROOT}/{name}"
        found = store.list(folder, after=f"{folder}/{start}" if start else "")
        for run_id, infos in groupby(found, key=lambda info: info.key.split("/")[3]):
            stored = _stored(store, name, run_id, infos)
            if stored and run_id > start:
                yield stored


def _stored(store: Store, lever: str, run_id: str, infos: Iterator[ObjectInfo]) -> Stored | None:
    try:
        ref = ref_of(store, run_id, lever)
    except InputError:
        return None
    folder = f"{ROOT}/{lever}/{run_id}/"
    return Stored(ref, {info.key.removeprefix(folder): info for info in infos})
