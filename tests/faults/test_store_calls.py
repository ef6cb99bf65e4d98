"""A store that fails at any of its calls: archiving and fetching end well, or with an error, and never in between."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from prfpipe.attest import manifest_of
from prfpipe.bundle import read_tree
from prfpipe.errors import AlreadyExistsError, PrfpipeError, StoreError, TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import FileDigest
from prfpipe.store import Store, open_store
from prfpipe.store.evidence import archive, fetch, list_bundles, resolve
from tests.support import bundles
from tests.support.fault_store import FITTING, Fault, FaultyStore, always, faults_of, once, seeded
from tests.unit.store import test_store_conformance as conformance
from tests.unit.store.conftest import Kept

globals().update({name: test for name, test in vars(conformance).items() if name.startswith("test_")})
"""The stores' conformance suite, which a faulty store passes as long as nothing fails."""

EVERY, SEEDS = 9, 12


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A faulty store without faults, for the conformance suite."""
    return Kept(FaultyStore(open_store(str(tmp_path / "store"))), tmp_path / "store")


@pytest.fixture
def store(kept: Kept) -> Store:
    return kept.store


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.build(tmp_path_factory.mktemp("runs"), bundles.Parts.of(bundles.plan()))


def manifest(bundle: Path) -> dict[str, FileDigest]:
    return manifest_of((bundle / STATEMENT).read_bytes(), bundles.RUN_ID)


def send(store: Store, bundle: Path) -> str:
    return archive(store, bundle, "LEV-01", bundles.RUN_ID, manifest(bundle))


def bring(store: Store, to: Path) -> dict[str, bytes]:
    found = fetch(store, resolve(store, bundles.RUN_ID), to, lambda data: manifest_of(data, bundles.RUN_ID))
    return read_tree(found)


def survived(store: FaultyStore, bundle: Path, folder: Path) -> str:
    """What is wrong after sending and bringing with faults; nothing if they were survived."""
    whole = read_tree(bundle)
    try:
        send(store, bundle)
        if bring(store, folder / "under fault") != whole:
            return "other bytes came back"
    except (StoreError, TamperError):
        pass
    plain = store.inner
    damaged = Fault.PARTIAL in store.injected or bool(_PLANTED & set(store.injected))
    try:
        send(plain, bundle)
        return "" if bring(plain, folder / "afterwards") == whole else "other bytes came back afterwards"
    except AlreadyExistsError:
        return "" if damaged else "says that other content is there"
    except PrfpipeError as error:
        return f"not completed: {error.message}"


_PLANTED = {Fault.PARTIAL_TAKEN, Fault.DAMAGED, Fault.RIVAL_OTHER}


def _tries(bundle: Path, folder: Path) -> Iterator[tuple[int, Fault]]:
    dry = FaultyStore(open_store(str(folder / "dry")))
    send(dry, bundle)
    bring(dry, folder / "dry copy")
    return faults_of(dry.calls)


def test_one_fault_at_one_call_never_costs_a_bundle(bundle: Path, tmp_path: Path) -> None:
    for number, (at, fault) in enumerate(islice(_tries(bundle, tmp_path), 0, None, EVERY)):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = FaultyStore(open_store(str(folder / "store")), once(at, fault))
        assert survived(store, bundle, folder) == "", (at, fault)
        assert store.injected == [fault]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_many_faults_in_one_go_never_cost_a_bundle(bundle: Path, tmp_path: Path, seed: int) -> None:
    store = FaultyStore(open_store(str(tmp_path / "store")), seeded(seed, 0.02))
    assert survived(store, bundle, tmp_path) == ""


@pytest.mark.parametrize("fault", FITTING["put"])
def test_a_store_that_fails_at_every_upload_never_shows_a_bundle_that_is_not_whole(
    bundle: Path, tmp_path: Path, fault: Fault
) -> None:
    store = FaultyStore(open_store(str(tmp_path / "store")), always("put", fault))
    assert survived(store, bundle, tmp_path) == ""


def test_a_page_that_is_missing_from_a_listing_hides_bundles_and_harms_none(bundle: Path, tmp_path: Path) -> None:
    inner = open_store(str(tmp_path / "store"))
    send(inner, bundle)
    store = FaultyStore(inner, always("list", Fault.PAGE_MISSING))
    assert list(list_bundles(store)) == [] or store.injected
    assert bring(store, tmp_path / "copy") == read_tree(bundle)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.HANG, Fault.EXPIRED, Fault.PAGE_BROKEN])
def test_a_listing_that_breaks_is_an_error_and_not_a_shorter_list(bundle: Path, tmp_path: Path, fault: Fault) -> None:
    inner = open_store(str(tmp_path / "store"))
    send(inner, bundle)
    with pytest.raises(StoreError):
        list(list_bundles(FaultyStore(inner, always("list", fault))))
