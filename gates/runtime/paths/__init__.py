"""The hot paths, one module each, with a class `HotPath(runtime, workdir)`.

`perform(operation, by)` does one operation of the lever that the path was taken from, on behalf of a principal.
"""
