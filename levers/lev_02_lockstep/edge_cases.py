"""Named sequences of operations: each way in which a structural comparison could miss or invent a difference.

The baseline serializes everything, so it is what the candidate is held against.
"""

from collections.abc import Iterator
from typing import Any

import wire
from handmade import END, OTHER, REFERENCE, compared, failing, head, line, outcomes, pairs, raw, whole
from streams import WINDOW

Operation = dict[str, Any]
Case = tuple[str, list[Operation]]

TIMES = "2026-11-23T14:25:00.008Z", "2031-01-02T03:04:05+01:00"
UUIDS = "bdb013d0-a4c8-4f7e-b421-278590bd1eed", "00000000-0000-4000-8000-000000000000"
TAGGED = (
    '["date",0]', '["date",["NaN"]]', '["regexp","a","g",0]', '["regexp","a","",0]', '["bigint","1"]',
    '["symbol","local","a"]', '["symbol","shared","a"]', '["function","f",1]', '["typed","Uint8Array",1,"00"]',
    '["typed","Buffer",1,"00"]', '["error","Error","Error","E_CODE"]', '["seen",0]', '["Infinity"]',
)  # fmt: skip
SANDBOXES = "/tmp/lockstep-abcdefgh", "file:///home/a-b/c/lockstep-0_9zyxwv"  # noqa: S108  # names, not files
SOME = ['"a"', '["array",1,null]', "2.5", "true", "null", '["undefined"]', '"f"', '"g"']
ALL = whole(SOME)
SILENCE_SECONDS = 5
"""More than a runtime needs to start on a busy machine: one that is late would look silent on one side alone."""
TOLD = {"seed": "1", "planted": 40, "stamped": False}


def cases() -> Iterator[Case]:
    """All edge cases, in a fixed order."""
    yield from _numbers()
    yield from _strings()
    yield from _structure()
    yield from _volatile()
    yield from _volatile_in_part()
    yield from _unreadable()
    yield from _several()
    yield from _alignment()
    yield from _failures()
    yield from _real()


def _numbers() -> Iterator[Case]:
    yield "0.0 and -0.0", [pairs(("0.0", "-0.0"), ("-0.0", "0.0"), ("0.0", "0.0"), ("-0.0", "-0.0"), ('["-0"]', "0"))]
    yield "-0 without its tag", [pairs(("0", "-0"), ("-0", "-0"), ('["array",-0]', '["array",0]'), ('"-0,"', '"-0]"'))]
    big = [("9007199254740992", "9007199254740993"), ("9007199254740993", "9007199254740993.0")]
    yield "integers from 2^53", [pairs(*big, ("9223372036854775807", "9223372036854775808"))]
    huge = ("18446744073709551616", "18446744073709551617", "18446744073709551616.0")
    same = [f'["array",{huge[0]},"{when}"]' for when in TIMES]
    yield "integers from 2^64", [pairs(huge[:2], huge[1:], (huge[0], "18446744073709551615"), (same[0], same[1]))]
    ones = ("1", "1.0", "true", '"1"', '["1"]', "null")
    mixed = [(one, other) for one in ones for other in ones]
    yield "1, 1.0 and true", [pairs(*mixed), pairs(("0", "false"), ("0.0", "false"), ("0", '""'), ("null", "false"))]
    yield (
        "the same number in other words",
        [pairs(("1e2", "100.0"), ("1E2", "1.0e+2"), ("0.1", "0.10"), ("1e2", "100"))],
    )
    odd = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "null", '["NaN"]')
    yield "NaN, infinities and 1e400", [pairs(*((one, other) for one in odd for other in odd))]


