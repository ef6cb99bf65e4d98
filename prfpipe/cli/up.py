"""`prfpipe up`."""

import argparse
import importlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stopping import sigterm_raises
from prfpipe.errors import SettingsError
from prfpipe.progress import Terminal
from prfpipe.settings import load_settings


def command(arguments: argparse.Namespace) -> int:
    """Start everything and stay until interrupted, or say what is up."""
    local, settings = _local(), load_settings()
    if arguments.status:
        return _status(arguments, *local.status(settings))
    progress = Terminal()
    try:
        with sigterm_raises():
            local.up(settings, Path.cwd(), s3=arguments.s3, say=progress.say, ready=lambda up: _tell(up, progress))
    except KeyboardInterrupt:
        sys.stderr.write("\nprfpipe: everything is stopped\n")
    finally:
        progress.finish()
    return 0


def _tell(up: Any, progress: Terminal) -> None:
    progress.finish()
    print_text(
        f"Prefect UI   {up.ui}\n"
        f"start a run  Deployments, evaluate-lever, Run; or: "
        f"PREFECT_API_URL={up.api} prefect deployment run evaluate-lever/evaluate-lever --watch\n"
        f"evidence     {up.store}\n"
        f"stop         Ctrl-C here"
    )


def _status(arguments: argparse.Namespace, up: Any, parts: list[Any]) -> int:
    healthy = up is not None and all(part.healthy for part in parts)
    if arguments.json:
        print_json({"up": up and asdict(up), "healthy": healthy, "parts": [asdict(part) for part in parts]})
    elif not parts:
        print_text("nothing is up; `prfpipe up` starts it")
    else:
        rows = [[part.part, "healthy" if part.healthy else "not healthy", part.detail] for part in parts]
        print_text(text_table(["part", "state", "detail"], rows, text_columns=3))
    return 0 if healthy else 4


def _local() -> Any:
    try:
        return importlib.import_module("flows.local")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the Prefect flows cannot be loaded: {error}", hint="python -m pip install 'prfpipe[prefect]'"
        ) from error
