"""docs/many-hosts.md and docs/deploy say what is so: commands parse, settings exist, compose does what units do."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.names import POOL
from prfpipe.cli.parser import parse
from prfpipe.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
# Programs of the system: what stands after them is not ours to check.
FOREIGN = {"apt-get", "make", "createuser", "createdb", "systemctl", "systemd-analyze"}


def commands() -> list[str]:
    page = (ROOT / "docs" / "many-hosts.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if not line.startswith("export ")]


def variables(name: str) -> dict[str, str]:
    lines = (DEPLOY / name).read_text().splitlines()
    return dict(line.lstrip("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))


def started(unit: Path) -> list[str]:
    [line] = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    program, *words = shlex.split(line)
    return [Path(program).name, *words]


def accepted_by_prefect(words: list[str]) -> bool:
    from prefect.cli import _app

    # The program takes this flag itself, before any command.
    words = [word for word in words if word != "--no-prompt"]
    return callable(_app._app.parse_args(words, exit_on_error=False, print_error=False)[0])


@pytest.mark.parametrize("line", commands())
def test_every_command_that_is_shown_is_one(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "prefect":
        assert accepted_by_prefect(words)
    elif program == "prfpipe":
        assert parse(words)
    elif program == "python":
        assert (ROOT / words[1].replace(".", "/")).with_suffix(".py").is_file()
    else:
        assert program in FOREIGN


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_every_unit_starts_a_command_of_prefect(unit: Path) -> None:
    program, *words = started(unit)
    assert program == "prefect"
    assert accepted_by_prefect([word.replace("%i", "large").replace("%H", "bench-a") for word in words])


def test_the_worker_takes_one_run_of_our_pool() -> None:
    words = started(DEPLOY / "prfpipe-worker@.service")
    assert words[words.index("--pool") + 1] == POOL
    assert words[words.index("--limit") + 1] == "1"


@pytest.mark.parametrize("name", ["server.env", "worker.env"])
def test_every_setting_exists(name: str) -> None:
    from prefect.settings.legacy import _get_settings_fields
    from prefect.settings.models.root import Settings as PrefectSettings
    from prefect_redis.client import RedisMessagingSettings

    redis = {f"PREFECT_REDIS_MESSAGING_{field.upper()}" for field in RedisMessagingSettings.model_fields}
    ours = {f"PRFPIPE_{field.upper()}" for field in Settings.model_fields}
    others = {"DO_NOT_TRACK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert variables(name).keys() <= _get_settings_fields(PrefectSettings).keys() | redis | ours | others


def test_nothing_in_the_files_to_copy_is_a_secret() -> None:
    texts = [path.read_text() for path in DEPLOY.iterdir()]
    found = {secret for text in texts for secret in re.findall(r"(?:prefect|default|prfpipe):([^@\s/{]+)[@\n]", text)}
    assert found == {"CHANGE-ME"}


def compose() -> dict[str, Any]:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_compose_has_the_settings_of_the_environment_file() -> None:
    settings, wanted = compose()["services"]["api"]["environment"], variables("server.env")
    assert settings.keys() == wanted.keys()
    hosts = ("CONNECTION_URL", "REDIS_MESSAGING_URL", "DOCKET_URL", "AUTH_STRING", "API_HOST", "UI_API_URL")
    same = [name for name in wanted if not name.endswith(hosts)]
    assert [name for name in same if settings[name] != wanted[name]] == []


@pytest.mark.parametrize(
    ("service", "unit"), [("migrate", "prefect-migrate"), ("api", "prefect-api"), ("services", "prefect-services")]
)
def test_compose_starts_what_the_units_start(service: str, unit: str) -> None:
    assert compose()["services"][service]["command"] == started(DEPLOY / f"{unit}.service")
