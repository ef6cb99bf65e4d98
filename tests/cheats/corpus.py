"""The corpus: a folder a cheat beside this file, put together to a lever folder and evaluated at the shortest effort.

A cheat's folder holds what it changes: it is laid over `_base`, or over the base that its expect.yaml names, and the
keys of its lever.yaml replace those of the base. `expect.yaml` says what the cheat is and what must come of it.
"""

import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from prfpipe.cli.output import EXIT_CODES
from prfpipe.host import landlock_abi
from tests.e2e.evaluations import Done, evaluate

FOLDER = Path(__file__).parent
_WORDS = {code: word for word, code in EXIT_CODES.items()} | {2: "refused", 4: "failed"}
_LEVER = "lever.yaml"
_NOTHING_AGAINST_IT = {"faster", "guard-holds", "stratum-holds"}
_NOT_PROFILED = "not-profiled"


@dataclass(frozen=True)
class Cheat:
    """One folder of the corpus.

    `verdicts`: what may come of it; `refused` and `failed` are runs that end without a verdict, with an error that
    holds `says`. A rejection must have one of the `codes` among its reasons. `needs`: what the machine must have for
    the defence to work at all. `known`: why it is not caught, where it is not.
    """

    name: str
    cheat: str
    caught_by: str
    verdicts: tuple[str, ...]
    codes: tuple[str, ...]
    says: str
    base: str
    needs: str
    known: str
    ci: bool

    @classmethod
    def read(cls, name: str) -> "Cheat":
        """What `expect.yaml` says."""
        found: dict[str, Any] = yaml.safe_load((FOLDER / name / "expect.yaml").read_text())
        lists = {key: tuple(found.pop(key, ())) for key in ("verdicts", "codes")}
        texts = dict.fromkeys(("says", "base", "needs", "known"), "")
        return cls(name=name, **{**texts, "ci": False, **found, **lists})

    @property
    def is_possible_here(self) -> bool:
        """Whether this machine has what its defence needs."""
        return self.needs != "landlock" or landlock_abi() > 0

    def lever(self, folder: Path) -> Path:
        """The whole lever folder, made in `folder`."""
        layers = [FOLDER / name for name in ("_base", self.base, self.name) if name]
        for layer in layers:
            shutil.copytree(layer, folder, symlinks=True, dirs_exist_ok=True)
        spec: dict[str, Any] = {}
        for layer in layers:
            spec |= yaml.safe_load((layer / _LEVER).read_text()) if (layer / _LEVER).is_file() else {}
        (folder / _LEVER).write_text(yaml.safe_dump(spec))
        (folder / "expect.yaml").unlink()
        return folder


@dataclass(frozen=True)
class Caught:
    """What came of a cheat."""

    cheat: Cheat
    done: Done
    seconds: float

    @property
    def verdict(self) -> str:
        """`adopt`, `reject`, `undecided`, `refused` or `failed`; that there is no profile is not held against it."""
        found = _WORDS[self.done.code]
        return "adopt" if found == "undecided" and set(self.against) <= {_NOT_PROFILED} else found

    @cached_property
    def against(self) -> tuple[str, ...]:
        """Codes of what speaks against it."""
        reasons = [reason["code"] for reason in self.done.document["reasons"]] if self.done.out else []
        return tuple(code for code in dict.fromkeys(reasons) if code not in _NOTHING_AGAINST_IT)

    @property
    def is_as_expected(self) -> bool:
        """Whether it is one of the verdicts that it may get, for a reason that it may have."""
        if self.verdict not in self.cheat.verdicts:
            return False
        if self.verdict in {"refused", "failed"}:
            return self.cheat.says in self.done.err
        return self.verdict != "reject" or not self.cheat.codes or not set(self.against).isdisjoint(self.cheat.codes)

    @property
    def why(self) -> str:
        """The reason by which it was caught: of those expected the first, or what it was refused with."""
        if not self.done.out:
            return self.cheat.says
        expected = [code for code in self.against if code in self.cheat.codes]
        others = [code for code in self.against if code != _NOT_PROFILED]
        return (*expected, *others, "")[0]


def corpus() -> list[Cheat]:
    """All cheats that this machine can be asked about, by name."""
    names = sorted(path.parent.name for path in FOLDER.glob("*/expect.yaml"))
    return [cheat for cheat in map(Cheat.read, names) if cheat.is_possible_here]


def put_to_the_test(cheat: Cheat, home: Path) -> Caught:
    """Evaluate a cheat in `home`, without profiles: they take half of the time, and some cheats give no valid one."""
    home.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    done = evaluate(home, cheat.lever(home / "lever"))
    return Caught(cheat, done, time.monotonic() - start)
