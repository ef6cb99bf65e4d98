"""docs/storage.md says what is so: its commands run, in their order, against the server that it starts."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from prfpipe.cli.store import LEVELS
from prfpipe.models import StoreLevel
from prfpipe.store.deadline import Limits
from tests.store_servers import rclone_s3
from tests.support import sealed
from tests.support.commands import prfpipe

PAGE = (Path(__file__).parents[3] / "docs" / "storage.md").read_text()
ADDRESS = "127.0.0.1:9000"


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's own server, at a free port."""
    [serve] = [words for words in commands() if words[0] == "rclone"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buckets").mkdir()
    options = ["127.0.0.1:0" if word == ADDRESS else word for word in serve[1:-1]]
    with rclone_s3(tmp_path / "buckets", options) as url:
        yield url.removeprefix("http://")


def test_every_command_of_the_page_works(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    sealed.seal(sealed.RUNS)
    Path("evidence").mkdir()
    done = []
    for shown in commands():
        words = [word.replace(ADDRESS, endpoint) for word in shown]
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
        elif words[0] == "python":
            subprocess.run([sys.executable, *words[1:]], check=True)
            monkeypatch.setenv("PRFPIPE_STORE", f"s3://evidence/team?endpoint=http://{endpoint}")
            assert prfpipe("archive", sealed.FIRST).code == 0
        elif words[0] == "prfpipe":
            ended = prfpipe(*words[1:])
            assert ended.code == 0, (words, ended.err)
            done.append(words[1])
    assert {"store", "bundles", "fetch", "audit", "archive"} == set(done)
    assert (tmp_path / "bundle" / "statement.dsse.json").is_file()


def test_the_levels_of_the_page_are_those_of_the_records() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == list(get_args(StoreLevel)) == list(LEVELS)


def test_the_policy_of_the_page_is_json() -> None:
    [block] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    actions = [action for statement in json.loads(block)["Statement"] for action in statement["Action"]]
    assert {"s3:GetObject", "s3:PutObject", "s3:ListBucket"} <= set(actions)


def test_the_deadlines_of_the_page_are_those_of_the_code() -> None:
    limits = Limits()
    assert f"within {limits.total:.0f} seconds" in PAGE
    assert f"at {limits.bytes_per_second // 1024} KiB a second" in PAGE
    assert {4: "tried four times"}[1 + len(limits.pauses)] in PAGE
