"""Any sequence of calls to a store, with any faults, agrees with a dictionary."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex
from prfpipe.errors import AlreadyExistsError, IntegrityError, NotFoundError, StoreError
from prfpipe.store import open_store
from prfpipe.store.evidence import list_bundles
from tests.support import bundles
from tests.support.fault_calls import bring, send
from tests.support.fault_store import FITTING, Fault, FaultyStore, nothing

KEYS = st.sampled_from(["a", "b/c", "b/d", "b-d", "b/e/f"])
CONTENTS = st.sampled_from([b"", b"x", b"data", b"data!", b"\0" * 1000])
_HALF = {Fault.PARTIAL, Fault.PARTIAL_TAKEN}
_RIVAL = {Fault.DAMAGED, Fault.RIVAL_OTHER}
_BROKEN = {Fault.BEFORE, Fault.HANG, Fault.EXPIRED}


def faults(method: str) -> st.SearchStrategy[Fault | None]:
    """Mostly none, else any that fits."""
    return st.one_of(st.none(), st.none(), st.sampled_from(FITTING[method]))


class StoreMachine(RuleBasedStateMachine):
    """`objects` is what must be in the store, whatever its answers were."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = FaultyStore(open_store(self.folder.name + "/store"))
        self.objects: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    def plan(self, fault: Fault | None) -> None:
        self.store.plan = lambda _number, _method, _key: fault

    @rule(key=KEYS, data=CONTENTS, fault=faults("put"))
    def put(self, key: str, data: bytes, fault: Fault | None) -> None:
        before = self.objects.get(key)
        planted = _planted(data, fault)
        self.plan(fault)
        try:
            self.store.put(key, data, sha256_hex(data))
        except AlreadyExistsError:
            assert before not in {None, data} or planted not in {None, data} or planted not in {None, before}
        except StoreError:
            assert fault in _BROKEN | {Fault.ANSWER_LOST, Fault.PARTIAL}
        if fault not in _BROKEN and before is None:
            self.objects[key] = data if planted is None else planted
        if fault is Fault.VANISHED and self.objects.get(key) == data:
            del self.objects[key]

    @rule(key=KEYS, fault=faults("get"))
    def get(self, key: str, fault: Fault | None) -> None:
        expected = self.objects.get(key)
        self.plan(fault)
        try:
            found = self.store.get(key, sha256_hex(expected) if expected is not None else None)
        except NotFoundError:
            assert expected is None or fault is Fault.NOT_FOUND
        except IntegrityError:
            assert fault in {Fault.FLIPPED, Fault.SHORT}
        except StoreError:
            assert fault in _BROKEN
        else:
            assert found == expected

    @rule(key=KEYS, fault=faults("download"))
    def download(self, key: str, fault: Fault | None) -> None:
        expected = self.objects.get(key, b"never")
        to = Path(self.folder.name, "copy")
        self.plan(fault)
        try:
            self.store.download(key, to, sha256_hex(expected), len(expected))
        except StoreError:
            assert fault or key not in self.objects
            assert not to.exists()
        else:
            assert to.read_bytes() == expected
            to.unlink()

    @rule(key=KEYS, fault=faults("delete"))
    def delete(self, key: str, fault: Fault | None) -> None:
        self.plan(fault)
        try:
            self.store.delete(key)
        except StoreError:
            assert fault
        if fault not in _BROKEN:
            self.objects.pop(key, None)

    @rule(key=KEYS)
    def exists(self, key: str) -> None:
        self.store.plan = nothing
        assert self.store.exists(key) == (key in self.objects)

    @rule(folder=st.sampled_from(["", "b", "b/e", "nowhere"]))
    def list_folder(self, folder: str) -> None:
        self.store.plan = nothing
        inside = sorted(key for key in self.objects if key.startswith(folder + "/" * bool(folder)))
        assert [(info.key, info.size) for info in self.store.list(folder)] == [
            (key, len(self.objects[key])) for key in inside
        ]

    @invariant()
    def the_store_holds_what_it_must_and_nothing_else(self) -> None:
        assert {info.key: self.store.inner.get(info.key) for info in self.store.inner.list()} == self.objects


def _planted(data: bytes, fault: Fault | None) -> bytes | None:
    """What is in the store before, or instead of, `data`; None if nothing is."""
    if fault in _HALF:
        return data[: len(data) // 2] + b"\0" * (len(data) < 2)
    return data + b"!" if fault in _RIVAL else None


class ArchiveMachine(RuleBasedStateMachine):
    """Archiving and fetching, with faults in between: what shows as a bundle comes back as it went."""

    bundle: Path
    whole: dict[str, bytes]

    @initialize()
    def empty(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = FaultyStore(open_store(self.folder.name + "/store"))

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(at=st.integers(1, 45), fault=faults("put"))
    def archive(self, at: int, fault: Fault | None) -> None:
        first = len(self.store.calls)
        fits = {Fault.ANSWER_LOST, Fault.BEFORE, Fault.EXPIRED, Fault.HANG, Fault.RIVAL_SAME, None}
        wanted = fault if fault in fits else None
        self.store.plan = lambda number, method, _key: wanted if method == "put" and number == first + at else None
        try:
            send(self.store, self.bundle)
        except StoreError:
            assert wanted

    @rule(file=st.integers(0, 60))
    def lose_an_object(self, file: int) -> None:
        found = [info.key for info in self.store.inner.list()]
        if found:
            self.store.inner.delete(found[file % len(found)])

    @rule(at=st.integers(1, 45), fault=faults("download"))
    def fetch(self, at: int, fault: Fault | None) -> None:
        first = len(self.store.calls)
        self.store.plan = lambda number, method, _key: fault if method == "download" and number == first + at else None
        with suppress(StoreError):
            assert bring(self.store) == self.whole

    @rule()
    def complete(self) -> None:
        self.store.plan = nothing
        send(self.store, self.bundle)
        assert bring(self.store) == self.whole
        assert [ref.run_id for ref in list_bundles(self.store)] == [bundles.RUN_ID]


@pytest.mark.slow
def test_a_store_with_faults_agrees_with_a_dictionary() -> None:
    run_state_machine_as_test(StoreMachine, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))


@pytest.mark.slow
def test_archiving_and_fetching_with_faults_never_give_another_bundle(tmp_path: Path) -> None:
    ArchiveMachine.bundle = bundles.build(tmp_path, bundles.Parts.of(bundles.plan()))
    ArchiveMachine.whole = read_tree(ArchiveMachine.bundle)
    run_state_machine_as_test(ArchiveMachine, settings=settings(max_examples=4, stateful_step_count=8, deadline=None))
