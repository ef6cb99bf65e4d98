"""A run and its signatures: the plan is signed first, the same key seals, and no run is lost over a key."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.attest import read_statement
from prfpipe.attest.chain import read_links
from prfpipe.attest.envelope import open_envelope
from prfpipe.attest.keys import Keys
from prfpipe.attest.plan_seal import plan_predicate, read_plan_seal
from prfpipe.attest.trust import Trust, judge
from prfpipe.bundle import RunFolder
from prfpipe.digests import sha256_hex
from prfpipe.errors import ResumeError, SigningKeyError, TamperError
from prfpipe.lever import Lever, load_lever
from prfpipe.loop import Options, Run
from prfpipe.models import Effort
from prfpipe.progress import Silent
from prfpipe.settings import Settings
from prfpipe.subject.variants import subject_environment
from tests.support import bundles
from tests.support.levers import write_lever

NOW = "2026-11-23T09:00:00.000Z"
OTHER_RUN = "20261123T091500Z-lev-01-00000002"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        store=str(tmp_path / "store"),
        runs=tmp_path / "runs",
        lock=tmp_path / "lock",
        key_folder=tmp_path / "keys",
        chains=tmp_path / "chains",
    )


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.key_folder)


@pytest.fixture
def lever(tmp_path: Path) -> Lever:
    return load_lever(write_lever(tmp_path / "lever", id="LEV-01"))


def recorded(settings: Settings, run_id: str = bundles.RUN_ID) -> Path:
    """A run of which only archiving is left."""
    parts = bundles.Parts.of(bundles.plan(run_id=run_id))
    with RunFolder.create(settings.runs, run_id) as folder:
        bundles.record(folder, parts, Keys(settings.key_folder).signing_key())
        return folder.path


def archived(lever: Lever, settings: Settings, run_id: str = bundles.RUN_ID) -> bytes:
    """The statement with which the run was archived."""
    with Run.resume(lever, run_id, settings, Silent()) as run:
        bundle = run.archive(settings.store).removeprefix("file://")
    return Path(bundle, layout.STATEMENT).read_bytes()


def places(settings: Settings) -> list[tuple[int, str]]:
    [path] = settings.chains.iterdir()
    return [(link.sequence, link.run_id) for link in read_links(path.read_bytes(), path.name)]


# ---- the plan -------------------------------------------------------------------------------------------


def test_the_plan_is_signed_before_anything_is_measured(lever: Lever, settings: Settings, keys: Keys) -> None:
    options = Options(Effort.QUICK, ("prfpipe",), accept_noise=True)
    with Run.start(lever, options, settings, Silent()) as run:
        data = run.context.folder.read(layout.PLAN_SEAL)
        plan = run.context.folder.read(layout.PLAN)
    seal = read_plan_seal(data)
    assert (seal.plan_sha256, seal.predicate) == (sha256_hex(plan), plan_predicate(run.context.plan))
    assert seal.predicate.seed == run.context.plan.seed
    assert judge(open_envelope(data, "it"), Trust.in_keys(keys.signing_key().public)).state == "trusted"
    steps = [json.loads(line) for line in (settings.runs / run.run_id / layout.RUNLOG).read_bytes().splitlines()]
    assert steps[-1]["files"].keys() == {layout.PLAN, layout.PLAN_SEAL}


def test_without_a_usable_key_no_run_begins(lever: Lever, settings: Settings, keys: Keys) -> None:
    keys.signing_key()
    (settings.key_folder / "signing.pem").chmod(0o644)
    with pytest.raises(SigningKeyError, match="open to other users"):
        Run.start(lever, Options(Effort.QUICK, ("prfpipe",), accept_noise=True), settings, Silent())
    assert not settings.runs.exists()


def test_a_plan_without_its_seal_is_not_gone_on_with(lever: Lever, settings: Settings) -> None:
    (recorded(settings) / layout.PLAN_SEAL).unlink()
    with pytest.raises(TamperError, match=r"plan\.dsse\.json is missing"):
        Run.resume(lever, bundles.RUN_ID, settings, Silent())


SEALS: dict[str, Callable[[bytes], bytes]] = {
    "about another file": lambda payload: payload.replace(b'"name":"plan.json"', b'"name":"verdict.json"'),
    "of another kind": lambda payload: payload.replace(b"urn:prfpipe:plan:v1", b"urn:prfpipe:plan:v2"),
    "with an unknown key": lambda payload: payload.replace(b'"lever":', b'"extra":1,"lever":'),
    "with a weaker hash": lambda payload: payload.replace(b'"sha256"', b'"sha1"'),
    "without its seed": lambda payload: payload.replace(b'"seed":20261123', b'"seed":null'),
}


@pytest.mark.parametrize("edit", SEALS.values(), ids=SEALS.keys())
def test_a_seal_is_refused_that_is(edit: Callable[[bytes], bytes]) -> None:
    plan = bundles.plan()
    payload = open_envelope(bundles.plan_seal(layout.plan_files(plan)), "it").payload
    assert read_plan_seal(bundles.KEY.seal(payload)).keyid == bundles.KEY.keyid
    assert edit(payload) != payload
    with pytest.raises(TamperError, match=r"^plan\.dsse\.json: "):
        read_plan_seal(bundles.KEY.seal(edit(payload)))


# ---- the seal -------------------------------------------------------------------------------------------


def test_the_key_of_the_plan_seals_the_bundle(lever: Lever, settings: Settings, keys: Keys) -> None:
    run = recorded(settings)
    data = archived(lever, settings)
    assert judge(open_envelope(data, "it"), Trust.in_keys(keys.signing_key().public)).state == "trusted"
    found = read_statement(data)
    assert found.keyid == read_plan_seal((run / layout.PLAN_SEAL).read_bytes()).keyid
    assert found.predicate.plan_seal_sha256 == sha256_hex((run / layout.PLAN_SEAL).read_bytes())
    assert (found.predicate.sequence, found.predicate.previous) == (1, None)


def test_the_next_run_of_a_lever_names_the_statement_before_it(lever: Lever, settings: Settings) -> None:
    recorded(settings)
    recorded(settings, OTHER_RUN)
    first, second = archived(lever, settings), archived(lever, settings, OTHER_RUN)
    told = read_statement(second).predicate
    assert (told.sequence, told.previous) == (2, sha256_hex(first))


def test_a_run_that_dies_between_its_place_and_its_statement_takes_the_same_place(
    lever: Lever, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(settings)
    recorded(settings, OTHER_RUN)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "seal", killed)
        with pytest.raises(KeyboardInterrupt):
            archived(lever, settings)
    assert places(settings) == [(1, bundles.RUN_ID)]
    second = archived(lever, settings, OTHER_RUN)
    first = archived(lever, settings)
    assert read_statement(first).predicate.sequence == 1
    assert read_statement(second).predicate.previous == sha256_hex(first)
    assert places(settings) == [(1, bundles.RUN_ID), (2, OTHER_RUN)]


# ---- keys that change or go away ------------------------------------------------------------------------


def test_a_run_that_was_planned_before_a_rotation_is_sealed_with_the_key_of_its_plan(
    lever: Lever, settings: Settings, keys: Keys
) -> None:
    recorded(settings)
    old, _ = keys.rotate(NOW)
    assert read_statement(archived(lever, settings)).keyid == old.keyid


def test_a_chain_goes_on_under_the_new_key_and_has_no_fork(lever: Lever, settings: Settings, keys: Keys) -> None:
    recorded(settings)
    old, new = keys.rotate(NOW)
    recorded(settings, OTHER_RUN)
    second = archived(lever, settings, OTHER_RUN)
    first = archived(lever, settings)
    assert [read_statement(data).keyid for data in (second, first)] == [new.keyid, old.keyid]
    assert read_statement(first).predicate.previous == sha256_hex(second)
    assert places(settings) == [(1, OTHER_RUN), (2, bundles.RUN_ID)]


def lost(path: Path) -> None:
    path.rename(path.with_name("kept.pem"))


def given_back(path: Path) -> None:
    path.with_name("kept.pem").rename(path)


HARM: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], str]] = {
    "is lost": (lost, given_back, "is not in"),
    "is open to others": (lambda path: path.chmod(0o644), lambda path: path.chmod(0o600), "open to other users"),
}


@pytest.mark.parametrize(("harm", "mend", "what"), HARM.values(), ids=HARM.keys())
def test_a_run_waits_for_its_key_when_it(
    lever: Lever, settings: Settings, harm: Callable[[Path], object], mend: Callable[[Path], object], what: str
) -> None:
    run = recorded(settings)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    harm(settings.key_folder / "signing.pem")
    with pytest.raises(SigningKeyError, match=what) as caught:
        Run.resume(lever, bundles.RUN_ID, settings, Silent())
    assert caught.value.hint
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    mend(settings.key_folder / "signing.pem")
    assert archived(lever, settings)


@pytest.mark.parametrize(("harm", "mend", "what"), HARM.values(), ids=HARM.keys())
def test_a_run_can_be_gone_on_with_when_at_its_end_the_key(
    lever: Lever, settings: Settings, harm: Callable[[Path], object], mend: Callable[[Path], object], what: str
) -> None:
    run = recorded(settings)

    def archive_without() -> None:
        with Run.resume(lever, run.name, settings, Silent()) as open_run:
            harm(settings.key_folder / "signing.pem")
            open_run.archive(settings.store)

    with pytest.raises(SigningKeyError, match=what) as caught:
        archive_without()
    assert caught.value.__notes__ == [f"to go on with this run: prfpipe evaluate {lever.root} --resume {run.name}"]
    assert not (run / layout.STATEMENT).exists()
    assert not settings.chains.exists()
    mend(settings.key_folder / "signing.pem")
    assert read_statement(archived(lever, settings)).predicate.sequence == 1


def test_a_sealed_run_needs_no_key_any_more(lever: Lever, settings: Settings) -> None:
    recorded(settings)
    first = archived(lever, settings)
    (settings.key_folder / "signing.pem").unlink()
    assert archived(lever, settings) == first


def test_a_run_that_is_not_there_makes_no_key(lever: Lever, settings: Settings) -> None:
    with pytest.raises(ResumeError):
        Run.resume(lever, bundles.RUN_ID, settings, Silent())
    assert not settings.key_folder.exists()


# ---- secrets --------------------------------------------------------------------------------------------


def test_no_file_of_a_bundle_holds_the_private_key_or_says_where_it_is(
    lever: Lever, settings: Settings, keys: Keys
) -> None:
    key = keys.signing_key()
    recorded(settings)
    archived(lever, settings)
    body = key.pem().splitlines()[1]
    raw = base64.b64decode(body)[-32:]
    secrets = (body, raw, raw.hex().encode(), base64.b64encode(raw), str(settings.key_folder).encode())
    files = [path for root in (settings.runs, settings.chains, Path(settings.store)) for path in root.rglob("*")]
    contents = [path.read_bytes() for path in files if path.is_file()]
    contents += [gzip.decompress(data) for data in contents if data[:2] == b"\x1f\x8b"]
    assert len(contents) > 50
    assert not [secret for secret in secrets for data in contents if secret in data]


def test_a_subject_is_not_told_where_keys_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRFPIPE_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = subject_environment(tmp_path / "work")
    assert found["HOME"] == str(tmp_path / "work")
    assert not {"PRFPIPE_KEY_FOLDER", "XDG_CONFIG_HOME"} & found.keys()
