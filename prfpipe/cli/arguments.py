"""What the parsers of several commands share: help with examples, and arguments that mean the same everywhere."""

import argparse
import importlib
from collections.abc import Callable

Command = Callable[[argparse.Namespace], int]
Commands = argparse._SubParsersAction

EFFORTS = ("quick", "standard", "rigorous")


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Whose signature is believed."""
    # Repeated, not a list: `audit --trust signer.pub ./bundle` must not take the bundle for a key.
    parser.add_argument(
        "--trust", metavar="KEY", action="append", default=[],
        help="a key id or the file of a public key; only such signers are believed (may stand several times)",
    )  # fmt: skip


def add_command(
    commands: "Commands[argparse.ArgumentParser]", name: str, what: str, *examples: str
) -> argparse.ArgumentParser:
    """A sub-command with a help that ends in examples."""
    parser = commands.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a plan records the command, and is read by its words
    )
    parser.set_defaults(command=loader(name))
    return parser


def loader(name: str) -> Command:
    """A command that imports `prfpipe.cli.<name>` when it is called."""

    def command(arguments: argparse.Namespace) -> int:
        module = importlib.import_module(f"prfpipe.cli.{name}")
        result: int = module.command(arguments)
        return result

    return command


def add_since(parser: argparse.ArgumentParser, beside: str = "") -> None:
    """From which day on; `beside`: what else there is."""
    words = f"only runs that began on this day (UTC) or later{beside}: YYYY-MM-DD"
    parser.add_argument("--since", metavar="DATE", help=words)


def add_store(parser: argparse.ArgumentParser) -> None:
    """Which store."""
    parser.add_argument("--store", metavar="URL", help="folder or s3://bucket/prefix?endpoint=URL (default ./evidence)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """For programs instead of people."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else")
