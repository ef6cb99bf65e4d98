"""lever.yaml -> Lever, strictly: every error names the file, the line and what was expected."""

from prfpipe.lever.folder import Lever, check_requirements, find_lever, list_levers, load_lever
from prfpipe.lever.shape import json_schema
from prfpipe.lever.text import FILE_NAME, MAX_BYTES

__all__ = [
    "FILE_NAME",
    "MAX_BYTES",
    "Lever",
    "check_requirements",
    "find_lever",
    "json_schema",
    "list_levers",
    "load_lever",
]