def _strings() -> Iterator[Case]:
    lone = [
        (r'"\ud800"', r'"\ud801"'),
        (r'"a\ud800"', r'"\u0061\ud800"'),
        (r'"\ud83d\udc4d"', '"👍"'),
        (r'"\udc00"', '"?"'),
    ]
    yield (
        "lone surrogates",
        [pairs(*lone, ('["utf16","d800"]', r'"\ud800"'), (r'["array","\ud800",1]', r'["array","\ud800",2]'))],
    )
    yield "escapes", [pairs((r'"\u0061\/"', '"a/"'), (r'"\n"', r'"\\n"'), ('"é"', '"e\u0301"'), (r'"\u0000"', '""'))]
    long = "x" * 3000
    yield (
        "a difference deep in a long string",
        [pairs((f'"{long}a{long}"', f'"{long}b{long}"'), (f'"{long}"', f'"{long}x"'))],
    )


def _structure() -> Iterator[Case]:
    shapes = ('["array"]', '["array",null]', '["array",["undefined"]]', '["array",["hole"]]', "[]", "null", '"array"')
    yield "null and absent", [pairs(*((one, other) for one in shapes for other in shapes))]
    keys = '["object","Object",["a",1],["b",2]]', '["object","Object",["b",2],["a",1]]'
    items = '["map",["a",1],["b",2]]', '["map",["b",2],["a",1]]'
    yield "order of keys", [pairs(keys, items, ('["set",1,2]', '["set",2,1]'), (keys[0], keys[0]))]
    yield "duplicate keys", [pairs(('["object","Object",["a",1],["a",2]]', '["object","Object",["a",2]]'))]
    yield "tags", [pairs(*((one, other) for one in TAGGED for other in TAGGED[:6]))]
    yield "the family is compared too", [compared(1, whole(["1"]), whole(["1"], family="path.parse"))]
    more = [head(1), '[0,"path.join",1,"more"]', END]
    yield "a line with more parts", [compared(1, more, whole(["1"])), compared(1, whole(["1"]), more)]


def _volatile() -> Iterator[Case]:
    yield "times", [pairs(_both('"at {}"', TIMES), ('"2023-12-31T00:00:00Z"', '"2023-12-30T00:00:00Z"'))]
    keys = [
        _both('["object",null,["{}",1]]', TIMES),
        (f'["object",null,["{TIMES[0]}",1]]', f'["object",null,["{TIMES[1]}",2]]'),
    ]
    merged = f'["object",null,["{TIMES[0]}",1],["{TIMES[1]}",2]]', f'["object",null,["{TIMES[1]}",2],["{TIMES[0]}",1]]'
    yield "times in keys", [pairs(*keys, merged)]
    yield (
        "process ids",
        [
            pairs(
                _both('"pid {}!"', ("1", "4194303")), ('"pid 12"', '"pid x"'), ('"rapid 1"', '"rapid 2"'), ("12", "13")
            )
        ],
    )
    other = ('"/tmp/other/a"', '"/home/other/a"')
    yield (
        "absolute paths",
        [
            pairs(
                _both('"at {}/lib/x:1:2"', SANDBOXES),
                _both('"{}"', SANDBOXES),
                (f'"{SANDBOXES[0]}/a"', f'"{SANDBOXES[0]}/b"'),
                other,
            )
        ],
    )


def _volatile_in_part() -> Iterator[Case]:
    yield (
        "random UUIDs",
        [
            pairs(
                _both('"{}"', UUIDS),
                (f'"{UUIDS[0]}"', f'"{UUIDS[0][:-1]}"'),
                (f'"{UUIDS[0]}"', f'"{UUIDS[0].replace("-4", "-5")}"'),
            )
        ],
    )
    yield (
        "volatile in one, something else in the other",
        [pairs((f'"{TIMES[0]}"', '"<time>"'), (f'"{TIMES[0]}"', "1"), ('"pid 1"', '["pid 1"]'))],
    )
    several = f'"{TIMES[0]} pid 7 {SANDBOXES[0]} {UUIDS[0]}"', f'"{TIMES[1]} pid 8 {SANDBOXES[1]} {UUIDS[1]}"'
    yield (
        "several in one string, a difference behind",
        [pairs(several, (several[0][:-1] + 'a"', several[1][:-1] + 'b"'))],
    )


def _both(form: str, each: tuple[str, str]) -> tuple[str, str]:
    return form.replace("{}", each[0]), form.replace("{}", each[1])


