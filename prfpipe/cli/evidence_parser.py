"""The sub-commands about what is kept: bundles, stores, audits, results, histories."""

import argparse

from prfpipe.cli.arguments import EFFORTS, Commands, add_command, add_json, add_since, add_store, add_trust, loader


def evidence_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add them."""
    parser = add_command(
        commands, "bundles", "list the bundles in the store, oldest first, and finished runs that are not there yet",
        "prfpipe bundles --lever LEV-01 --since 2026-11-01",
        "prfpipe bundles --limit 100 --after 20261123T081500Z-lev-01-3f9c2a7b",
    )  # fmt: skip
    parser.add_argument("--lever", metavar="ID", help="only bundles of this lever")
    add_since(parser)
    parser.add_argument("--after", metavar="RUN_ID", help="only runs that come after this one")
    parser.add_argument("--limit", metavar="N", type=int, help="at most N of them")
    add_store(parser)
    add_json(parser)
    parser = add_command(
        commands, "results", "show the newest result of each lever, each bundle audited first",
        "prfpipe results --effort standard", "prfpipe results --lever LEV-01 --markdown",
    )  # fmt: skip
    parser.add_argument("--lever", metavar="ID", help="only of this lever")
    parser.add_argument("--effort", choices=EFFORTS, help="only results of this effort")
    parser.add_argument("--markdown", action="store_true", help="as a page, with guards, runs and hosts")
    add_store(parser)
    add_json(parser)
    _history(commands)
    parser = add_command(
        commands, "fetch", "copy a bundle out of the store, each file verified; after an interruption it goes on",
        "prfpipe fetch latest --lever LEV-01 --to ./bundle",
        "prfpipe fetch 20261123T081500Z-lev-01-3f9c2a7b --link --expires 2d",
    )  # fmt: skip
    parser.add_argument("run_id", metavar="RUN_ID", help="a run id, or `latest`")
    parser.add_argument("--lever", metavar="ID", help="with `latest`: of this lever")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="DIR", help="the folder to make (default: one named like the run)")
    what.add_argument("--link", action="store_true", help="copy nothing: print a link to the report and its sha256")
    parser.add_argument(
        "--expires", metavar="SPAN", default="1h", help="with --link: 30m, 12h, 7d (default: %(default)s)"
    )
    add_store(parser)
    add_json(parser)
    parser = add_command(
        commands, "archive", "put finished runs of this machine into the store, again or at last",
        "prfpipe archive 20261123T081500Z-lev-01-3f9c2a7b", "prfpipe archive --all --store s3://bucket/team",
    )  # fmt: skip
    parser.add_argument("run_id", metavar="RUN_ID", nargs="?", help="a finished run in the work folder")
    parser.add_argument("--all", action="store_true", help="every finished run that the store does not have")
    add_store(parser)
    add_json(parser)
    _audit(commands)
    _replay(commands)
    _doctrine(commands)
    _stores(commands)


def _stores(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "store", help="what a store can do, and whether all is well with it",
        description="What a store can do, and whether all is well with it.",
        epilog="examples:\n  prfpipe store probe\n  prfpipe store check --read-data\n  prfpipe store clean --dry-run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _on_store(
        inner, "probe", "find out what the store really guarantees",
        "prfpipe store probe --json", "prfpipe store probe 's3://bucket/team?endpoint=http://127.0.0.1:9000'",
    )  # fmt: skip
    parser = _on_store(
        inner, "check", "walk the whole archive: every statement readable, every file there",
        "prfpipe store check", "prfpipe store check --read-data --lever LEV-01 --since 2026-11-01",
    )  # fmt: skip
    parser.add_argument("--read-data", action="store_true", help="read every byte and compare its sha256")
    parser.add_argument("--lever", metavar="ID", help="only bundles of this lever")
    add_since(parser)
    parser = _on_store(
        inner, "clean", "remove what interrupted work left; never a committed bundle",
        "prfpipe store clean --dry-run", "prfpipe store clean --older-than 30d",
    )  # fmt: skip
    parser.add_argument(
        "--older-than",
        metavar="SPAN",
        default="7d",
        help="not written to for so long: 1h or more (default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _on_store(
    commands: "Commands[argparse.ArgumentParser]", name: str, what: str, *examples: str
) -> argparse.ArgumentParser:
    """A sub-command of `prfpipe store`; the store is its argument, or that of --store."""
    parser = add_command(commands, name, what, *examples)
    parser.set_defaults(command=loader("store"), action=name)
    parser.add_argument("store", metavar="URL", nargs="?", default=argparse.SUPPRESS, help="the store")
    add_store(parser)
    add_json(parser)
    return parser


def _audit(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "audit", "check a bundle file by file and derive its verdict again, offline",
        "prfpipe audit ./bundle", "prfpipe audit 20261123T081500Z-lev-01-3f9c2a7b --json",
        "prfpipe audit --archive --store ./evidence --trust our-bench.pub",
    )  # fmt: skip
    parser.add_argument(
        "bundle", metavar="DIR|RUN_ID", nargs="?", help="the folder of a bundle, or a run id in the store"
    )
    add_trust(parser)
    parser.add_argument("--archive", action="store_true", help="every bundle of the store, and the chains they form")
    parser.add_argument("--lever", metavar="ID", help="with --archive: only of this lever")
    add_since(parser)
    parser.add_argument("--seen", metavar="FILE", help="with --archive: where each chain ended last time; kept up")
    add_store(parser)
    add_json(parser)


def _replay(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "replay", "measure a bundle's plan again on this host, and say whether the effect agrees",
        "prfpipe replay ./bundle", "prfpipe replay 20261123T081500Z-lev-01-3f9c2a7b --effort quick",
    )  # fmt: skip
    parser.add_argument("bundle", metavar="DIR|RUN_ID", help="the folder of a bundle, or a run id in the store")
    parser.add_argument("--lever-folder", metavar="DIR", help="where the lever is (default: by its id under ./levers)")
    parser.add_argument("--effort", choices=EFFORTS, help="instead of the bundle's own")
    parser.add_argument(
        "--within",
        metavar="PERCENT",
        type=float,
        default=2.0,
        help="still the same effect (default: %(default)s)",
    )
    parser.add_argument("--accept-noise", action="store_true", help="measure on a noisy host; the plan records it")
    add_trust(parser)
    add_store(parser)
    add_json(parser)


def _history(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "history", "show each lever over time: change points, and what is left of an adopted gain",
        "prfpipe history", "prfpipe history --lever LEV-01 --html history.html",
        "prfpipe history --since 2026-11-01 --json",
    )  # fmt: skip
    parser.add_argument("--lever", metavar="ID", help="only of this lever")
    add_since(parser, ", and the adopted one")
    parser.add_argument(
        "--tolerance", metavar="PERCENT", type=float, default=20.0,
        help="a gain has rotted when certainly more of it is gone (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--html", metavar="FILE", help="write the page with the trends as well")
    add_store(parser)
    add_json(parser)


def _doctrine(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add_command(
        commands, "doctrine", "check the doctrine's invariants: PRF-001, or PRF-002 with what is missing",
        "prfpipe doctrine", "prfpipe doctrine ./bundle", "prfpipe doctrine --archive ./evidence --json",
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "bundle", metavar="DIR|RUN_ID", nargs="?",
        help="the folder of a bundle, or a run id in the store; without one: the gates of this project",
    )  # fmt: skip
    what.add_argument(
        "--archive", metavar="URL",
        help="a store: the gates, and of each lever its newest adopted bundle (its newest if none was adopted)",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)
