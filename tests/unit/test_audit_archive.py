"""An archive is accepted whole: every bundle, and chains without gap, fork or another end than was seen before."""

import shutil
from pathlib import Path

import pytest

from prfpipe.audit.archive import ArchiveAudit, Offered
from prfpipe.audit.chains import ChainBook, Head, Link
from prfpipe.compliance.seen import remember, seen_heads
from prfpipe.digests import sha256_hex
from prfpipe.errors import StoreUnavailableError
from prfpipe.layout import REPORT, STATEMENT
from prfpipe.store.evidence import ROOT
from tests.golden.bundles import corpus
from tests.support.bundles import KEY, TRUST
from tests.support.commands import Ended, prfpipe
from tests.unit.audit_at_scale import bundle, plant

KEYID = KEY.keyid


def link(number: int, *, keyid: str = KEYID, previous: str | None = "", name: str = "") -> Link:
    """Number `number` of a chain, which follows the one before it unless `previous` says otherwise."""
    before = (sha256_hex(f"{number - 1}".encode()) if number > 1 else None) if previous == "" else previous
    run_id = f"202611{number:02}T081500Z-lev-01-{name or '0' * 8}"
    return Link("LEV-01", keyid, run_id, number, before, sha256_hex(f"{name or number}".encode()))


def concluded(*links: Link, from_start: bool = True) -> list[str]:
    book = ChainBook(from_start=from_start)
    for item in links:
        book.add(item)
    return list(book.conclude().problems)


# ---- chains ---------------------------------------------------------------------------------------------


def test_a_whole_chain_in_any_order_has_no_problem() -> None:
    assert concluded(link(3), link(1), link(2)) == []


def test_a_gap_names_the_number_that_is_missing_and_the_run_after_it() -> None:
    [problem] = concluded(link(1), link(3))
    assert "number 2 is not in the archive" in problem
    assert link(3).run_id in problem


def test_a_chain_whose_beginning_is_gone_has_a_gap() -> None:
    assert len(concluded(link(2), link(3))) == 1


def test_a_chain_that_is_looked_at_from_a_day_on_may_begin_anywhere_but_has_no_gap_within() -> None:
    assert concluded(link(4), link(5), from_start=False) == []
    assert len(concluded(link(4), link(6), from_start=False)) == 1


def test_two_statements_in_one_place_are_a_fork() -> None:
    [problem] = concluded(link(1), link(2), link(2, name="bbbbbbbb"))
    assert "a fork" in problem
    assert "bbbbbbbb" in problem


def test_two_beginnings_of_one_key_are_a_fork() -> None:
    [problem] = concluded(link(1), link(1, name="bbbbbbbb"))
    assert "are all number 1" in problem


def test_a_statement_that_counts_wrong_is_named() -> None:
    [problem] = concluded(link(1), link(5, previous=link(1).sha256))
    assert "is number 5, but follows" in problem


def test_each_key_has_a_chain_of_its_own_and_several_that_begin_are_noted() -> None:
    book = ChainBook()
    for item in (link(1), link(1, keyid="a" * 64, name="aaaaaaaa")):
        book.add(item)
    found = book.conclude()
    assert found.problems == ()
    assert found.notes[0].startswith("LEV-01: 2 chains begin, by keys ")


def test_a_chain_that_goes_on_under_another_key_is_one_chain_and_noted() -> None:
    book = ChainBook()
    for item in (link(1), link(2, keyid="a" * 64)):
        book.add(item)
    found = book.conclude()
    assert found.problems == ()
    assert "goes on for" in found.notes[0]


def test_an_older_state_of_an_archive_shows_to_who_saw_the_newer_one() -> None:
    then = ChainBook()
    for item in (link(1), link(2)):
        then.add(item)
    now = ChainBook(then.conclude().heads)
    now.add(link(1))
    [problem] = now.conclude().problems
    assert "was there before and is not any more" in problem