def _unreadable() -> Iterator[Case]:
    objects = (
        ('{"a":1,"a":2}', '{"a":2}'),
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('["array",{}]', '["array"]'),
        ("1", "{}"),
    )
    yield "JSON objects lose what they held", [pairs(*objects, ('{"a":1}', '{"a":1}'))]
    broken = ("[1", '"a', "1,]", "tru", "01", '"\\x"', '"\t"', "1")
    yield "no JSON", [pairs(*((one, other) for one in broken for other in broken))]
    texts = [b'[0,"path.join","\xff"]\n', b'[0,"path.join","\xc3\xa9"]\n', b'[0,"path.join","\xed\xa0\x80"]\n']
    both = [[head(1), *raw([text]), END] for text in texts]
    yield (
        "bytes that are no UTF-8",
        [compared(1, both[0], both[1]), compared(1, both[1], both[2]), compared(1, both[0], both[0])],
    )
    yield (
        "deep nesting",
        [
            _nested(depth, "1", inner)
            for depth in (wire.DEEPEST - 1, wire.DEEPEST, 1000, 5000)
            for inner in ("1", "2", '"\\ud800"')
        ],
    )
    frames = [
        "",
        "warning: x",
        "[1]",
        '[-1,"path.join",1]',
        '[1,"path.join",1',
        '["#end"]',
        '["#end",{}]',
        '["#other",1]',
        " ",
    ]
    noisy = [head(8), *frames, *ALL[1:]]
    yield "lines that are no answers", [compared(8, ALL, noisy), compared(8, noisy, ALL), compared(8, noisy, noisy)]
    long = {"head": '[0,"path.join","', "text": "0123456789", "repeat": wire.LONGEST // 10, "tail": '"]'}
    yield "a line that is too long", [compared(2, [head(2), long, line(1, "1"), END], whole(["1", "1"]))]


def _nested(depth: int, one: str, other: str) -> Operation:
    sides = [[head(1), {"head": '[0,"path.join",' + "[" * depth, "text": "]", "repeat": depth, "tail": "]"}, END]]
    for inner in (one, other):
        text = "[" * depth + inner + "]" * depth
        sides.append([head(1), line(0, text), END])
    return compared(1, *sides)


def _several() -> Iterator[Case]:
    yield "a split in two", [outcomes(["1", "2"], ["1", "3"], ["1", "3"], ["1", "2"])]
    yield (
        "three-way and four-way splits",
        [outcomes(["1", "1", "1"], ["2", "1", "1.0"], ["3", "2", "true"], ["3", "3", '"1"'])],
    )
    volatile = [f'"pid {number}"' for number in range(4)]
    yield "several runtimes, only volatile text differs", [outcomes(*([text] for text in volatile))]
    mixed = [["1", "[1", "1", "1"], ["1", "[1", "[1", "2"], ["1", "[2", "1", "{}"], ["1", "1", "[1", "{}"]]
    yield "several runtimes, some unreadable", [outcomes(*mixed)]
    yield (
        "some have the fixture, some have not",
        [
            compared(2, _without(whole(["1", "2"]), *gone[:1]), *(_without(whole(["1", "3"]), at) for at in gone[1:]))
            for gone in ([0, 1, 0], [1, 1, 0], [0, 0, 0], [9, 0, 9])
        ],
    )
    bands = ("fs.errors", "crypto.hash", "json.parse", "vm.run", "child_process.exec", "process.binding", "unknown")
    both = [[head(len(bands)), *(line(at, outcome, name) for at, name in enumerate(bands)), END] for outcome in "12"]
    yield "bands", [compared(len(bands), *both)]
    yield "a runtime against itself, and alone", [compared(8, ALL), outcomes(SOME, SOME, SOME)]
    yield "no fixtures", [outcomes([], [])]


def _without(output: list[str], *ordinals: int) -> list[str]:
    return [text for at, text in enumerate(output) if at - 1 not in ordinals]


def _alignment() -> Iterator[Case]:
    gaps = [compared(8, ALL, _without(ALL, *gone)) for gone in ((0,), (7,), (3, 4, 5), range(8), (0, 2, 4, 6))]
    yield "fixtures are missing", gaps
    yield "fixtures are extra", [compared(8, _without(ALL, 2, 7), ALL), compared(8, _without(ALL, 2), _without(ALL, 3))]
    swapped, changed = [*ALL[:3], ALL[4], ALL[3], *ALL[5:]], [*ALL[:3], ALL[4], line(2, '"x"'), *ALL[5:]]
    backwards = [ALL[0], *ALL[-2:0:-1], END]
    yield "fixtures are reordered", [compared(8, ALL, output) for output in (swapped, changed, backwards)]
    yield "the reference is reordered", [compared(8, backwards, ALL), compared(8, backwards, swapped)]
    twice, contradicted = [*ALL[:5], *ALL[3:]], [*ALL[:5], line(3, '"x"'), line(6, '"x"'), *ALL[5:]]
    yield "fixtures come twice", [compared(8, ALL, twice), compared(8, ALL, contradicted), compared(8, twice, twice)]
    many = whole([str(number) for number in range(3 * WINDOW)])
    late = [many[0], *many[2:-1], many[1], END]
    yield "a fixture comes later than the window", [compared(3 * WINDOW, many, late), compared(3 * WINDOW, late, many)]
    beyond = [*ALL[:-1], line(8, "1"), line(999999999, "1"), END]
    yield "fixtures beyond the corpus", [compared(8, ALL, beyond), compared(8, beyond, beyond)]
    short, changed_last = _without(ALL, 6, 7), [*ALL[:-2], line(7, '"x"'), END]
    yield (
        "what differs is at the end",
        [compared(8, ALL, short), compared(8, short, ALL), compared(8, ALL, changed_last)],
    )


def _failures() -> Iterator[Case]:
    yield (
        "a runtime is not there",
        [compared(8, ALL, None), compared(8, ALL, None, ALL), compared(8, None, ALL), compared(8, None, None)],
    )
    yield (
        "an output is cut off",
        [compared(8, ALL, ALL[:4]), compared(8, ALL[:4], ALL), compared(8, ALL, [*ALL[:4], *raw([b'[3,"pa'])])],
    )
    yield "nothing was printed", [compared(8, ALL, []), compared(8, [], ALL), compared(8, [], [])]
    yield (
        "no header",
        [compared(8, ALL, ALL[1:]), compared(8, ALL, ['["#begin"]', *ALL[1:]]), compared(8, ALL[1:], ALL)],
    )
    other, fewer = [head(8, "2:corpus"), *ALL[1:]], whole(SOME[:7])
    yield (
        "another corpus",
        [compared(8, ALL, other), compared(8, ALL, fewer), compared(7, ALL, ALL), compared(8, None, other, ALL)],
    )
    yield "output goes on behind the end", [compared(8, ALL, [*ALL, line(0, '"a"')])]
    yield "a runtime crashes", [failing(ALL, 4, "exit"), failing(ALL, 0, "exit"), failing(ALL, 10, "exit")]
    yield "a runtime is killed", [failing(ALL, 5, "kill"), failing(ALL, 10, "kill")]
    yield (
        "a runtime ends early without an error",
        [failing(ALL, 5, "end"), failing(ALL, 0, "end"), failing(ALL, 10, "end")],
    )
    yield "a runtime falls silent", [failing(ALL, 5, "hang", SILENCE_SECONDS)]
    yield "a runtime cannot be started", [failing(ALL, 10, "end", python="/no/such/program")]


def _real() -> Iterator[Case]:
    names = ["node-24.19.0", "deno-2.9.8", "bun-1.4.5", "node-20.20.2"]
    told = [{"fixtures": 300, "runtimes": names, "recorded": {**TOLD, "stamped": stamped}} for stamped in (False, True)]
    yield "recorded outputs with planted differences", told
    yield "node and deno, live", [{"fixtures": 96, "runtimes": [REFERENCE, OTHER], "live": {"seed": 5}}]
