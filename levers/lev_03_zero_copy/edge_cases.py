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


def case(name: str, *operations: dict[str, Any]) -> Case:
    """A named sequence of operations."""
    return name, list(operations)


def cases() -> Iterator[Case]:
    """All edge cases."""
    yield from _payloads()
    yield from _places()
    yield from _headers()
    yield from _replies()
    yield from _lifetimes()
    yield from _within()
    yield from _changes_in_mid_call()
    yield from _batches()


def _payloads() -> Iterator[Case]:
    sizes = [send(0, "crc32", size) for size in (*range(65), 4096, 65536, 1 << 20)]
    yield case("each byte of payloads of 0 to 64 bytes, 4 KB, 64 KB and 1 MB", script(*sizes))
    places = script(send(0, "crc32", 8), send(MEMORY - 64, "crc32", 40), send(0, "crc32", MEMORY - HEADER))
    yield case("the first and the last place in memory", places, refused(("-0", 64), at=0))
    lanes = [send(8 * at, "route", size) for at, size in enumerate((1, 2, 9, 500))]
    yield case("messages to lanes", script(*lanes))
    yield case("an empty payload where a byte is needed", script(send(0, "route", 0), send(0, "crc32", 0)))
    wraps = [send(0, "log", size) for size in (10, 60_000, 10_000, LOG, 1)]
    yield case("a log that wraps", script(*wraps), script(send(0, "log", LOG + 1), send(0, "log", 3)))
    reused = script(send(0, "log", 100), ["fill", 0, 200, 9], send(0, "log", 50))
    yield case("the guest reuses its memory after a log call", reused, script(["fill", 0, 200, 11]))


def _places() -> Iterator[Case]:
    end = MEMORY - 64
    negative = refused((-64, 64), (end - MEMORY, 64), at=end)
    yield case("offset negative, with a message that far from the end", negative)
    yield case("offset unaligned", refused(*((64 + step, 64) for step in (1, 2, 4, 7))))
    yield case("length negative, zero, shorter than a header", refused((64, -64), (64, 0), (64, 8), (64, 23)))
    yield case("a place that is not a number", refused(*_either("NaN", "Infinity", "-Infinity")))
    yield case("a place with a fraction", refused(*_either(64.5, 63.99999, 64.0000001)))
    powers = ("2**31", "2**32", "2**32 + 64", "2**53", "2**53 + 64", "-(2**53)", "2**63", "1e308")
    yield case("a place of 2^31, 2^32, 2^53 and beyond", refused(*_either(*powers)))
    other = ("'64'", "64n", "true", "null", "undefined", "[64]", "{}", "{ valueOf() { return 64 } }", "Symbol()")
    yield case("a place of another type", refused(*_either(*other)))
    beyond = script(message(end, "crc32", 41), ["call", end, 65], ["call", MEMORY, 64], ["call", end, 64])
    yield case("length past the end of memory", beyond)
    promised = script(["header", end, "crc32", 1000], ["call", end, 1024], send(0, "crc32", 8))
    yield case("a header at the end that promises more than memory holds", promised)
    replace = script(["run", "Number.was = Number.isInteger; Number.isInteger = () => true"])
    restore = script(["run", "Number.isInteger = Number.was"])
    yield case("the guest replaces Number.isInteger", replace, refused(*_either(64.5, "NaN", "'64'")), restore)


def _either(*numbers: Any) -> Iterator[tuple[Any, Any]]:
    """Places with each of the numbers as their offset, and as their length."""
    for number in numbers:
        yield number, 64
        yield 64, number


def _headers() -> Iterator[Case]:
    sizes = [["header", 0, "crc32", 2**32 - 24], ["call", 0, 24], ["header", 0, "crc32", 8], ["call", 0, 24]]
    places = refused((64, 56), (64, 72), (64, 24))
    yield case("a size in the header that is not the message's", places, script(*sizes))
    wrong = script(message(0, "crc32", 8), ["word", 0, 0], ["word", 4, 0], ["call", 0, 32])
    partly = script(message(0, "crc32", 8), ["word", 4, 1], ["call", 0, 32])
    yield case("a function that was not granted", wrong, partly, script(send(0, "crc32", 8)))
    twice = script(send(0, "crc32", 8), ["call", 0, 32], ["word", 8, 0], ["call", 0, 32], send(0, "crc32", 8))
    yield case("a call's number used twice, or an older one", twice, script(["word", 8, 1], ["call", 0, 32]))
    never = script(["fill", 0, 4096, 3], ["call", 0, 4096], send(0, "crc32", 8))
    yield case("memory that never was a message", never)


