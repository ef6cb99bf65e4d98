"""lever.yaml: what is wrong is said with file and line, and nothing in it can reach a shell or another folder."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.cli import run as prfpipe
from prfpipe.errors import LeverError
from prfpipe.lever import MAX_BYTES, check_requirements, find_lever, json_schema, list_levers, load_lever
from prfpipe.models import Effort
from tests.support.levers import LEVER, spec_of, write_lever

ROOT = Path(__file__).parents[2]
SHIPPED = [
    *sorted((ROOT / "levers").glob("*/lever.yaml")),
    ROOT / "calibration/lever/lever.yaml",
    ROOT / "prfpipe/cli/template/lever.yaml",
    ROOT / "tests/node_subject/lever.yaml",
]

TEXT = """\
id: LEV-TEST
title: A title
owner_track: "1.0"
claim: Faster.
risk: Wrong.
expected_speedup: [1, 3]
optimized_path: [candidate.py]
workload: workload.py
variants:
  baseline: {python: baseline.py}
  candidate: {python: candidate.py}
scenarios:
  small: {primary: true}
"""


def folder_with(tmp_path: Path, text: str | bytes) -> Path:
    folder = write_lever(tmp_path / "lever")
    (folder / "lever.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """The message, its file and line cut off after they were checked to be there: `12: what is wrong`."""
    folder = folder_with(tmp_path, text)
    with pytest.raises(LeverError) as caught:
        load_lever(folder)
    assert caught.value.hint
    head, _, rest = caught.value.message.partition(f"{folder / 'lever.yaml'}:")
    assert head == ""
    assert int(rest.partition(":")[0]) >= 1
    return rest


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def with_mutant(mutant: str, name: str = "lies") -> str:
    return f"{TEXT}mutants:\n  {name}: {mutant}\n"


def test_a_whole_folder_is_read(tmp_path: Path) -> None:
    lever = load_lever(folder_with(tmp_path, TEXT))
    assert (lever.spec.id, lever.spec.primary.name, lever.root) == ("LEV-TEST", "small", tmp_path / "lever")


def test_strata_are_all_scenarios_or_those_named_in_the_order_of_the_scenarios(tmp_path: Path) -> None:
    scenarios = {name: {"primary": name == "b"} for name in ("a", "b", "c")}
    chosen: list[object] = ["all", ["c", "a"], []]
    specs = [spec_of(write_lever(tmp_path / str(i), scenarios=scenarios, must_hold=x)) for i, x in enumerate(chosen)]
    assert [spec.strata for spec in specs] == [("a", "b", "c"), ("a", "c"), ()]


def test_mutants_are_read_in_their_order(tmp_path: Path) -> None:
    files = {"mutants/lies.py": "", "mutants/stale.py": ""}
    mutants = {name: {"python": f"mutants/{name}.py", "caught_by": "no words"} for name in ("stale", "lies")}
    spec = spec_of(write_lever(tmp_path / "lever", files=files, mutants=mutants))
    assert [(mutant.name, mutant.caught_by) for mutant in spec.mutants] == [("stale", "no words"), ("lies", "no words")]


WRONG: dict[str, tuple[str | bytes, str]] = {
    "a missing key": (changed("claim: Faster.\n", ""), "1: claim: Field required"),
    "an unknown key": (TEXT + "colour: red\n", "14: colour: Extra inputs are not permitted"),
    "text where numbers belong": (changed("[1, 3]", "[a, 3]"), "6: expected_speedup.0: Input should be a valid number"),
    "a number where text belongs": (changed("A title", "7"), "2: title: Input should be a valid string"),
    "a key that stands twice": (TEXT + "id: LEV-2\n", "14: the key 'id' stands twice"),
    "a scenario that stands twice": (TEXT + "  small: {}\n", "14: the key 'small' stands twice"),
    "an alias": (changed("small: {primary: true}", "small: *x"), "13: anchors and aliases are not allowed"),
    "an anchor": (changed("A title", "&x A title"), "2: anchors and aliases are not allowed"),
    "a merge key": (TEXT + "<<: {a: b}\n", "14: keys must be text"),
    "a key that is no text": (TEXT + "1: x\n", "14: keys must be text"),
    "a Python tag": (changed("A title", "!!python/name:os.system x"), "2: the tag"),
    "a tag of somebody's own": (changed("A title", "!mine x"), "2: the tag !mine is not allowed"),
    "a date": (changed("{primary: true}", "{primary: true, params: {on: 2026-01-01}}"), "13: "),
    "not a number": (changed("[1, 3]", "[1, .nan]"), "6: '.nan': numbers must be finite"),
    "infinity": (changed("{primary: true}", "{primary: true, params: {x: .inf}}"), "13: '.inf': numbers"),
    "a number of many digits": (changed("[1, 3]", f"[1, 0x{'f' * 9000}]"), "6: '0xfff"),
    "a decimal of many digits": (changed("[1, 3]", f"[1, {'9' * 9000}]"), "6: '999"),
    "bytes that are not UTF-8": (TEXT.encode() + b"# \xff\n", "14: not UTF-8"),
    "a control character": (TEXT + "# \x07\n", "14: unacceptable character"),
    "nothing at all": (b"", "1: the file is empty"),
    "comments only": ("# nothing\n", "1: the file is empty"),
    "a list": ("- id\n", "1: expected a mapping of keys, found list"),
    "two documents": (TEXT + "---\nid: X\n", "14: but found another document"),
    "broken YAML": (changed("{primary: true}", "{primary: true"), "14: "),
    "nesting without end": ("[" * 20_000, "1: nested too deeply"),
    "too many bytes": (TEXT + "#" * MAX_BYTES, f"1: more than {MAX_BYTES} bytes"),
    "two primary scenarios": (TEXT + "  other: {primary: true}\n", "12: scenarios: exactly one must be"),
    "no primary scenario": (changed("{primary: true}", "{}"), "12: scenarios: exactly one must be"),
    "no scenario": (changed("  small: {primary: true}", "  {}"), "12: scenarios: "),
    "scenarios in a list": (changed("  small: {primary: true}", "  - {name: small}"), "12: scenarios: expected"),
    "a scenario that is no mapping": (changed("{primary: true}", "7"), "13: scenarios.small: expected a mapping"),
    "a scenario without a value": (changed("{primary: true}", ""), "13: scenarios.small: expected a mapping"),
    "a scenario with a second name": (changed("{primary: true}", "{name: x}"), "13: scenarios.small.name: the name is"),
    "an unknown key of a scenario": (changed("{primary: true}", "{primry: true}"), "13: scenarios.small.primry: Extra"),
    "a scenario name with a slash": (changed("small:", "a/b:"), "13: scenario name 'a/b'"),
    "a scenario name that goes up": (changed("small:", "..:"), "13: scenario name '..'"),
    "a scenario name with a newline": (changed("small:", '"a\\n":'), "13: scenario name 'a\\n'"),
    "a scenario name with a capital": (changed("small:", "Small:"), "13: scenario name 'Small'"),
    "a very long scenario name": (changed("small:", "s" * 62 + ":"), "13: scenario name"),
    "an unknown effort": (changed("{primary: true}", "{primary: true, from_effort: huge}"), "13: scenarios.small."),
    "no warm-up": (changed("{primary: true}", "{primary: true, warmup: 0}"), "13: scenarios.small.warmup: "),
    "a reversed range": (changed("[1, 3]", "[3, 1]"), "6: expected_speedup: expected [low, high]"),
    "a speed-up below one": (changed("[1, 3]", "[0.5, 3]"), "6: expected_speedup: expected [low, high]"),
    "a range of one number": (changed("[1, 3]", "[3]"), "6: expected_speedup.1: Field required"),
    "a guard that does not exist": (TEXT + "guards:\n  p42: {max_regression_percent: 5}\n", "15: guards.p42.metric: "),
    "a guard without a limit": (TEXT + "guards:\n  p99: {}\n", "15: guards.p99.max_regression_percent: Field required"),
    "a negative limit": (TEXT + "guards:\n  p99: {max_regression_percent: -1}\n", "15: guards.p99.max_"),
    "an unknown profiler": (TEXT + "profiles: [gdb]\n", "14: profiles.0: "),
    "a reason for a file that is not there": (
        TEXT + "coverage_exclusions:\n  - {file: c.py, lines: [1], reason: for another system}\n",
        "15: c.py is not a file",
    ),
    "an id in small letters": (changed("LEV-TEST", "lev-test"), "1: id: String should match"),
    "an id that starts with a dash": (changed("id: LEV-TEST", 'id: "-RF"'), "1: id: String should match"),
    "no optimized path": (changed("[candidate.py]", "[]"), "7: optimized_path: "),
    "a workload that is not there": (changed("workload.py", "work.py"), "8: work.py is not a file"),
    "a variant that is not there": (changed("{python: candidate.py}", "{python: c.py}"), "11: c.py is not a file"),
    "a variant of no kind": (changed("{python: candidate.py}", "{ruby: c.rb}"), "11: variants.candidate"),
    "a variant of two kinds": (changed("{python: candidate.py}", "{python: candidate.py, command: [x]}"), "11: "),
    "a variant without a value": (changed("{python: candidate.py}", ""), "11: variants.candidate: Input should be"),
    "a variant that is a number": (changed("{python: candidate.py}", "7"), "11: variants.candidate: Input should be"),
    "an empty command": (changed("{python: candidate.py}", "{command: []}"), "11: variants.candidate.command: "),
    "a command of an empty word": (changed("{python: candidate.py}", '{command: [""]}'), "11: variants.candidate"),
    "NUL in a command": (changed("{python: candidate.py}", '{command: [a, "b\\0"]}'), "11: variants.candidate.command"),
    "a shell command line": (changed("{python: candidate.py}", "{command: rm -rf /}"), "11: variants.candidate"),
    "a target in a file that is not there": (TEXT + "targets: ['other.py:f']\n", "14: other.py is not a file"),
    "an exclusion without a reason": (
        TEXT + "coverage_exclusions: [{file: candidate.py, lines: [1], reason: why}]\n",
        "14: coverage_exclusions.0.reason: String should have at least 10",
    ),
    "an option as a requirement": (TEXT + "requires: [--index-url=x]\n", "14: requires: '--index-url=x'"),
    "a range as a requirement": (TEXT + "requires: ['pyyaml>=6']\n", "14: requires: 'pyyaml>=6'"),
    "a shell as a requirement": (TEXT + "requires: ['x; rm -rf ~']\n", "14: requires: "),
    "an empty requirement": (TEXT + "requires: ['']\n", "14: requires: ''"),
    "a stratum that is no scenario": (TEXT + "must_hold:\n  - small\n  - smal\n", "16: must_hold: 'smal' is not a"),
    "a stratum that stands twice": (TEXT + "must_hold: [small, small]\n", "14: must_hold: 'small' stands twice"),
    "strata in a word": (TEXT + "must_hold: small\n", "14: must_hold: expected `all` or a list of scenario names"),
    "strata in a mapping": (TEXT + "must_hold: {small: true}\n", "14: must_hold: expected `all` or a list"),
    "strata that are numbers": (TEXT + "must_hold: [1]\n", "14: must_hold: expected `all` or a list"),
    "a stratum that quick effort leaves out": (
        changed("{primary: true}", "{primary: true}\n  late: {from_effort: standard}\nmust_hold: all"),
        "14: scenarios.late.from_effort: a scenario in must_hold is measured at every effort",
    ),
    "a negative margin": (TEXT + "non_inferiority_percent: -1\n", "14: non_inferiority_percent: "),
    "a mutant that is not there": (with_mutant("{python: m.py, caught_by: x}"), "15: m.py is not a file"),
    "a mutant in another folder": (with_mutant("{python: ../m.py, caught_by: x}"), "15: '../m.py' must be a path"),
    "a mutant that nothing catches": (with_mutant("{python: m.py}"), "15: mutants.lies.caught_by: Field required"),
    "a mutant that an empty name catches": (with_mutant("{python: m.py, caught_by: ''}"), "15: mutants.lies.caught_by"),
    "a mutant that is the candidate": (
        with_mutant("{python: ./candidate.py, caught_by: x}"),
        "15: mutants.lies.python: ./candidate.py is a part of the lever",
    ),
    "a mutant name with a slash": (with_mutant("{python: m.py, caught_by: x}", "a/b"), "15: mutant name 'a/b'"),
    "a mutant in place of a command": (
        changed("{python: candidate.py}", "{command: [x]}") + "mutants: {lies: {python: m.py, caught_by: x}}\n",
        "14: mutants: one is a Python file in the candidate's place",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, what: str) -> None:
    text, expected = WRONG[what]
    assert refusal(tmp_path, text).startswith(expected)


ESCAPES = ["../lever/candidate.py", "/etc/hostname", "a\0.py", "sub/../candidate.py", "..\\candidate.py", "c\u202ey.py"]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("key", ["workload", "optimized_path", "targets", "variant"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, key: str, name: str) -> None:
    changes: dict[str, Any] = {
        "workload": {"workload": name},
        "optimized_path": {"optimized_path": [name]},
        "targets": {"targets": [f"{name}:f"]},
        "variant": {"variants": {**LEVER["variants"], "candidate": {"python": name}}},
    }[key]
    folder = write_lever(tmp_path / "lever")
    (folder / "lever.yaml").write_text(json.dumps({**LEVER, **changes}))
    with pytest.raises(LeverError, match="must be a path inside the lever folder"):
        load_lever(folder)


def link_to_file(folder: Path, outside: Path) -> None:
    (folder / "linked.py").symlink_to(outside / "linked.py")


def link_to_folder(folder: Path, outside: Path) -> None:
    (folder / "sub").symlink_to(outside)


def a_folder(folder: Path, _: Path) -> None:
    (folder / "linked.py").mkdir()


def a_pipe(folder: Path, _: Path) -> None:
    os.mkfifo(folder / "linked.py")


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (link_to_file, "linked.py"),
        (link_to_folder, "sub/linked.py"),
        (a_folder, "linked.py"),
        (a_pipe, "linked.py"),
        (link_to_file, "x" * 5000),
    ],
)
def test_only_plain_files_inside_the_folder_count(
    tmp_path: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "linked.py").write_text("")
    folder = write_lever(tmp_path / "lever")
    plant(folder, outside)
    (folder / "lever.yaml").write_text(json.dumps({**LEVER, "workload": name}))
    with pytest.raises(LeverError, match="is not a file in"):
        load_lever(folder)


def test_a_folder_without_a_lever_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LeverError, match=r"lever\.yaml: No such file"):
        load_lever(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_lever_yaml_that_is_no_plain_file_is_refused_without_waiting(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "lever.yaml")
    with pytest.raises(LeverError, match="not a regular file"):
        load_lever(tmp_path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_with_file_and_line(data: bytes) -> None:
    with TemporaryDirectory() as name:
        for hostile in (data, TEXT.encode() + data + b"\n- x", data + b": " + TEXT.encode()):
            (Path(name) / "lever.yaml").write_bytes(hostile)
            with pytest.raises(LeverError, match=r"lever\.yaml:\d+: "):
                load_lever(Path(name))


# ---- finding levers -------------------------------------------------------------------------------------


def test_a_folder_outside_of_the_repository_is_found_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_lever(tmp_path / "elsewhere" / "my lever")
    monkeypatch.chdir(tmp_path)
    assert find_lever(str(folder), Path("levers")).spec.id == "LEV-TEST"
    assert find_lever("elsewhere/my lever", Path("levers")).root == folder.resolve()


def test_a_lever_is_found_by_its_id(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "one", id="LEV-1")
    write_lever(tmp_path / "two", id="LEV-2")
    assert find_lever("LEV-1", tmp_path).root == folder


@pytest.mark.parametrize("name", ["LEV-9", "--help", "$(id)", "x" * 5000, "", "a\0b"])
def test_an_unknown_lever_is_refused_and_the_known_ones_listed(tmp_path: Path, name: str) -> None:
    write_lever(tmp_path / "one", id="LEV-1")
    write_lever(tmp_path / "two", id="LEV-2")
    with pytest.raises(LeverError, match="LEV-1, LEV-2"):
        find_lever(name, tmp_path)


def test_where_there_is_no_lever_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(LeverError, match="has none"):
        find_lever("LEV-1", tmp_path / "missing")


def test_two_folders_with_one_id_are_refused_and_both_named(tmp_path: Path) -> None:
    write_lever(tmp_path / "one")
    write_lever(tmp_path / "two")
    with pytest.raises(LeverError, match=r"one and .*two are both LEV-TEST"):
        list_levers(tmp_path)


# ---- requirements and inert fields ----------------------------------------------------------------------


def test_missing_requirements_are_one_line_with_the_command_that_installs_them(tmp_path: Path) -> None:
    wanted = ["pyyaml", "not-there-at-all", "pytest==0.0.1", "other-thing[x,y]==2.0"]
    lever = load_lever(write_lever(tmp_path / "lever", requires=wanted))
    with pytest.raises(LeverError) as caught:
        check_requirements(lever)
    assert "\n" not in caught.value.message
    assert shlex.split(caught.value.hint) == ["python", "-m", "pip", "install", *wanted[1:]]


def test_requirements_that_are_all_exact_are_installed_without_what_they_ask_for(tmp_path: Path) -> None:
    lever = load_lever(write_lever(tmp_path / "lever", requires=["pytest==0.0.1", "not-there==1"]))
    with pytest.raises(LeverError) as caught:
        check_requirements(lever)
    assert caught.value.hint == "python -m pip install --no-deps pytest==0.0.1 not-there==1"


def test_met_requirements_pass(tmp_path: Path) -> None:
    check_requirements(load_lever(write_lever(tmp_path / "lever", requires=["pytest", "PyYAML", "pydantic[email]"])))


def test_shell_characters_in_fields_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "--version; touch /tmp/x `id` $(id) \x1b[31m\n<script>"
    folder = write_lever(tmp_path / "lever", title=text, claim=text, risk=text, owner_track=text)
    assert load_lever(folder).spec.title == text
    assert prfpipe(["check", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lever"] == "LEV-TEST"


# ---- the schema for editors -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_schema_takes_every_lever_yaml_that_is_shipped(path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    load_lever(path.parent)


# What only the loader knows: the form of the text, the files, what holds over several keys.
LOADER_ONLY = {
    "a key that stands twice", "a scenario that stands twice", "bytes that are not UTF-8", "a control character",
    "nothing at all", "two documents", "broken YAML", "nesting without end", "too many bytes", "an alias", "an anchor",
    "a merge key", "a key that is no text", "a Python tag", "a tag of somebody's own", "a date", "not a number",
    "infinity", "a number of many digits", "a decimal of many digits", "two primary scenarios", "no primary scenario",
    "a scenario name with a newline", "a reversed range", "a speed-up below one", "a workload that is not there",
    "a variant that is not there", "a command of an empty word", "NUL in a command",
    "a target in a file that is not there", "a reason for a file that is not there",
    "a stratum that is no scenario", "a stratum that stands twice", "a stratum that quick effort leaves out",
    "a mutant that is not there", "a mutant in another folder", "a mutant that is the candidate",
    "a mutant in place of a command",
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(WRONG.keys() - LOADER_ONLY))
def test_the_schema_refuses_what_it_can_see(what: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(WRONG[what][0]), json_schema())


def test_efforts_are_ranked_from_short_to_long() -> None:
    assert [effort.rank for effort in (Effort.QUICK, Effort.STANDARD, Effort.RIGOROUS)] == [0, 1, 2]


# ---- the page that describes it -------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "lever-folder.md").read_text()
TEMPLATE = ROOT / "prfpipe" / "cli" / "template"


def test_the_page_describes_every_key() -> None:
    schema = json_schema()
    described = {**schema["properties"], **schema["$defs"]["Scenario"]["properties"]}
    metrics = schema["properties"]["guards"]["propertyNames"]["enum"]
    assert [key for key in (*described, *metrics) if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("name", ["lever.yaml", "candidate.py", "workload.py", "conformance/words.json"])
def test_the_pages_example_is_the_template(name: str) -> None:
    text = (TEMPLATE / name).read_text()
    begin = {"candidate.py": "class Subject", "workload.py": "_WORDS ="}.get(name, "")
    assert text[text.index(begin) :] in PAGE
