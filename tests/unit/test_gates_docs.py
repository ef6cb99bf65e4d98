"""docs/gates.md and docs/ci say what is so: every command parses, the rule's table is the rule, files are YAML."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from prfpipe.cli.parser import parse
from prfpipe.gates import load_gate
from prfpipe.gates.boundaries import looks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gates.md"
CI = sorted((ROOT / "docs" / "ci").iterdir())


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    scripts = "\n".join(path.read_text() for path in CI)
    lines += re.findall(r"(?:^|\s)(?:\.venv/bin/)?(prfpipe gate [^\n#]*)", scripts)
    return [line.strip() for line in lines if '"${words[@]}"' not in line]


@pytest.mark.parametrize("line", commands())
def test_every_command_that_is_shown_parses(line: str) -> None:
    words = shlex.split(line)
    assert words[:2] == ["prfpipe", "gate"]
    assert parse(words[1:]).gate


def test_what_stands_after_two_dashes_is_the_programs_own() -> None:
    arguments = parse(["gate", "PRF-01", "--json", "--", "node", "--json", "--", "x"])
    assert (arguments.gate, arguments.json, arguments.program) == ("PRF-01", True, ("node", "--json", "--", "x"))


@pytest.mark.parametrize("behind", [[], [""], [" ", ""]])
def test_a_command_that_is_empty_is_not_left_out(behind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Else the gate would measure the runtime, and pass, where a variable is not set."""
    with pytest.raises(SystemExit) as ended:
        parse(["gate", "PRF-01", "--", *behind])
    assert ended.value.code == 2
    assert "no COMMAND stands behind" in capsys.readouterr().err


def test_the_table_of_looks_is_the_rule() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+|-) \| (\d+)[^|]*\|$", PAGE.read_text(), re.MULTILINE)
    found = [(int(n), None if passes == "-" else int(passes), int(fails)) for n, passes, fails in rows]
    assert found == [(look.samples, look.passes, look.fails) for look in looks()]


@pytest.mark.parametrize("path", CI, ids=lambda path: path.name)
def test_every_file_to_copy_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_inputs_of_the_action_reach_the_shell_as_variables_only() -> None:
    found = yaml.safe_load((ROOT / "docs" / "ci" / "action.yml").read_text())
    for step in found["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_gate_of_the_page_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(id: .*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "gate.yaml").write_text(block)
    assert load_gate(tmp_path).spec.id == "PRF-02"
