"""Files by their digests: the tree that is measured, and a bundle."""

from pydantic import Field

from prfpipe.models.base import Record, Sha256


class TreeRecord(Record):
    """The candidate tree that is measured: its files, its digest and what differs from the baseline's."""

    files: dict[str, Sha256]
    digest: Sha256
    changed_files: tuple[str, ...]
    outside_path: tuple[str, ...]


class FileDigest(Record):
    """A file of a bundle."""

    sha256: Sha256
    size: int = Field(ge=0)
