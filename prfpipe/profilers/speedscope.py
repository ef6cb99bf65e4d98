"""Folded stacks as a speedscope file (its "sampled" profile, file-format-schema.json)."""

from prfpipe.digests import canonical_json
from prfpipe.profilers.frames import Frame, Stacks


def speedscope(stacks: Stacks, *, title: str) -> bytes:
    """The bytes of a `.speedscope.json`; weights are numbers of samples, stacks are sorted by their names."""
    order = sorted(stacks)
    index = {frame: at for at, frame in enumerate(sorted({frame for stack in order for frame in stack}))}
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "prfpipe",
        "name": title,
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in index]},
        "profiles": [
            {
                "type": "sampled",
                "name": title,
                "unit": "none",
                "startValue": 0,
                "endValue": sum(stacks.values()),
                "samples": [[index[frame] for frame in stack] for stack in order],
                "weights": [stacks[stack] for stack in order],
            }
        ],
    }
    return canonical_json(document) + b"\n"


def _frame(frame: Frame) -> dict[str, str]:
    return {"name": frame.function, "file": frame.file} if frame.file else {"name": frame.function}
