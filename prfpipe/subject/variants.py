"""Make a variant ready to run: its tree (a private copy of the lever folder) and how to launch it.

Other kinds of variant (a git reference, a patch, a pip requirement) belong here: each is one more way to
fill a tree and to say the command that runs in it.
"""

import os
import py_compile
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from prfpipe.digests import sha256_file, sha256_tree
from prfpipe.errors import LeverError
from prfpipe.models import LeverSpec, PythonVariant
from prfpipe.subject.child import Launch
from prfpipe.subject.sandbox import Sandbox

PADDING_VARIABLE = "PRFPIPE_PADDING"
"""Of a subject that is measured: its length gives the environment another size (Mytkowicz et al. 2009)."""
VariantName = Literal["baseline", "candidate"]

MAX_TREE_FILES = 5000
_RUNNER = str(Path(__file__).with_name("runner.py"))
_SKIPPED_FOLDERS = {
    "__pycache__",
    ".git",
    ".venv",
    "node_modules",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TZ", "VIRTUAL_ENV")


def source_files(root: Path) -> dict[str, str]:
    """sha256 of every file of a lever folder that can take part in a run, by relative POSIX path.

    Raises:
        LeverError: a symlink or special file stands in the folder, or there are too many files.
    """
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in _files(root)}


def tree_digest(root: Path) -> str:
    """One digest for a whole tree."""
    return sha256_tree(source_files(root))


def copy_tree(root: Path, destination: Path) -> dict[str, str]:
    """Copy a lever folder file by file, so that later edits of the folder do not reach the run.

    Python files are compiled, since subjects cannot do that: nobody may write into a tree that is measured. Returns
    the digests of the copied files.
    """
    for path in _files(root):
        target = destination / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
        if target.suffix == ".py":
            # A file that is not valid Python says so when it is imported, if it ever is.
            with suppress(py_compile.PyCompileError, ValueError):
                py_compile.compile(str(target), doraise=True)
    return source_files(destination)


def _files(root: Path) -> Iterator[Path]:
    count = 0
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED_FOLDERS)
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(folder, name)
            count += 1
            _refuse_special(path, count)
            yield path


def _refuse_special(path: Path, count: int) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise LeverError(f"{path} is not a regular file", hint="Replace links by the files that they point to.")
    if count > MAX_TREE_FILES:
        raise LeverError(
            f"{path.parent}: more than {MAX_TREE_FILES} files in the lever folder",
            hint="Keep generated files and corpora outside of it.",
        )


def subject_launch(
    spec: LeverSpec,
    variant: VariantName,
    tree: Path,
    workdir: Path,
    *,
    timeout: float,
    name: str | None = None,
    cpu: int | None = None,
    extra_environment: Mapping[str, str] | None = None,
    wrap: tuple[str, ...] = (),
) -> Launch:
    """How to start one variant from its tree.

    `wrap` goes before the variant's own command: a profiler or coverage.py that runs it. A Python variant runs in
    `workdir`; a command runs in its tree, since its arguments are relative to it. Both may write into `workdir` only,
    what wraps them also beside it.
    """
    choice = getattr(spec.variants, variant)
    python = isinstance(choice, PythonVariant)
    argv = python_argv("subject", choice.python, tree, wrap) if python else (*wrap, *choice.command)
    return Launch(
        name=name or f"{spec.id} {variant}",
        argv=argv,
        cwd=workdir if python else tree,
        environment=subject_environment(workdir, extra_environment),
        timeout=timeout,
        cpu=cpu,
        sandbox=Sandbox((workdir, workdir.parent) if wrap else (workdir,), shown=(tree,)),
    )


def workload_launch(spec: LeverSpec, tree: Path, workdir: Path, *, timeout: float) -> Launch:
    """How to start the lever's workload."""
    return Launch(
        name=f"{spec.id} workload",
        argv=python_argv("workload", spec.workload, tree),
        cwd=workdir,
        environment=subject_environment(workdir),
        timeout=timeout,
    )


def python_argv(role: str, file: str, tree: Path, wrap: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The runner's command line; where `wrap` ends in a Python program (`-m coverage run`), it runs the runner."""
    prefix = wrap or (sys.executable, "-P")
    return (*prefix, _RUNNER, role, file, str(tree))


def subject_environment(workdir: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The allow-listed environment of a child: nothing secret reaches it, its files go to its working folder."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {"HOME": str(workdir), "TMPDIR": str(workdir)}
    return {**kept, **own, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **(extra or {})}
