"""Edge cases of LEV-03: scripts that a guest runs, most of them to get at memory that is not its own.

A script is a list of steps (guest.js says what each does). A text in place of a number is a JavaScript expression.
"""

from collections.abc import Iterator
from typing import Any

HEADER = 24
MEMORY = 4 << 20
TABLE = 2 << 20
LOG = 64 << 10

Step = list[Any]
Case = tuple[str, list[dict[str, Any]]]


def script(*parts: Step | list[Step]) -> dict[str, Any]:
    """One operation; a part is a step or a list of steps."""
    steps: list[Step] = []
    for part in parts:
        steps += [part] if isinstance(part[0], str) else part
    return {"script": steps}


def message(at: int, name: str, size: int, reply_at: int = 0, room: int = 0) -> list[Step]:
    """A message of `size` seeded payload bytes, written and not sent."""
    return [["fill", at + HEADER, size, at + size + 1], ["header", at, name, size, reply_at, room]]


def send(at: int, name: str, size: int, reply_at: int = 0, room: int = 0) -> list[Step]:
    """A message, sent."""
    return [*message(at, name, size, reply_at, room), ["call", at, size + HEADER]]


def read(at: int, start: int, size: int, reply_at: int, room: int) -> list[Step]:
    """Ask for `size` bytes of the host's table."""
    written = [["header", at, "read", 8, reply_at, room], ["word", at + HEADER, start], ["word", at + HEADER + 4, size]]
    return [*written, ["call", at, HEADER + 8]]


def refused(*places: tuple[Any, Any], at: int = 64) -> dict[str, Any]:
    """A good message at `at`, which is asked for by each of the places and at last properly."""
    return script(message(at, "crc32", 40), *(["call", *place] for place in places), ["call", at, 64])


def cases() -> Iterator[Case]:
    """All edge cases."""
    yield from _payloads()
    yield from _places()
    yield from _headers()
    yield from _replies()
    yield from _lifetimes()
    yield from _within()
    yield from _batches()


def _payloads() -> Iterator[Case]:
    sizes = [send(0, "crc32", size) for size in (*range(65), 4096, 65536, 1 << 20)]
    yield "each byte of payloads of 0 to 64 bytes, 4 KB, 64 KB and 1 MB", [script(*sizes)]
    yield (
        "the first and the last place in memory",
        [script(send(0, "crc32", 8), send(MEMORY - 64, "crc32", 40), send(0, "crc32", MEMORY - HEADER))],
    )
    yield "messages to lanes", [script(*(send(8 * at, "route", size) for at, size in enumerate((1, 2, 9, 500))))]
    yield "an empty payload where a byte is needed", [script(send(0, "route", 0), send(0, "crc32", 0))]
    wraps = [send(0, "log", size) for size in (10, 60_000, 10_000, LOG, 1)]
    yield "a log that wraps", [script(*wraps), script(send(0, "log", LOG + 1), send(0, "log", 3))]
    yield (
        "the guest reuses its memory after a log call",
        [
            script(send(0, "log", 100), ["fill", 0, 200, 9], send(0, "log", 50)),
            script(["fill", 0, 200, 11]),
        ],
    )


