"""The candidate tree that is measured: a private copy, what it changes, and one lever a cycle."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from prfpipe.digests import sha256_tree
from prfpipe.errors import LeverError
from prfpipe.layout import optimized_files
from prfpipe.models import CommandVariant, LeverSpec, PythonVariant, TreeRecord, Variant
from prfpipe.subject.process import Subject, Workload
from prfpipe.subject.variants import PADDING_VARIABLE, VariantName, copy_tree, subject_launch, workload_launch
from prfpipe.subject.waits import waits

VARIANTS: tuple[VariantName, ...] = ("baseline", "candidate")
MAX_DIFF_BYTES = 256 * 1024
_CUT = "# The diff is cut here: it is longer than {limit} bytes. The tree itself is complete.\n"


def make_tree(
    spec: LeverSpec, source: Path, destination: Path, loaded: Mapping[VariantName, Sequence[str]]
) -> TreeRecord:
    """Copy the lever folder `source` to `destination`; say what the candidate uses and the baseline does not.

    `loaded`: for each variant the files of the tree that a run of it loaded (see `loaded_files`).

    Raises:
        LeverError: the candidate uses a file of its own outside the optimized path: one lever a cycle. Or the
            baseline waits on purpose.
    """
    files = copy_tree(source, destination)
    used = {name: {*loaded.get(name, ()), *_entries(spec, name, files)} for name in VARIANTS}
    changed = tuple(sorted(name for name in used["candidate"] - used["baseline"] if name in files))
    allowed = optimized_files(spec)
    outside = tuple(name for name in changed if name not in allowed)
    if outside:
        raise LeverError(
            f"{spec.id}: the candidate changes files outside its optimized path: {', '.join(outside)}",
            hint="One lever a cycle: list them in optimized_path if they belong to it, or leave them out.",
        )
    # The baseline's own file also where the candidate imports it; what else both use slows both.
    _refuse_waits(spec, destination, {*_entries(spec, "baseline", files)} | used["baseline"] - used["candidate"])
    return TreeRecord(files=files, digest=sha256_tree(files), changed_files=changed, outside_path=outside)


def _refuse_waits(spec: LeverSpec, tree: Path, files: Iterable[str]) -> None:
    """A baseline that only a wait makes slow is no baseline, unless lever.yaml says that the wait is the target.

    What waits in other words, or computes what nobody needs, is for people to see: in the profile, and in the diff.
    """
    for name in sorted(file for file in files if file.endswith(".py")):
        for line, function, what in waits((tree / name).read_bytes()):
            if f"{name}:{function}" not in spec.targets:
                raise LeverError(
                    f"{spec.id}: {name}:{line}: the baseline waits on purpose ({what})",
                    hint=f"Take it out; if the lever is about this wait, list {name}:{function} under `targets`.",
                )


def loaded_files(
    spec: LeverSpec, tree: Path, scratch: Path, *, seed: int, timeout: float
) -> dict[VariantName, tuple[str, ...]]:
    """Which files of `tree` each variant loads or opens to answer one operation of the primary scenario.

    Raises:
        SubjectError: a variant or the workload does not answer.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder,
        Workload(workload_launch(spec, tree, Path(folder), timeout=timeout)) as workload,
    ):
        workload.hello(spec.primary.params)
        workload.stream(seed)
        [operation] = workload.next(1)
        homes = {name: Path(folder, name) for name in VARIANTS}
        return {name: _loaded(spec, name, tree, homes[name], workload, operation) for name in VARIANTS}


def _loaded(
    spec: LeverSpec,
    variant: VariantName,
    tree: Path,
    workdir: Path,
    workload: Workload,
    operation: object,
) -> tuple[str, ...]:
    workdir.mkdir()
    workload.prepare(operation, workdir)
    # As it is measured, so that it cannot tell that it is not.
    measured = {PADDING_VARIABLE: "x"}
    launch = subject_launch(spec, variant, tree, workdir, timeout=workload.launch.timeout, extra_environment=measured)
    with Subject(launch) as subject:
        subject.hello(spec.primary.params, workdir, note_files=True)
        subject.results_of(subject.run([operation]))
        return subject.close()


def diff(spec: LeverSpec, tree: Path, changed_files: Sequence[str] = ()) -> str:
    """The change as a unified diff: the baseline's entry file to the candidate's, and files that it adds.

    `changed_files` are those of the `TreeRecord`. Files that are not UTF-8 text are named only; longer than
    `MAX_DIFF_BYTES` it is cut and says so.
    """
    files = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    before, after = (_entries(spec, name, files) for name in VARIANTS)
    pairs = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
    paired = {new for _, new in pairs}
    added: list[tuple[str | None, str]] = [(None, name) for name in changed_files if name not in paired]
    return _bounded(line for old, new in [*pairs, *added] for line in _file_diff(tree, old, new))


def _entries(spec: LeverSpec, variant: VariantName, files: Iterable[str]) -> list[str]:
    """The files of the tree that a variant names itself: its Python file, or arguments of its command."""
    choice: Variant = getattr(spec.variants, variant)
    named = _named(choice)
    present = set(files)
    return [name for name in named if name in present]


def _named(choice: Variant) -> list[str]:
    match choice:
        case PythonVariant(python=file):
            return [PurePosixPath(file).as_posix()]
        case CommandVariant(command=argv):
            return [PurePosixPath(argument).as_posix() for argument in argv]


def _file_diff(tree: Path, old: str | None, new: str) -> Iterator[str]:
    before, after = _lines(tree, old), _lines(tree, new)
    if before is None or after is None:
        yield f"Binary file {new} differs\n"
        return
    names = (f"a/{old}" if old else "/dev/null", f"b/{new}")
    for line in difflib.unified_diff(before, after, *names):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(tree: Path, name: str | None) -> list[str] | None:
    """The lines of a text file, none for a file that is not there, None for a file that is not text."""
    if name is None:
        return []
    try:
        text = (tree / name).read_bytes().decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else [f"{line}\n" for line in text.split("\n")[:-1]] + _rest(text)


def _rest(text: str) -> list[str]:
    last = text.rpartition("\n")[2]
    return [last] if last else []


def _bounded(lines: Iterable[str]) -> str:
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode())
        if size > MAX_DIFF_BYTES:
            kept.append(_CUT.format(limit=MAX_DIFF_BYTES))
            break
        kept.append(line)
    return "".join(kept)
