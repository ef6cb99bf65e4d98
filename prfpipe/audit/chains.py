"""The chains that the statements of an archive form: gaps, forks, and ends that were cut off.

A chain is of one lever and one signing key, or of keys that followed one another. Each statement names the digest of
the one before it, so that leaving one out, or signing two in one place, shows as soon as its successor is there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prfpipe.models import Record, RunId, Sha256


class Link(NamedTuple):
    """What stays of a bundle: a statement's place. About half a kilobyte each."""

    lever: str
    keyid: str
    run_id: str
    sequence: int
    previous: str | None
    sha256: str


class Head(Record):
    """The last statement of a chain, as somebody saw it."""

    lever: str
    keyid: Sha256
    sequence: int
    run_id: RunId
    statement_sha256: Sha256


class ChainWord(Record):
    """One chain: statements from number `first` to number `last`, those that are there counted."""

    lever: str
    keyid: Sha256
    first: int
    last: int
    bundles: int
    newest: RunId


class Chains(Record):
    """All chains, what is wrong with them, what is worth knowing, and where each ends."""

    chains: tuple[ChainWord, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    heads: tuple[Head, ...]


class ChainBook:
    """Collects links in any order; `conclude` looks at all of them together."""

    def __init__(self, seen: tuple[Head, ...] = (), *, from_start: bool = True) -> None:
        """`seen`: where chains ended in an earlier audit. `from_start`: older bundles were looked at as well."""
        self._seen, self._from_start = seen, from_start
        self._links: dict[str, Link] = {}

    def add(self, link: Link) -> None:
        """Take a statement's place."""
        self._links[link.sha256] = link

    def conclude(self) -> Chains:
        """What the links say together."""
        groups: defaultdict[tuple[str, str], list[Link]] = defaultdict(list)
        for link in self._links.values():
            groups[link.lever, link.keyid].append(link)
        ordered = {name: sorted(links, key=lambda link: link.sequence) for name, links in sorted(groups.items())}
        problems = [*self._broken(ordered.values()), *self._forks(), *self._cut_off()]
        ends = [links[-1] for links in ordered.values()]
        return Chains(
            chains=tuple(_word(links) for links in ordered.values()),
            problems=tuple(problems),
            notes=(*self._key_changes(), *self._beginnings(), *_late(ordered.values())),
            heads=tuple(_head(link) for link in ends),
        )

    def _broken(self, groups: Iterable[list[Link]]) -> Iterator[str]:
        """A statement whose predecessor is not there, or stands elsewhere."""
        for links in groups:
            for link in links:
                before = self._links.get(link.previous or "")
                if link.previous is None or (link is links[0] and not before and not self._from_start):
                    continue
                if before is None:
                    yield f"{_where(link)}: number {link.sequence - 1} is not in the archive, {link.run_id} follows it"
                elif (before.lever, before.sequence + 1) != (link.lever, link.sequence):
                    yield f"{_where(link)}: {link.run_id} is number {link.sequence}, but follows {before.run_id}"

    def _forks(self) -> Iterator[str]:
        """Two statements in one place: the signer may have chosen between them."""
        places: defaultdict[tuple[str, str], list[Link]] = defaultdict(list)
        for link in self._links.values():
            places[link.lever, link.previous or f"first of {link.keyid}"].append(link)
        for links in places.values():
            if len(links) > 1:
                runs = ", ".join(sorted(link.run_id for link in links))
                yield f"{_where(links[0])}: a fork: {runs} are all number {links[0].sequence}"

    def _cut_off(self) -> Iterator[str]:
        for head in self._seen:
            if head.statement_sha256 not in self._links:
                yield (
                    f"{head.lever}, key {head.keyid[:12]}: {head.run_id}, number {head.sequence}, was there before and "
                    "is not any more: an older state of the archive, or a bundle that was removed"
                )

    def _key_changes(self) -> Iterator[str]:
        for link in self._links.values():
            before = self._links.get(link.previous or "")
            if before and before.keyid != link.keyid:
                yield f"{link.lever}: key {link.keyid[:12]} goes on for {before.keyid[:12]} at number {link.sequence}"

    def _beginnings(self) -> Iterator[str]:
        """Each host has a key and a chain of its own; so has a signer who rotates keys without going on."""
        begins: defaultdict[str, list[str]] = defaultdict(list)
        for link in self._links.values():
            if link.previous is None:
                begins[link.lever].append(link.keyid[:12])
        for lever, keys in sorted(begins.items()):
            if len(keys) > 1:
                told = ", ".join(sorted(keys))
                yield f"{lever}: {len(keys)} chains begin, by keys {told}: one of each host? A rotated key begins none"


def _late(groups: Iterable[list[Link]]) -> Iterator[str]:
    """The newest by its name is not the last of its chain: an older run was finished later."""
    for links in groups:
        newest = max(links, key=lambda link: link.run_id)
        if newest is not links[-1]:
            yield f"{_where(newest)}: {newest.run_id} is the newest run, {links[-1].run_id} was sealed after it"


def _word(links: list[Link]) -> ChainWord:
    first, last = links[0], links[-1]
    newest = max(link.run_id for link in links)
    return ChainWord(
        lever=first.lever,
        keyid=first.keyid,
        first=first.sequence,
        last=last.sequence,
        bundles=len(links),
        newest=newest,
    )


def _head(link: Link) -> Head:
    return Head(
        lever=link.lever,
        keyid=link.keyid,
        sequence=link.sequence,
        run_id=link.run_id,
        statement_sha256=link.sha256,
    )


def _where(link: Link) -> str:
    return f"{link.lever}, key {link.keyid[:12]}"
