"""Known-bad outputs: ways in which a wrong lever's result differs from the right one.

Each kind turns an exhibit into altered results. Where a kind applies at many places of a result, the first and the
last of them are altered, and one in the middle of each group of places that differ in nothing but their numbers in
lists, so that an oracle that looks at one end or at some fields only is found out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from prfpipe.prove.stand import Exhibit

MOST_GROUPS = 8
"""Of a kind and an exhibit; a larger result than this many values has one, since each alteration is sent as a whole."""
_LARGE = 5000

Path = tuple[str | int, ...]
Altered = tuple[str, object]
"""Where a result was altered, for people, and the altered result."""


def _whole(alter: Callable[[Exhibit], Iterable[object]]) -> Callable[[Exhibit], Iterator[Altered]]:
    def altered_results(exhibit: Exhibit) -> Iterator[Altered]:
        yield from (("the whole result", altered) for altered in alter(exhibit))

    return altered_results


def _inside(applies: Callable[[Any], bool], alter: Callable[[Any], object]) -> Callable[[Exhibit], Iterator[Altered]]:
    def altered_results(exhibit: Exhibit) -> Iterator[Altered]:
        values = list(_walk(exhibit.result))
        for path in _chosen([path for path, value in values if applies(value)], len(values)):
            yield _pointer(path), _replaced(exhibit.result, path, alter)

    return altered_results


def _without_a_key(exhibit: Exhibit) -> Iterator[Altered]:
    values = list(_walk(exhibit.result))
    for path in _chosen([path for path, _ in values if path and isinstance(path[-1], str)], len(values)):
        *place, gone = path
        yield _pointer(path), _replaced(exhibit.result, tuple(place), partial(_without, gone=gone))


def _chosen(places: list[Path], values: int) -> Iterable[Path]:
    groups: dict[Path, list[Path]] = {}
    for path in places:
        groups.setdefault(tuple(key for key in path if isinstance(key, str)), []).append(path)
    middles = [group[len(group) // 2] for group in groups.values()]
    most = MOST_GROUPS if values <= _LARGE else 1
    return dict.fromkeys([*places[:1], *places[-1:], *middles[:: -(-len(middles) // most) or 1]])


def _walk(value: object) -> Iterator[tuple[Path, object]]:
    """Every value in a JSON value with its path, in document order; without recursion: it may be deep."""
    todo: list[tuple[Path, object]] = [((), value)]
    while todo:
        path, value = todo.pop()
        yield path, value
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        todo.extend(((*path, key), item) for key, item in reversed(list(items)))


def _replaced(value: Any, path: Path, alter: Callable[[Any], object]) -> object:
    if not path:
        return alter(value)
    root = parent = value.copy()
    for key in path[:-1]:
        parent[key] = parent[key].copy()
        parent = parent[key]
    parent[path[-1]] = alter(parent[path[-1]])
    return root


def _pointer(path: Path) -> str:
    return "/" + "/".join(str(part) for part in path) if path else "the whole result"


def _empty(value: object) -> object:
    return type(value)() if isinstance(value, dict | list) else ""


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _full_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _other_character(text: str) -> str:
    return text[:-1] + ("x" if text[-1] != "x" else "y")


def _without(value: dict[str, object], gone: object) -> dict[str, object]:
    return {key: item for key, item in value.items() if key != gone}


BAD_OUTPUTS: Mapping[str, Callable[[Exhibit], Iterator[Altered]]] = {
    "empty": _whole(lambda exhibit: [_empty(exhibit.result)]),
    "null": _whole(lambda exhibit: [None]),
    "stale": _whole(lambda exhibit: exhibit.previous),
    "echoed-input": _whole(lambda exhibit: [exhibit.operation]),
    "off-by-one": _inside(_number, lambda number: number + 1),
    "number-as-string": _inside(_number, str),
    "nan-as-null": _inside(_number, lambda number: None),
    "sign-of-zero": _inside(lambda value: isinstance(value, float) and value == 0, lambda zero: -zero),
    "flipped": _inside(lambda value: isinstance(value, bool), lambda value: not value),
    "reordered": _inside(lambda value: isinstance(value, list) and value != value[::-1], lambda value: value[::-1]),
    "dropped-last": _inside(_full_list, lambda value: value[:-1]),
    "duplicated": _inside(_full_list, lambda value: [*value, value[-1]]),
    "changed-character": _inside(lambda value: isinstance(value, str) and value != "", _other_character),
    "dropped-key": _without_a_key,
}
