"""How many cheats are caught: the whole corpus at the shortest effort, and the table of docs/cheats.md.

python -m tests.cheats.rate [NAME…]      rows on stdout; without names the page is written too (about ten minutes)
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.cheats.corpus import Caught, Cheat, corpus, put_to_the_test

PAGE = Path(__file__).parents[2] / "docs" / "cheats.md"
_BEGIN, _END = "<!-- written by python -m tests.cheats.rate -->\n", "<!-- end -->\n"


class Row(NamedTuple):
    """One cheat: what may come of it, what came of it, by which reason, and how long the evaluation took.

    `known`: that it is not caught, where that is so: what noise makes of it on one day is no defence.
    """

    name: str
    expected: str
    got: str
    caught_by: str
    seconds: float
    as_expected: bool
    known: str = ""

    @property
    def caught(self) -> bool:
        """Whether it was not adopted, and not by chance."""
        return self.got != "adopt" and not self.known


def rows(names: Sequence[str] = ()) -> Iterator[Row]:
    """A row a cheat, as each is done; all that this machine can be asked about, or those named."""
    for cheat in corpus():
        if names and cheat.name not in names:
            continue
        with TemporaryDirectory(ignore_cleanup_errors=True) as home:
            yield _row(put_to_the_test(cheat, Path(home)))


def _row(found: Caught) -> Row:
    cheat = found.cheat
    expected = " or ".join(cheat.verdicts)
    return Row(cheat.name, expected, found.verdict, found.why, found.seconds, found.is_as_expected, cheat.known)


def table(found: Sequence[Row]) -> str:
    """The rows as Markdown, under one line that counts them."""
    cheats = {row.name: Cheat.read(row.name) for row in found}
    counted = [row for row in found if cheats[row.name].caught_by != "nothing"]
    caught = sum(row.caught for row in counted)
    head = ("| folder | what it does | ended as | by | what catches it |", "|---|---|---|---|---|")
    body = (
        f"| `{row.name}` | {cheats[row.name].cheat} | {row.got} | {row.caught_by and f'`{row.caught_by}`'} "
        f"| {cheats[row.name].caught_by} |"
        for row in found
    )
    seconds = sum(row.seconds for row in found)
    total = f"{caught} of {len(counted)} cheats were caught, in {seconds:.0f} seconds.\n\n"
    return total + "\n".join((*head, *body)) + "\n"


def main(names: Sequence[str]) -> int:
    """Print the rows; 1 if one of them is not as expected."""
    found = []
    for row in rows(names):
        found.append(row)
        mark = "ok " if row.as_expected else "BAD"
        sys.stdout.write(f"{mark} {row.name:32} {row.got:10} {row.caught_by:28} {row.seconds:6.1f} s\n")
        sys.stdout.flush()
    if not names:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.partition(_BEGIN)[0], text.partition(_END)[2]
        PAGE.write_text(before + _BEGIN + table(found) + _END + after, encoding="utf-8")
    return 0 if all(row.as_expected for row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