def _places() -> Iterator[Case]:
    end = MEMORY - 64
    yield "offset negative, with a message that far from the end", [refused((-64, 64), (end - MEMORY, 64), at=end)]
    yield "offset negative zero", [refused(("-0", 64), at=0)]
    yield "offset not a number", [refused(("NaN", 64), ("Infinity", 64), ("-Infinity", 64))]
    yield "offset with a fraction", [refused((64.5, 64), (63.99999, 64), (64.0000001, 64))]
    powers = ("2**31", "2**32", "2**32 + 64", "2**53", "2**53 + 64", "-(2**53)", "2**63", "1e308")
    yield "offset of 2^31, 2^32, 2^53 and beyond", [refused(*((power, 64) for power in powers))]
    yield "offset unaligned", [refused(*((64 + step, 64) for step in (1, 2, 4, 7)))]
    other = ("'64'", "64n", "true", "null", "undefined", "[64]", "{}", "{ valueOf() { return 64 } }", "Symbol()")
    yield "offset of another type", [refused(*((kind, 64) for kind in other))]
    yield "length negative, zero, shorter than a header", [refused((64, -64), (64, 0), (64, 8), (64, 23))]
    yield "length not a number", [refused((64, "NaN"), (64, "Infinity"), (64, "-Infinity"))]
    yield "length with a fraction", [refused((64, 64.5), (64, 63.99999), (64, 24.5))]
    yield "length of 2^31, 2^32, 2^53 and beyond", [refused(*((64, power) for power in powers))]
    yield "length of another type", [refused(*((64, kind) for kind in other))]
    beyond = script(message(end, "crc32", 41), ["call", end, 65], ["call", MEMORY, 64], ["call", end, 64])
    yield "length past the end of memory", [beyond]
    last = script(["header", end, "crc32", 1000, 0, 0], ["call", end, 1024], *[send(0, "crc32", 8)])
    yield "a header at the end that promises more than memory holds", [last]
    replaced = refused((64.5, 64), ("NaN", 64), ("'64'", 64), (64, "NaN"))
    replace, restore = "Number.was = Number.isInteger; Number.isInteger = () => true", "Number.isInteger = Number.was"
    yield (
        "the guest replaces Number.isInteger",
        [
            script(["run", replace]),
            replaced,
            script(["run", restore]),
        ],
    )


def _headers() -> Iterator[Case]:
    yield (
        "a size in the header that is not the message's",
        [
            refused((64, 56), (64, 72), (64, 24)),
            script(["header", 0, "crc32", 2**32 - 24], ["call", 0, 24], ["header", 0, "crc32", 8], ["call", 0, 24]),
        ],
    )
    wrong = [message(0, "crc32", 8), ["word", 0, 0], ["word", 4, 0], ["call", 0, 32]]
    part = [message(0, "crc32", 8), ["word", 4, 1], ["call", 0, 32]]
    yield "a function that was not granted", [script(*wrong), script(*part), script(send(0, "crc32", 8))]
    yield (
        "a call's number used twice, or an older one",
        [
            script(send(0, "crc32", 8), ["call", 0, 32], ["word", 8, 0], ["call", 0, 32], send(0, "crc32", 8)),
            script(["word", 8, 1], ["call", 0, 32]),
        ],
    )
    yield "memory that never was a message", [script(["fill", 0, 4096, 3], ["call", 0, 4096], send(0, "crc32", 8))]


def _replies() -> Iterator[Case]:
    fits = read(0, 1000, 100, 512, 100)
    yield (
        "a reply into its room",
        [script(fits, ["peek", 504, 116], read(0, TABLE - 9, 9, 512, 500), ["peek", 0, 1024])],
    )
    yield (
        "a reply of no bytes and one of 1 MB",
        [script(read(0, 5, 0, 64, 0), read(0, 7, 1 << 20, 4096, 1 << 20), ["peek", 4000, (1 << 20) + 200])],
    )
    *asked, ask = read(0, 256, 65, 64, 64)
    yield (
        "a reply longer than its room, with a message behind it",
        [script(asked, message(128, "crc32", 40), ask, ["peek", 0, 256], ["call", 128, 64])],
    )
    places = [(MEMORY - 8, 16), (MEMORY, 1), (2**32 - 1, 1), (2**32 - 4, 2**32 - 4), (0, MEMORY + 1)]
    yield "a reply outside of memory", [script(*(read(0, 0, 1, *place) for place in places), ["peek", 0, 4096])]
    yield "a reply at the end of memory", [script(read(0, 3, 16, MEMORY - 16, 16), ["peek", MEMORY - 64, 64])]
    yield "a reply over the message that asked for it", [script(read(64, 300, 64, 64, 64), ["peek", 0, 256])]
    table = [(TABLE, 1), (TABLE - 1, 2), (2**32 - 1, 2**32 - 1), (0, TABLE + 1)]
    yield "reading outside of the host's table", [script(*(read(0, *place, 512, 4096) for place in table))]
    yield "a request of another length than two numbers", [script(send(0, "read", 7), send(0, "read", 9))]


