"""Canonical bytes, strict reading, digests of files and of sets of files."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.digests import canonical_json, pretty_json, read_json, sha256_file, sha256_hex, sha256_tree
from prfpipe.errors import BundleError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# A lone surrogate is a Python string and no Unicode text.
TEXT_JSON = JSON.filter(lambda value: "\\ud" not in json.dumps(value))


@given(TEXT_JSON)
def test_what_is_written_is_read_back(value: object) -> None:
    assert read_json(canonical_json(value), source="x") == value
    assert read_json(pretty_json(value), source="x") == value


@given(TEXT_JSON)
def test_canonical_form_is_a_fixed_point(value: object) -> None:
    data = canonical_json(value)
    assert canonical_json(read_json(data, source="x")) == data


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(), min_size=2))
def test_canonical_form_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_are_none_are_not_written(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@pytest.mark.parametrize(
    "data",
    [
        b"NaN", b"[Infinity]", b'{"a": -Infinity}', b'{"a": 1, "a": 1}', b'{"x": {"a": 1, "a": 2}}', b'"\xff"',
        b"", b"{", b"[1,]", b"1 2", b"\xef\xbb\xbf1", b"[" * 200_000,
        b"1e999", b'{"a": [-1e400]}',
    ],
    ids=[
        "NaN", "infinity", "minus infinity", "repeated key", "repeated inner key", "bad UTF-8", "empty", "cut off",
        "trailing comma", "two values", "byte order mark", "nested without end",
        "more than a number can be", "less than a number can be",
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"^plan\.json: "):
        read_json(data, source="plan.json")


def test_more_than_the_limit_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prfpipe.digests.MAX_JSON_BYTES", 10)
    with pytest.raises(BundleError, match="11 bytes of JSON"):
        read_json(b"[" + b"1" * 10, source="x")


@given(st.binary(max_size=3000))
def test_a_file_has_the_digest_of_its_bytes(data: bytes) -> None:
    assert sha256_hex(data) == hashlib.sha256(data).hexdigest()


def test_a_large_file_is_digested_in_chunks(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "large").write_bytes(data)
    assert sha256_file(tmp_path / "large") == sha256_hex(data)


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
TREES = st.dictionaries(NAMES, st.sampled_from([sha256_hex(bytes([n])) for n in range(4)]), max_size=5)


@given(TREES, TREES)
def test_two_sets_of_files_have_one_digest_only_if_they_are_the_same(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert (sha256_tree(one) == sha256_tree(other)) == (one == other)


@given(TREES)
def test_a_set_of_files_has_no_order(files: dict[str, str]) -> None:
    assert sha256_tree(dict(reversed(files.items()))) == sha256_tree(files)
