"""The chain of a lever's statements: who was first, what came before, and a journal that survives a crash.

One append-only journal a lever and key (a key that was rotated goes on in its predecessor's), in the folder
`PRFPIPE_CHAINS`. A line is on the disk *before* its statement is written. So two statements never get the same
number, and a statement that was decided and never appears is a gap that an archive shows. A run that was killed
between line and statement takes its own line again: the line holds all that the run's own files do not say.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from prfpipe.attest.folders import held_folder, read_file
from prfpipe.digests import sha256_hex
from prfpipe.disk import MAX_FILE_BYTES, AppendFile
from prfpipe.errors import TamperError
from prfpipe.layout import line_of, read_line
from prfpipe.models import Record, RunId, Sha256, StoreGuarantees

_HINT = "Put the journal back from a copy, or move it away: then this lever's next statement begins a new chain."


class Link(Record):
    """One line of the journal: a statement's place in its chain. `keyid`: the key that signed it."""

    sequence: int = Field(ge=1)
    previous: Sha256 | None
    run_id: RunId
    keyid: Sha256
    store: StoreGuarantees
    statement_sha256: Sha256


@dataclass(frozen=True, slots=True)
class Place:
    """What a statement must say of its place. `store`: as it was first found for this run."""

    sequence: int
    previous: str | None
    store: StoreGuarantees


def take_place(
    folder: Path, name: str, run_id: str, keyid: str, store: StoreGuarantees, make: Callable[[Place], bytes]
) -> bytes:
    """The statement of a run, once its place in the chain is on the disk.

    Args:
        folder: where journals are kept; made if need be.
        name: names the chain; see `chain_name`.
        run_id: the run; one that has a place already gets the same again.
        keyid: the key that `make` signs with.
        store: what the store guarantees now; a run that has a place keeps what it found then.
        make: place -> bytes of `statement.dsse.json`; the same for the same place.

    Raises:
        TamperError: the journal is damaged, or the run's files are not what they were when it took its place.
        BundleError: the disk refused, or another process holds the journal.
    """
    with _journal(folder, name) as (links, file):
        own = next((link for link in links if link.run_id == run_id), None)
        place = _place_of(own) if own else _next_place(links, store)
        statement = make(place)
        digest = sha256_hex(statement)
        if own is None:
            file.append(line_of(_link(place, run_id, keyid, digest)))
        elif own.statement_sha256 != digest:
            raise TamperError(f"{run_id} is not what it was when its statement was decided", hint=_CHANGED)
    return statement


_CHANGED = "Put the run's files back as they were, or evaluate again: the archive will show the gap."


def chain_name(lever: str, first_keyid: str) -> str:
    """The journal's file. `first_keyid`: the key that the chain began with, before any rotation."""
    return f"{lever.lower()}.{first_keyid}.jsonl"


def _place_of(link: Link) -> Place:
    return Place(link.sequence, link.previous, link.store)


def _next_place(links: tuple[Link, ...], store: StoreGuarantees) -> Place:
    return Place(len(links) + 1, links[-1].statement_sha256 if links else None, store)


def _link(place: Place, run_id: str, keyid: str, digest: str) -> Link:
    return Link(
        sequence=place.sequence,
        previous=place.previous,
        run_id=run_id,
        keyid=keyid,
        store=place.store,
        statement_sha256=digest,
    )


@contextmanager
def _journal(folder: Path, name: str) -> Iterator[tuple[tuple[Link, ...], AppendFile]]:
    """The links so far, and the file to add one to; an unfinished last line is cut off."""
    with held_folder(folder) as root:
        text = read_file(root, name, folder, MAX_FILE_BYTES) or b""
        whole = text[: text.rfind(b"\n") + 1]
        links = read_links(whole, str(folder / name))
        file = AppendFile(root, name)
        try:
            if whole != text:
                file.cut(len(whole))
            yield links, file
        finally:
            file.close()


def read_links(text: bytes, source: str) -> tuple[Link, ...]:
    """The links of a journal, whose lines are all finished.

    Raises:
        TamperError: a line is malformed, out of order, or of a run that has a place already.
    """
    links: list[Link] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            link = read_line(Link.model_validate_json, line)
        except ValueError as error:
            raise TamperError(f"{source}, line {number}: {error}", hint=_HINT) from error
        previous = links[-1].statement_sha256 if links else None
        if (link.sequence, link.previous) != (number, previous) or any(old.run_id == link.run_id for old in links):
            raise TamperError(f"{source}, line {number}: does not follow the line before it", hint=_HINT)
        links.append(link)
    return tuple(links)
