"""PRFPIPE_* variables: defaults, values, and what is wrong with a wrong one."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from prfpipe.cli.parser import build_parser
from prfpipe.errors import SettingsError
from prfpipe.settings import Settings, load_settings


def test_without_variables_there_are_defaults() -> None:
    found = load_settings()
    assert (found.store, found.runs, found.levers) == ("./evidence", Path(".prfpipe/runs"), Path("levers"))
    assert found.lock is None


@pytest.mark.parametrize(
    ("base", "folder"),
    [("/etc/me", "/etc/me/prfpipe/keys"), ("", "~/.config/prfpipe/keys"), ("relative", "~/.config/prfpipe/keys")],
)
def test_keys_are_of_the_user_and_not_of_the_project(monkeypatch: pytest.MonkeyPatch, base: str, folder: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", base)
    assert load_settings().key_folder == Path(folder)
    assert load_settings().chains == Path(".prfpipe/chains")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("store", "s3://bucket/team?endpoint=http://127.0.0.1:9000", "s3://bucket/team?endpoint=http://127.0.0.1:9000"),
        ("runs", "/tmp/runs", Path("/tmp/runs")),
        ("levers", "elsewhere", Path("elsewhere")),
        ("key_folder", "/tmp/keys", Path("/tmp/keys")),
        ("chains", "/tmp/chains", Path("/tmp/chains")),
        ("lock", "/tmp/a.lock", Path("/tmp/a.lock")),
        ("subject_timeout_seconds", "2.5", 2.5),
        ("noise_limit_percent", "12", 12.0),
    ],
)
def test_each_setting_is_a_variable(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(f"PRFPIPE_{name.upper()}", text)
    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NOISE_LIMIT_PERCENT", "inf"),
        ("SUBJECT_TIMEOUT_SECONDS", "soon"),
        ("SUBJECT_TIMEOUT_SECONDS", "0"),
        ("SUBJECT_TIMEOUT_SECONDS", "-1"),
        ("SUBJECT_TIMEOUT_SECONDS", "nan"),
        ("SUBJECT_TIMEOUT_SECONDS", "inf"),
        ("SUBJECT_TIMEOUT_SECONDS", ""),
        ("NOISE_LIMIT_PERCENT", "0"),
        ("NOISE_LIMIT_PERCENT", "nan"),
        ("STORES", "team=s3://bucket"),
        ("STORES", '["s3://bucket"]'),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"PRFPIPE_{name}", text)
    with pytest.raises(SettingsError, match=f"^PRFPIPE_{name}: ") as caught:
        load_settings()
    assert caught.value.exit_code == 2


def test_settings_do_not_change_during_a_run() -> None:
    with pytest.raises(ValidationError):
        load_settings().store = "elsewhere"  # type: ignore[misc]


def test_help_lists_every_setting() -> None:
    text = build_parser().format_help()
    assert [name for name in Settings.model_fields if f"PRFPIPE_{name.upper()}" not in text] == []


def row(name: str) -> str:
    """What docs/settings.md says of a setting."""
    field = Settings.model_fields[name]
    known = {"key_folder": "`~/.config/prfpipe/keys`", "stores": "none"}
    default = known.get(name) or ("none" if field.default is None else f"`{field.default}`")
    return f"| `PRFPIPE_{name.upper()}` | {default} | {field.description} |"


def test_the_page_lists_every_setting_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [line for name in Settings.model_fields if (line := row(name)) not in page] == []