def _lifetimes() -> Iterator[Case]:
    yield (
        "a host function uses a payload after its call",
        [
            script(send(0, "recall", 8), send(0, "keep", 8), send(64, "recall", 8), send(64, "crc32", 8)),
            script(["fill", 0, 64, 5], send(64, "recall", 8)),
        ],
    )
    yield (
        "a host function fails, and what it held is used later",
        [script(send(0, "fail", 8), send(64, "recall", 8), send(0, "fail", 9), send(64, "crc32", 8))],
    )
    yield "a host function writes into the message", [script(send(0, "scribble", 8), ["peek", 0, 64])]
    for name, step in (("same size", ["transfer"]), ("smaller", ["transfer", 16]), ("larger", ["transfer", 1 << 23])):
        gone = script(send(0, "crc32", 8), message(64, "crc32", 8), step, ["call", 64, 32], ["call", 0, 0])
        yield f"memory transferred away, {name}", [gone, script(["collect"], ["call", 64, 32], ["peek", 64, 32])]
    yield (
        "memory resized",
        [script(send(0, "crc32", 8), ["resize", 1024], send(0, "crc32", 8), ["resize", 1 << 23], send(64, "crc32", 8))],
    )
    storm = [[*send(64 * at, "crc32", 40), ["churn", 300], ["collect"], ["call", 64 * at, 64]] for at in range(12)]
    yield "garbage collected between calls", [script(*storm), script(["collect"], send(0, "crc32", 1 << 20))]


def _within() -> Iterator[Case]:
    """What happens while a call is open: the host calls the guest back."""
    ask = send(0, "notify", 40, 128, 4)
    yield "the guest is called back in mid-call", [script(["listen", send(256, "crc32", 40)], ask, ["bytes", 128, 4])]
    yield (
        "calls within calls, as deep as they may go and deeper",
        [
            script(["listen", send(0, "notify", 24, 128, 4)], ask, send(0, "crc32", 8)),
            script(["listen", send(512, "log", 24)], ask),
        ],
    )
    for name, offset, value in (("reply's place", 16, 4096), ("reply's room", 20, 0), ("size", 12, 2**32 - 1)):
        rewrite = ["listen", [["word", offset, value]]]
        yield (
            f"the guest changes the header's {name} in mid-call",
            [script(rewrite, ask, ["bytes", 128, 8], ["peek", 4096, 16], ["bytes", offset, 4])],
        )
    yield (
        "the guest changes the payload in mid-call",
        [script(["listen", [["fill", 24, 40, 77]]], ask, ["bytes", 128, 4], ["peek", 0, 256])],
    )
    for name, step in (("transfers", ["transfer"]), ("shrinks", ["transfer", 8]), ("resizes", ["resize", 8])):
        yield (
            f"the guest {name} its memory in mid-call",
            [
                script(["listen", [step, ["collect"], ["churn", 300]]], ask, send(256, "crc32", 40)),
                script(["listen", []], ask),
            ],
        )
    yield (
        "the guest throws in mid-call",
        [
            script(
                ["listen", [["word", 16, 64], ["throw", "enough"]]], ask, ["listen", []], send(0, "notify", 40, 128, 4)
            )
        ],
    )
    yield (
        "a host function fails within a call",
        [script(["listen", [*send(256, "fail", 40), *send(512, "recall", 8)]], ask, ["bytes", 128, 4])],
    )
    nested = [["churn", 300], ["collect"], *send(256, "crc32", 4000), ["churn", 300], ["collect"]]
    yield "garbage collected in mid-call", [script(["listen", nested], *[ask for _ in range(5)], ["bytes", 128, 4])]


def _batches() -> Iterator[Case]:
    mix = [[name, size] for name in ("route", "crc32", "log", "read") for size in (1, 64, 5000)]
    yield (
        "batches of all functions and sizes",
        [{"seed": seed, "calls": 200, "mix": mix, "tableBytes": TABLE} for seed in (1, 2, 3)],
    )
    yield "a batch of no calls", [{"seed": 1, "calls": 0, "mix": mix, "tableBytes": TABLE}]
