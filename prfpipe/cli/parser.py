"""All sub-commands with their flags and examples. Only argparse is imported; a command loads what it needs."""

import argparse
import sys
from collections.abc import Sequence

from prfpipe.cli.arguments import EFFORTS, Commands, add_command, add_json, add_store, loader
from prfpipe.cli.evidence_parser import evidence_commands

PROFILES = ("dev_local", "ci_dev", "enterprise")

_EPILOG = """examples:
  prfpipe new my_lever
  prfpipe evaluate my_lever --inline
  prfpipe fetch latest --to ./bundle
  prfpipe audit ./bundle

exit codes:
  0 adopt or pass, 1 reject or over budget, 2 bad input or usage, 3 undecided, 4 tool or infrastructure failure

settings: PRFPIPE_STORE, PRFPIPE_STORES, PRFPIPE_RUNS, PRFPIPE_KEY_FOLDER, PRFPIPE_CHAINS, PRFPIPE_LEVERS,
  PRFPIPE_GATES, PRFPIPE_GATE_REPORTS, PRFPIPE_HOST, PRFPIPE_LOCK, PRFPIPE_SUBJECT_TIMEOUT_SECONDS,
  PRFPIPE_NOISE_LIMIT_PERCENT, PRFPIPE_UP, PRFPIPE_WEBHOOK, PRFPIPE_SEEN
"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; `command` of the result is the function to call. Ends the process on bad usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    # What stands after `--` is another program's command line: argparse must not read it as ours.
    at = words.index("--") if words[:1] == ["gate"] and "--" in words else len(words)
    parser = build_parser()
    arguments = parser.parse_args(words[:at])
    arguments.program = tuple(words[at + 1 :])
    if at < len(words) and not "".join(arguments.program).strip():
        # A variable that is not set: the gate would measure the runtime in its place, and might pass.
        parser.error("no COMMAND stands behind `--`: leave `--` out, or say what to measure")
    return arguments


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    # For each parser anew, argparse looks on the disk for translations of its own words, which prfpipe does not
    # have: that would be a third of the time of --help.
    vars(argparse)["_"] = str
    parser = argparse.ArgumentParser(
        prog="prfpipe",
        description="Put a claimed optimization through the MS-01 loop and end with a verdict anyone can check.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _evaluate(commands)
    _levers(commands)
    evidence_commands(commands)
    _keys(commands)
    _gate(commands)
    _up(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: importlib.metadata takes longer than the rest of --help."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"prfpipe {version('prfpipe')}")
        parser.exit()


def _evaluate(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "evaluate",
        "run the loop for a lever and archive the evidence",
        "prfpipe evaluate LEV-01",
        "prfpipe evaluate path/to/lever --effort quick --inline",
        "prfpipe evaluate LEV-01 --effort standard --json --store 's3://bucket/team?endpoint=http://127.0.0.1:9000'",
        "prfpipe evaluate all --effort standard --inline",
        "prfpipe evaluate LEV-01 --resume 20261123T081500Z-lev-01-3f9c2a7b",
    )
    parser.add_argument(
        "lever",
        metavar="LEVER",
        help="id of a lever under ./levers, the path of a lever folder, or `all`: every lever under ./levers, in turn",
    )
    parser.add_argument(
        "--effort",
        choices=EFFORTS,
        help="about 1, 3 or 15 min of measuring (default: quick; of a run that is resumed, its own)",
    )
    parser.add_argument("--inline", action="store_true", help="run the same stages without Prefect")
    parser.add_argument("--resume", metavar="RUN_ID", help="go on with a run that was interrupted")
    parser.add_argument("--accept-noise", action="store_true", help="measure on a noisy host; the plan records it")
    parser.add_argument(
        "--seed", type=int,
        help="seed of schedules and operations, to repeat a run (default: a fresh one, which no candidate can read)",
    )  # fmt: skip
    parser.add_argument(
        "--reprofiles", metavar="RUN_ID",
        help="the adopted run whose gain is looked at again; `prfpipe history` says what is left",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)


def _levers(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "levers", "list the levers under ./levers", "prfpipe levers", "prfpipe levers --json"
    )
    add_json(parser)
    parser = add_command(
        commands, "check", "check a lever folder: its lever.yaml, what it requires, one operation on both variants",
        "prfpipe check levers/lev_01_compat_cache",
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="a lever folder")
    add_json(parser)
    parser = add_command(commands, "new", "write a lever folder to start from", "prfpipe new levers/my_lever")
    parser.add_argument("folder", metavar="DIR", help="the folder to make; it must not exist")
    add_command(commands, "schema", "print the JSON schema of lever.yaml", "prfpipe schema > lever.schema.json")


def _keys(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "keys", "the key that signs evidence, and the keys whose evidence you believe",
        "prfpipe keys init", "prfpipe keys show --pem > our-bench.pub", "prfpipe keys trust our-bench.pub",
    )  # fmt: skip
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="action")
    _action(inner, "init", "make a signing key, if there is none yet", "prfpipe keys init")
    show = _action(
        inner, "show", "show the key folder: own keys, trusted keys", "prfpipe keys show", "prfpipe keys show --pem"
    )
    show.add_argument("--pem", action="store_true", help="print the own public key alone, to hand on")
    trust = _action(
        inner, "trust", "believe what a key signs: from then on evidence by any other key is refused",
        "prfpipe keys trust our-bench.pub", "prfpipe keys trust own",
    )  # fmt: skip
    trust.add_argument(
        "key", metavar="FILE|KEYID|own",
        help="a public key in PEM form, the rotation statement of a key that is trusted already, or a key of your own",
    )  # fmt: skip
    _action(inner, "rotate", "sign with a new key from now on; the old one signs that it does", "prfpipe keys rotate")


def _action(
    inner: "Commands[argparse.ArgumentParser]", name: str, what: str, *examples: str
) -> argparse.ArgumentParser:
    parser = add_command(inner, name, what, *examples)
    parser.set_defaults(command=loader("keys"))
    add_json(parser)
    return parser


def _gate(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "gate",
        "hold the runtime against the budgets of PRF-01 to PRF-04, for CI",
        "prfpipe gate PRF-01",
        "prfpipe gate all --profile ci_dev --junit gates.xml",
        "prfpipe gate PRF-01 -- node server.js --once",
        "prfpipe gate check --against origin/main",
    )
    parser.add_argument(
        "gate",
        metavar="GATE",
        help="PRF-01, PRF-02, PRF-03, PRF-04, the path of a gate's folder, `all`, or `check`: budgets and ledgers only",
    )
    parser.add_argument("--profile", choices=PROFILES, default=PROFILES[0], help="whose budgets (default: %(default)s)")
    parser.add_argument(
        "--effort", choices=EFFORTS, default="standard", help="at most 370, 1000 or 2000 samples of each subject"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="at most N samples of each subject instead")
    parser.add_argument("--seconds", type=float, metavar="S", help="at most S seconds for each hot path (PRF-03)")
    parser.add_argument("--ready", metavar="TEXT", default="", help="with COMMAND: the line that says it is ready")
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML as well")
    parser.add_argument("--against", metavar="COMMIT", help="with `check`: ledgers may only have grown since")
    add_json(parser)


def _up(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "up", "start a local Prefect server with pool, worker and deployments; Ctrl-C stops all of it",
        "prfpipe up", "prfpipe up --s3", "prfpipe up --status --json",
    )  # fmt: skip
    parser.add_argument("--s3", action="store_true", help="also a local S3 server, to which runs archive")
    parser.add_argument("--status", action="store_true", help="only say what is up: exit 0 if all of it is healthy")
    add_json(parser)
