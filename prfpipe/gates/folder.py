"""The folder of a gate's run: the report, its page, samples, profiles and events; `digests.json` goes last."""

from pathlib import Path

from prfpipe.bundle import RunFolder
from prfpipe.digests import pretty_json
from prfpipe.events import events_bytes
from prfpipe.gates.events import events_for
from prfpipe.gates.findings import SAMPLES, Findings, samples_bytes
from prfpipe.gates.history import DIGESTS, REPORT, GateDigests, past_runs
from prfpipe.gates.page import page
from prfpipe.models import GateReport

PAGE, EVENTS = "report.html", "events.jsonl"


def write_report(report: GateReport, found: Findings, parent: Path) -> GateReport:
    """Write the folder of a run. Without `digests.json`, which names all others, a folder is not finished.

    Raises:
        BundleError: the disk refused.
    """
    earlier = past_runs(parent, report)
    files = {
        SAMPLES: samples_bytes(found),
        **found.files,
        EVENTS: events_bytes(events_for(report)),
        REPORT: pretty_json(report.model_dump(mode="json")),
        PAGE: page(report, found, earlier),
    }
    with RunFolder.create(parent / report.id, report.run_id) as folder:
        digests = GateDigests(files={name: folder.write(name, data) for name, data in files.items()})
        folder.write(DIGESTS, pretty_json(digests.model_dump(mode="json")))
    return report


def write_interrupted(found: Findings, folder: Path) -> None:
    """Keep the samples of a run that came to no answer. Raises `BundleError`."""
    with RunFolder.create(folder.parent, folder.name) as opened:
        opened.write(SAMPLES, samples_bytes(found))


def folder_of(report: GateReport, parent: Path) -> Path:
    """Where `write_report` put a report's files."""
    return parent / report.id / report.run_id
