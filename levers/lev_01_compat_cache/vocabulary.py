"""The words that facts are about: names of builtin modules and of globals.

They are no part of the recorded tables: facts must not change when a table does.
"""

BUILTINS = {
    "assert", "assert/strict", "async_hooks", "buffer", "child_process", "cluster", "console", "constants",
    "crypto", "dgram", "diagnostics_channel", "dns", "dns/promises", "domain", "events", "fs",
    "fs/promises", "http", "http2", "https", "inspector", "inspector/promises", "module", "net", "os",
    "path", "path/posix", "path/win32", "perf_hooks", "process", "punycode", "querystring", "readline",
    "readline/promises", "repl", "stream", "stream/consumers", "stream/promises", "stream/web",
    "string_decoder", "sys", "timers", "timers/promises", "tls", "trace_events", "tty", "url", "util",
    "util/types", "v8", "vm", "wasi", "worker_threads", "zlib",
}  # fmt: skip
ROOTS = ("process", "globalThis", "global")
CALLED = ("eval", "Function")
GLOBALS = (*ROOTS, *CALLED, "Buffer", "BroadcastChannel", "WebSocket", "clearImmediate", "fetch",
           "queueMicrotask", "setImmediate", "structuredClone")  # fmt: skip
"""Free names that are looked at. `eval` and `Function` count only where they are called."""


def builtin(specifier: str | None) -> str | None:
    """The builtin module that a specifier names: `node:fs` is `fs`, `node:test` has no other name."""
    if specifier in BUILTINS:
        return specifier
    if specifier is None or not specifier.startswith("node:"):
        return None
    bare = specifier.removeprefix("node:")
    return bare if bare in BUILTINS else specifier
