"""How much a divergence matters: by the module of its call family, as the compatibility checker has it."""

CORE = ("fs", "path", "process", "buffer", "events", "stream", "module", "console", "util")
HIGH_VALUE = ("http", "https", "crypto", "child_process", "timers", "url", "dns", "net", "zlib", "os")
BANDS = ("core", "high-value", "edge", "unsafe")

_BY_MODULE = {**dict.fromkeys(CORE, "core"), **dict.fromkeys(HIGH_VALUE, "high-value"), "vm": "unsafe"}
_UNSAFE = {"process.binding", "process.dlopen", "child_process.exec", "child_process.execSync", "globals.eval",
           "globals.Function"}  # fmt: skip


def band_of(family: str) -> str:
    """`core`, `high-value`, `unsafe`; `edge` for every module that no list names."""
    if family in _UNSAFE:
        return "unsafe"
    return _BY_MODULE.get(family.partition(".")[0], "edge")
