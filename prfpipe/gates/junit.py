"""JUnit XML: a suite for each gate, a case for each subject.

Over budget is a failure, undecided an error of type `undecided`, out of scope skipped; a gate that measured nothing
has one case, an error. So whatever reads JUnit (GitLab's `artifacts:reports:junit`, Jenkins, GitHub actions that
publish results) shows red for all that is not a pass.
"""

import shlex
from collections.abc import Sequence
from xml.etree import ElementTree

from prfpipe.artifacts.names import clean
from prfpipe.gates.summary import Ended, Failed, figure, limit
from prfpipe.models import GateCheck, GateReport

_MAX_TEXT = 2000


def junit_xml(ended: Sequence[Ended]) -> bytes:
    """The document; times are the gates' in seconds, a case's figures are its properties and its output."""
    root = ElementTree.Element("testsuites", name="prfpipe gates")
    for item in ended:
        root.append(_failed_suite(item) if isinstance(item, Failed) else _suite(item))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _suite(report: GateReport) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=f"{report.id} {_text(report.title)}")
    suite.set("timestamp", report.provenance.created_at[:19])
    suite.set("hostname", _text(report.host.name))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        ElementTree.SubElement(properties, "property", name=name, value=_text(value))
    suite.extend(_case(report, check) for check in report.checks)
    # No subject has a share of the time of its own: their samples are taken in turn.
    return _counted(suite, report.wall_seconds)


def _properties(report: GateReport) -> dict[str, str]:
    return {
        "profile": report.profile.value,
        "answer": report.state,
        "run_id": report.run_id,
        "budget_version": str(report.budget_version),
        "spec_sha256": report.spec_sha256,
        **({"program": shlex.join(report.program)} if report.program else {}),
    }


def _case(report: GateReport, check: GateCheck) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=f"prfpipe.{report.id}", name=_text(check.subject), time="0")
    match check.state:
        case "fail":
            _add(case, "failure", check.message, "over-budget")
        case "undecided":
            _add(case, "error", check.message, "undecided")
        case "out-of-scope":
            ElementTree.SubElement(case, "skipped", message=_text(check.message))
        case "pass" | "warn":
            pass
    ElementTree.SubElement(case, "system-out").text = _text("; ".join(_figures(check)))
    return case


def _figures(check: GateCheck) -> list[str]:
    found = [check.state, f"value {figure(check.value, check.unit)}"]
    found.append(f"bounds [{figure(check.low, check.unit)}, {figure(check.high, check.unit)}]")
    found += [f"budget {limit(check)}", f"{check.samples} samples", check.message]
    return found + ([f"flamegraph: {check.flamegraph}"] if check.flamegraph else [])


def _failed_suite(item: Failed) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=f"{item.id} {_text(item.title)}")
    case = ElementTree.SubElement(suite, "testcase", classname=f"prfpipe.{item.id}", name="measured", time="0")
    _add(case, "error", f"{item.message} {item.hint}", item.kind)
    return _counted(suite, 0.0)


def _add(case: ElementTree.Element, tag: str, message: str, kind: str) -> None:
    ElementTree.SubElement(case, tag, message=_text(message), type=kind).text = _text(message)


def _counted(suite: ElementTree.Element, seconds: float) -> ElementTree.Element:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{seconds:.3f}")
    return suite


def _text(text: str) -> str:
    """XML 1.0 has no way to write most control characters, not even escaped."""
    return clean(text, _MAX_TEXT)
