"""`prfpipe doctrine --archive`: of every lever a bundle, and each whole; what is missing is named."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prfpipe import doctrine, layout
from prfpipe.attest import MAX_STATEMENT_BYTES, read_statement
from prfpipe.models import Effort
from prfpipe.plan import make_rule
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.store_servers import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_s3
from tests.support import bundles, records
from tests.support.doctrine_command import Answer, prfpipe
from tests.support.gate_folders import write_gates

ALL = [invariant.id for invariant in doctrine.INVARIANTS]
ABOUT_BUNDLES = ", ".join(ALL[1:])
LEVERS = [lever.id for lever in doctrine.LEVERS]
DAY, LATER = "20261120", "20261121"


def run_of(lever: str, day: str = DAY) -> str:
    return f"{day}T081500Z-{lever.lower()}-00000001"


def parts_of(lever: str, run_id: str) -> bundles.Parts:
    """A standard evaluation of a lever."""
    spec = records.lever(bundles.SPEEDUPS, guards=(), id=lever)
    rule = make_rule(spec, Effort.STANDARD)
    return bundles.Parts.of(bundles.plan(lever=spec, run_id=run_id, effort=Effort.STANDARD, rule=rule))


def rejected(parts: bundles.Parts) -> bundles.Parts:
    """The same with a wrong edge case."""
    prove, verify = parts.proofs
    wrong = records.case(passed=False, detail="7 is not 8")
    return replace(parts, proofs=(prove.model_copy(update={"edge_cases": (wrong,)}), verify))


def keep(store: str, scratch: Path, parts: bundles.Parts) -> None:
    """Build a bundle and archive it."""
    folder, plan = bundles.build(scratch, parts), parts.plan
    manifest = read_statement((folder / layout.STATEMENT).read_bytes()).files
    archive(open_store(store), folder, plan.lever.id, plan.run_id, manifest)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of five standard bundles."""
    store, scratch = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("runs")
    for lever in LEVERS:
        keep(str(store), scratch, parts_of(lever, run_of(lever)))
    return store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with all gates, and a folder for what is temporary."""
    monkeypatch.chdir(tmp_path)
    write_gates(tmp_path / "gates")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.fixture
def store(five: Path, home: Path) -> Path:
    """A copy of the five, to be changed."""
    return Path(shutil.copytree(five, home / "evidence"))


def checked(store: object) -> Answer:
    return prfpipe("doctrine", "--archive", str(store), "--json")


def of(store: Path, lever: str, name: str = "", day: str = DAY) -> Path:
    return store / "evidence" / "v1" / lever.lower() / run_of(lever, day) / name


def test_an_archive_of_five_standard_bundles_is_compliant(five: Path) -> None:
    answer = checked(five)
    assert (answer.code, answer.codes, answer.failing) == (0, ["PRF-001"], set())
    assert [item["id"] for item in answer.document["invariants"]] == ALL
    assert [item["lever"] for item in answer.document["bundles"]] == LEVERS
    assert {item["verdict"] for item in answer.document["bundles"]} == {"adopt"}


def test_progress_is_told_on_stderr_and_nothing_is_left_behind(five: Path, home: Path) -> None:
    answer = checked(five)
    assert "doctrine: LEV-01" in answer.err
    assert list((home / "tmp").iterdir()) == []


# ---- an artifact is missing -----------------------------------------------------------------------------


@pytest.mark.parametrize(("lever", "artifact"), list(zip(LEVERS, layout.REQUIRED, strict=True)))
def test_with_one_artifact_removed_it_is_named_and_the_answer_is_1(store: Path, lever: str, artifact: str) -> None:
    shutil.rmtree(next(of(store, lever).glob(f"{artifact.lower()}-*")))
    answer = checked(store)
    assert (answer.code, answer.codes) == (1, ["PRF-002"])
    [event] = answer.document["events"]
    assert (event["lever"], event["run_id"]) == (lever, run_of(lever))
    assert event["message"].startswith(f"Missing required performance artifact: {artifact}: {artifact.lower()}-")
    assert set(layout.REQUIRED[artifact]) <= set(answer.lacks[artifact].split(", "))
    assert answer.failing == set(ALL[1:])


def test_one_file_of_an_artifact_is_named_by_its_name(store: Path) -> None:
    of(store, "LEV-02", layout.TAIL).unlink()
    answer = checked(store)
    assert (answer.code, answer.lacks) == (1, {"ART-05": layout.TAIL})
    assert f"PRF-002 error: {run_of('LEV-02')}: Missing" in prfpipe("doctrine", "--archive", str(store)).out


def test_two_bundles_that_lack_something_are_both_named(store: Path) -> None:
    of(store, "LEV-01", layout.TAIL).unlink()
    of(store, "LEV-05", layout.PLAN).unlink()
    answer = checked(store)
    assert [(event["lever"], event["figures"]["clause"]) for event in answer.document["events"]] == [
        ("LEV-01", "ART-05"),
        ("LEV-05", "bundle"),
    ]


def changed(data: bytes) -> bytes:
    return data.replace(b"adopt", b"adapt")


def emptied(data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("change", [changed, emptied])
@pytest.mark.parametrize("name", [layout.VERDICT, layout.COMPARISON])
def test_a_file_that_was_changed_in_the_store_shows_nothing(
    store: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    path = of(store, "LEV-04", name)
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))
    answer = checked(store)
    assert (answer.code, answer.codes, answer.failing) == (1, ["PRF-002"], set(ALL[1:]))
    assert name in answer.lacks["bundle"]
    assert answer.document["bundles"][3] == {
        "lever": "LEV-04",
        "run_id": run_of("LEV-04"),
        "verdict": None,
        "claim": None,
    }


@pytest.mark.parametrize("data", [b"{}", b"", b"no JSON", b"[" * 100_000, bytes(MAX_STATEMENT_BYTES + 1)], ids=len)
def test_a_broken_statement_is_named_and_not_passed_over_for_an_older_bundle(
    store: Path, home: Path, data: bytes
) -> None:
    keep(str(store), home / "runs", parts_of("LEV-01", run_of("LEV-01", LATER)))
    path = of(store, "LEV-01", layout.STATEMENT, LATER)
    path.chmod(0o644)
    path.write_bytes(data)
    answer = checked(store)
    [event] = answer.document["events"]
    assert (answer.code, event["run_id"]) == (1, run_of("LEV-01", LATER))
    assert layout.STATEMENT in event["message"]


# ---- a lever is missing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lever", ["LEV-01", "LEV-05"])
def test_a_lever_without_a_bundle_is_named(store: Path, lever: str) -> None:
    shutil.rmtree(of(store, lever).parent)
    answer = checked(store)
    [event] = answer.document["events"]
    assert (answer.code, event["code"], event["lever"], event.get("run_id")) == (1, "PRF-002", lever, None)
    assert event["figures"]["invariants"] == ABOUT_BUNDLES
    assert answer.lacks[lever].startswith("no bundle of ")


def test_a_bundle_without_its_statement_is_none(store: Path) -> None:
    of(store, "LEV-03", layout.STATEMENT).unlink()
    assert checked(store).lacks.keys() == {"LEV-03"}


def test_an_empty_archive_lacks_every_lever(home: Path) -> None:
    answer = checked(home / "nothing")
    assert (answer.code, list(answer.lacks)) == (1, LEVERS)
    assert answer.codes == ["PRF-002"] * 5


def test_levers_that_are_not_the_doctrines_are_said_and_not_looked_into(store: Path, home: Path) -> None:
    keep(str(store), home / "runs", rejected(parts_of("LEV-99", run_of("LEV-99"))))
    answer = checked(store)
    assert answer.code == 0
    assert answer.document["notes"] == [
        "also in the archive, no levers of the doctrine and not looked into: LEV-99"
    ]  # fmt: skip


# ---- which bundle of a lever ----------------------------------------------------------------------------


def seen(answer: Answer, lever: str) -> tuple[str, str]:
    [found] = [item for item in answer.document["bundles"] if item["lever"] == lever]
    return found["run_id"], found["verdict"]


def test_the_newest_adopted_bundle_stands_for_its_lever(store: Path, home: Path) -> None:
    keep(str(store), home / "runs", rejected(parts_of("LEV-01", run_of("LEV-01", LATER))))
    keep(str(store), home / "runs", parts_of("LEV-02", run_of("LEV-02", LATER)))
    answer = checked(store)
    assert seen(answer, "LEV-01") == (run_of("LEV-01"), "adopt")
    assert seen(answer, "LEV-02") == (run_of("LEV-02", LATER), "adopt")
    assert answer.code == 0


def test_without_an_adopted_one_the_newest_bundle_does_and_is_held_to_the_same(store: Path, home: Path) -> None:
    shutil.rmtree(of(store, "LEV-01"))
    for day in (DAY, LATER):
        keep(str(store), home / "runs", rejected(parts_of("LEV-01", run_of("LEV-01", day))))
    answer = checked(store)
    assert seen(answer, "LEV-01") == (run_of("LEV-01", LATER), "reject")
    assert (answer.code, answer.failing) == (1, {"INV-PRF-COMPAT"})
    assert answer.lacks == {"ART-04": "stage prove shows no correctness"}


# ---- the gates, and stores that fail --------------------------------------------------------------------


def test_an_archive_of_a_project_without_gates_is_not_compliant(five: Path, home: Path) -> None:
    shutil.rmtree(home / "gates")
    answer = checked(five)
    assert (answer.code, answer.failing) == (1, {"INV-PRF-PRINCIPLES"})
    assert list(answer.lacks) == [principle.id for principle in doctrine.PRINCIPLES]


def test_a_store_that_cannot_be_read_is_exit_4(home: Path) -> None:
    (home / "file").write_text("")
    answer = checked(home / "file")
    assert (answer.code, answer.out) == (4, "")


def test_a_url_that_names_no_store_is_exit_2() -> None:
    assert checked("ftp://host/evidence").code == 2


def test_an_archive_in_s3_is_checked_in_the_same_way(
    five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    served = tmp_path / "served"
    shutil.copytree(five, served / BUCKET)
    with rclone_s3(served) as endpoint:
        url = f"s3://{BUCKET}/?endpoint={endpoint}"
        assert (checked(url).code, checked(url).codes) == (0, ["PRF-001"])
        of(served / BUCKET, "LEV-03", layout.DIFFERENCE_SVG).unlink()
        answer = checked(url)
    assert (answer.code, answer.lacks) == (1, {"ART-02": layout.DIFFERENCE_SVG})
    assert checked(url).code == 4
