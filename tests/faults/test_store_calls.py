"""A store that fails at any of its calls: archiving and fetching end well, or with an error, and never in between."""

from itertools import islice
from pathlib import Path

import pytest

from prfpipe.bundle import read_tree
from prfpipe.errors import StoreError
from prfpipe.store import Store, open_store
from prfpipe.store.evidence import list_bundles
from tests.support import bundles
from tests.support.fault_calls import bring, send, suffer_calls, tries_of
from tests.support.fault_store import FITTING, Fault, FaultyStore, always, seeded
from tests.unit.store import test_store_conformance as conformance
from tests.unit.store.conftest import Kept

globals().update({name: test for name, test in vars(conformance).items() if name.startswith("test_")})
"""The stores' conformance suite, which a faulty store passes as long as nothing fails."""

EVERY, SEEDS = 29, 6


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


def test_one_fault_at_one_call_never_costs_a_bundle(bundle: Path, tmp_path: Path) -> None:
    for number, (at, fault) in enumerate(islice(tries_of(bundle, tmp_path), 0, None, EVERY)):
        store = FaultyStore(open_store(str(tmp_path / str(number))))
        assert suffer_calls(store, bundle, at=at, fault=fault) == "", (at, fault)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_many_faults_in_one_go_never_cost_a_bundle(bundle: Path, tmp_path: Path, seed: int) -> None:
    store = FaultyStore(open_store(str(tmp_path / "store")), seeded(seed, 0.02))
    assert suffer_calls(store, bundle) == ""


@pytest.mark.parametrize("fault", FITTING["put"])
def test_a_store_that_fails_at_every_upload_never_shows_a_bundle_that_is_not_whole(
    bundle: Path, tmp_path: Path, fault: Fault
) -> None:
    store = FaultyStore(open_store(str(tmp_path / "store")), always("put", fault))
    assert suffer_calls(store, bundle) == ""


def test_a_page_that_is_missing_from_a_listing_harms_no_bundle(bundle: Path, tmp_path: Path) -> None:
    inner = open_store(str(tmp_path / "store"))
    send(inner, bundle)
    store = FaultyStore(inner, always("list", Fault.PAGE_MISSING))
    assert [ref.run_id for ref in list_bundles(store)] in ([], [bundles.RUN_ID])
    assert bring(store) == read_tree(bundle)
    assert set(store.injected) == {Fault.PAGE_MISSING}


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.HANG, Fault.EXPIRED, Fault.PAGE_BROKEN])
def test_a_listing_that_breaks_is_an_error_and_not_a_shorter_list(bundle: Path, tmp_path: Path, fault: Fault) -> None:
    inner = open_store(str(tmp_path / "store"))
    send(inner, bundle)
    with pytest.raises(StoreError):
        list(list_bundles(FaultyStore(inner, always("list", fault))))