def test_an_older_run_that_was_sealed_later_is_noted() -> None:
    book = ChainBook()
    late = Link("LEV-01", KEYID, "20261101T000000Z-lev-01-00000000", 2, link(1).sha256, "f" * 64)
    for item in (link(1), late):
        book.add(item)
    found = book.conclude()
    assert found.problems == ()
    assert "was sealed after it" in found.notes[0]


# ---- bundles --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    plant(folder, 11)
    return folder


@pytest.fixture
def archive(planted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted, tmp_path / "archive"))


def run_of(archive: Path, number: int) -> Path:
    """The bundle with this number; they are an hour apart, of five levers in turn."""
    return sorted(archive.rglob(STATEMENT), key=lambda path: path.parent.name)[number].parent


def audited(archive: Path, *options: str) -> Ended:
    return prfpipe("audit", "--archive", "--store", str(archive), "--trust", str(corpus.TRUSTED), *options)


def test_a_whole_archive_is_accepted_with_what_it_cost(archive: Path) -> None:
    ended = audited(archive, "--json")
    found = ended.document
    assert (ended.code, found["accepted"], found["bundles"]) == (0, True, 11)
    assert (found["verdicts"], found["signatures"]) == ({"adopt": 11}, {"trusted": 11})
    assert [(chain["lever"], chain["last"]) for chain in found["chains"]][:2] == [("LEV-01", 3), ("LEV-02", 2)]
    assert found["cost"].keys() == {"seconds", "bundles_per_second", "peak_rss_kib"}


def test_in_words_it_ends_with_the_result_and_what_it_cost(archive: Path) -> None:
    lines = audited(archive).out.splitlines()
    assert lines[-1] == "ACCEPTED: the archive"
    assert "bundles a second" in lines[-2]
    assert "MiB of memory" in lines[-2]


def test_one_changed_file_refuses_the_archive_and_names_the_run(archive: Path) -> None:
    run = run_of(archive, 4)
    (run / REPORT).write_bytes(b"other")
    ended = audited(archive)
    assert ended.code == 1
    assert f"REFUSED  {run.name}" in ended.out
    assert "10 accepted, 1 refused" in ended.out


@pytest.mark.parametrize("name", [REPORT, "plan.json", "art-01-baseline/samples.jsonl.gz"])
def test_a_file_that_the_store_lost_refuses_the_bundle_not_the_audit(archive: Path, name: str) -> None:
    run = run_of(archive, 2)
    (run / name).unlink()
    found = audited(archive, "--json").document
    assert [item["run_id"] for item in found["refused"]] == [run.name]


@pytest.mark.parametrize(
    "data", [b"1e999", b"[" * 100_000, b'{"payload": 1e999}'], ids=["no number", "nested", "no number inside"]
)
def test_a_statement_that_means_nothing_refuses_the_bundle_not_the_audit(archive: Path, data: bytes) -> None:
    run = run_of(archive, 2)
    (run / STATEMENT).write_bytes(data)
    found = audited(archive, "--json").document
    assert [item["run_id"] for item in found["refused"]] == [run.name]


def test_a_bundle_that_was_removed_from_the_middle_is_a_gap(archive: Path) -> None:
    shutil.rmtree(run_of(archive, 5))
    ended = audited(archive)
    assert ended.code == 1
    assert "number 2 is not in the archive" in ended.out


def test_a_bundle_that_was_removed_from_the_end_shows_to_who_saw_it(archive: Path, tmp_path: Path) -> None:
    seen = str(tmp_path / "seen.json")
    assert audited(archive, "--seen", seen).code == 0
    shutil.rmtree(run_of(archive, 10))
    assert audited(archive).code == 0
    ended = audited(archive, "--seen", seen)
    assert ended.code == 1
    assert "was there before and is not any more" in ended.out


def test_an_audit_of_a_part_takes_back_nothing_of_what_was_seen(tmp_path: Path) -> None:
    """The last of the chain may be of an older run, which an audit of later runs does not look at."""
    seen = tmp_path / "seen.json"
    last, before = (Head.model_validate(dict(zip(HEAD, found, strict=True))) for found in ENDS)
    remember(seen, [last])
    remember(seen, [before])
    assert seen_heads(seen) == (last,)