def _replies() -> Iterator[Case]:
    first, last = read(0, 1000, 100, 512, 100), read(0, TABLE - 9, 9, 512, 500)
    yield case("a reply into its room", script(first, ["peek", 504, 116], last, ["peek", 0, 1024]))
    large = script(read(0, 5, 0, 64, 0), read(0, 7, 1 << 20, 4096, 1 << 20), ["peek", 4000, (1 << 20) + 200])
    yield case("a reply of no bytes and one of 1 MB", large)
    *asked, ask = read(0, 256, 65, 64, 64)
    behind = script(asked, message(128, "crc32", 40), ask, ["peek", 0, 256], ["call", 128, 64])
    yield case("a reply longer than its room, with a message behind it", behind)
    places = [(MEMORY - 8, 16), (MEMORY, 1), (2**32 - 1, 1), (2**32 - 4, 2**32 - 4), (0, MEMORY + 1)]
    outside = script(*(read(0, 0, 1, *place) for place in places), ["peek", 0, 4096])
    yield case("a reply outside of memory", outside)
    yield case("a reply at the end of memory", script(read(0, 3, 16, MEMORY - 16, 16), ["peek", MEMORY - 64, 64]))
    yield case("a reply over the message that asked for it", script(read(64, 300, 64, 64, 64), ["peek", 0, 256]))
    table = [(TABLE, 1), (TABLE - 1, 2), (2**32 - 1, 2**32 - 1), (0, TABLE + 1)]
    yield case("reading outside of the host's table", script(*(read(0, *place, 512, 4096) for place in table)))
    yield case("a request of another length than two numbers", script(send(0, "read", 7), send(0, "read", 9)))


def _lifetimes() -> Iterator[Case]:
    kept = script(send(0, "recall", 8), send(0, "keep", 8), send(64, "recall", 8), send(64, "crc32", 8))
    yield case("a host function uses a payload after its call", kept, script(send(64, "recall", 8)))
    failed = script(send(0, "fail", 8), send(64, "recall", 8), send(0, "fail", 9), send(64, "crc32", 8))
    yield case("a host function fails, and what it held is used later", failed)
    yield case("a host function writes into the message", script(send(0, "scribble", 8), ["peek", 0, 64]))
    for name, size in (("same size", []), ("other size", [1 << 23])):
        gone: list[Any] = [
            send(0, "crc32", 8),
            message(64, "crc32", 8),
            ["transfer", *size],
            ["call", 64, 32],
            ["call", 0, 0],
        ]
        later = script(["collect"], ["call", 64, 32], ["peek", 64, 32])
        yield case(f"memory transferred away, {name}", script(*gone), later)
    resized: list[Any] = [
        send(0, "crc32", 8),
        ["resize", 1024],
        send(0, "crc32", 8),
        ["resize", 1 << 23],
        send(64, "crc32", 8),
    ]
    yield case("memory resized", script(*resized))
    storm = [[*send(64 * at, "crc32", 40), ["churn", 300], ["collect"]] for at in range(12)]
    yield case("garbage collected between calls", script(*storm), script(["collect"], send(0, "crc32", 1 << 20)))


ASK = send(0, "notify", 40, 128, 4)
"""A call in which the host calls the guest back."""


def _within() -> Iterator[Case]:
    """Calls that are made, or fail, while another one is open."""
    called = script(["listen", send(256, "crc32", 40)], ASK, ["bytes", 128, 4])
    yield case("the guest is called back in mid-call", called)
    deep = script(["listen", send(0, "notify", 24, 128, 4)], ASK, send(0, "crc32", 8))
    yield case(
        "calls within calls, as deep as they may go and deeper", deep, script(["listen", send(8, "log", 24)], ASK)
    )
    throws = ["listen", [["word", 16, 64], ["throw", "enough"]]]
    yield case("the guest throws in mid-call", script(throws, ASK, ["listen", []], ASK))
    fails = ["listen", [*send(256, "fail", 40), *send(512, "recall", 8)]]
    yield case("a host function fails within a call", script(fails, ASK, ["bytes", 128, 4]))
    storm = ["listen", [["churn", 300], ["collect"], *send(256, "crc32", 4000), ["churn", 300], ["collect"]]]
    yield case("garbage collected in mid-call", script(storm, ASK, ASK, ASK, ["bytes", 128, 4]))


def _changes_in_mid_call() -> Iterator[Case]:
    """What was checked is changed while the call is open."""
    words = [(16, 4096), (20, 0), (12, 2**32 - 1), (8, 0), (0, 0)]
    looks = [["bytes", 128, 8], ["peek", 4096, 16]]
    rewrites = [script(["listen", [["word", *word]]], ASK, *looks, ["bytes", word[0], 4]) for word in words]
    yield case("the guest changes the header in mid-call", *rewrites)
    payload = ["listen", [["fill", 24, 40, 77]]]
    yield case("the guest changes the payload in mid-call", script(payload, ASK, ["bytes", 128, 4], ["peek", 0, 256]))
    for name, step in (("transfers", ["transfer", 8]), ("resizes", ["resize", 8])):
        during = script(["listen", [step, ["collect"], ["churn", 300]]], ASK, send(256, "crc32", 40))
        yield case(f"the guest {name} its memory in mid-call", during, script(["listen", []], ASK))


def _batches() -> Iterator[Case]:
    mix = [[name, size] for name in ("route", "crc32", "log", "read") for size in (1, 64, 5000)]
    runs = [(1, 200), (2, 200), (3, 0), (4, 200)]
    batches = [{"seed": seed, "calls": calls, "mix": mix, "tableBytes": TABLE} for seed, calls in runs]
    yield case("batches of all functions and sizes", *batches)
