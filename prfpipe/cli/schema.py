"""`prfpipe schema`."""

import argparse

from prfpipe.cli.output import print_json
from prfpipe.lever import json_schema


def command(_: argparse.Namespace) -> int:
    """Print the JSON schema of lever.yaml."""
    print_json(json_schema())
    return 0