HEAD = ("lever", "keyid", "sequence", "run_id", "statement_sha256")
ENDS = [
    ("LEV-01", "a" * 64, 10, "20261101T000000Z-lev-01-00000000", "b" * 64),
    ("LEV-01", "a" * 64, 9, "20261109T000000Z-lev-01-00000000", "c" * 64),
]


def test_what_was_seen_is_kept_up_only_by_an_archive_that_is_accepted(archive: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    (run_of(archive, 0) / REPORT).write_bytes(b"other")
    assert audited(archive, "--seen", str(seen)).code == 1
    assert not seen.exists()


def test_an_older_bundle_under_a_newer_runs_name_is_refused(archive: Path) -> None:
    old, new = run_of(archive, 0), run_of(archive, 10)
    shutil.rmtree(new)
    shutil.copytree(old, new)
    found = audited(archive, "--json").document
    assert [item["run_id"] for item in found["refused"]] == [new.name]
    assert "it is the statement of run" in found["refused"][0]["problem"]


def test_a_bundle_by_another_key_is_refused_and_forks_nothing(archive: Path) -> None:
    foreign = corpus.golden("signed-by-an-untrusted-key")
    corpus.write(foreign.files, archive / ROOT / "lev-01" / "20261123T081500Z-lev-01-3f9c2a7b")
    found = audited(archive, "--json").document
    assert [item["run_id"] for item in found["refused"]] == ["20261123T081500Z-lev-01-3f9c2a7b"]
    assert found["problems"] == []
    assert found["signatures"] == {"refused": 1, "trusted": 11}


def test_lever_and_day_choose_what_is_looked_at(archive: Path) -> None:
    assert audited(archive, "--json", "--lever", "LEV-01").document["bundles"] == 3
    later = audited(archive, "--json", "--since", "2026-01-02").document
    assert (later["accepted"], later["bundles"]) == (True, 0)


@pytest.mark.parametrize("words", [(), ("--lever", "LEV-99")])
def test_where_there_is_no_bundle_nothing_is_accepted(archive: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A folder or a lever that is spelled wrong has none."""
    ended = audited(archive if words else tmp_path, *words)
    assert ended.code == 4
    assert "holds no bundle" in ended.err
    assert "ACCEPTED" not in ended.out


def test_a_seen_file_without_a_name_is_bad_input(archive: Path) -> None:
    assert audited(archive, "--seen", "").code == 2


@pytest.mark.parametrize(
    "words",
    [("audit",), ("audit", "--archive", "x"), ("audit", "x", "--lever", "LEV-01"), ("audit", "x", "--seen", "f")],
)
def test_a_bundle_or_an_archive_is_bad_usage_otherwise(words: tuple[str, ...]) -> None:
    assert prfpipe(*words).code == 2


def test_a_store_that_cannot_be_read_is_no_refusal() -> None:
    def fails() -> dict[str, bytes]:
        raise StoreUnavailableError("no answer", hint="Try again.")

    with pytest.raises(StoreUnavailableError):
        ArchiveAudit(TRUST).take(Offered("lev-01", "20261123T081500Z-lev-01-3f9c2a7b", fails))


def test_only_one_bundle_is_held_at_a_time() -> None:
    held: list[int] = []

    class Files(dict[str, bytes]):
        def __init__(self) -> None:
            super().__init__(corpus.golden("good-adopted").files)
            held.append(1)

        def __del__(self) -> None:
            held.pop()

    audit = ArchiveAudit(TRUST)
    for number in range(3):
        audit.take(Offered("lev-01", f"20261123T08150{number}Z-lev-01-3f9c2a7b", Files))
        assert held == []


def test_a_planted_bundle_is_one_that_is_accepted() -> None:
    files = bundle(corpus.read_folder(corpus.BASE), "LEV-03", "20260101T000000Z-lev-03-00000000", 1, None)
    word = ArchiveAudit(TRUST).take(Offered("lev-03", "20260101T000000Z-lev-03-00000000", lambda: files))
    assert (word.accepted, word.verdict) == (True, "adopt")
