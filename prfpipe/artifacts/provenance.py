"""Environment and reproduction: what a stranger needs to measure again."""

import re
import shlex

from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import code_block, markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.models import NoiseProbe, Plan


def environment(plan: Plan) -> list[tuple[str, str]]:
    """Name and value of all that is known about the measuring host and its software; not escaped."""
    host = plan.host
    return [
        ("host", host.name),
        ("CPU", f"{host.cpu_model}, {host.cpus} CPUs, measured on CPU {host.measuring_cpu}"),
        ("memory", fmt.show(host.memory_kib, fmt.MEMORY)),
        ("virtualized", host.virtualized),
        ("working folders", f"on {host.work}" if host.work == "disk" else f"in {host.work}"),
        ("subjects confined by", f"landlock {host.landlock}" if host.landlock else "nothing"),
        ("operating system", f"{host.os}, kernel {host.kernel}"),
        ("Python", host.python),
        *sorted(plan.provenance.tools.items()),
        ("noise before the run", _noise(plan.noise)),
    ]


def _noise(noise: NoiseProbe) -> str:
    spread = f"{noise.spread_percent:.2f} % spread over {noise.samples} spins (limit {noise.limit_percent:g} %)"
    accepted = ", accepted by hand" if noise.spread_percent > noise.limit_percent and noise.accepted else ""
    return f"{spread}, {noise.stolen_percent:.2f} % stolen, load {noise.load_1min:.2f}{accepted}"


def commit(plan: Plan) -> str:
    """The commit, and whether the tree had changes on top of it."""
    source = plan.provenance
    return f"{source.git_commit}{' with uncommitted changes' if source.git_dirty else ''}"


def reproduce(plan: Plan) -> str:
    """The exact commands to measure again, as lines for a shell."""
    source = plan.provenance
    known = re.fullmatch(r"[0-9a-f]{7,64}", source.git_commit)
    return f"git checkout {source.git_commit}\n" * bool(known) + shlex.join(source.command)


def heading_markdown(plan: Plan, title: str) -> str:
    """How every Markdown artifact begins."""
    return (
        f"# {title}: {markdown(plan.lever.id)} {markdown(plan.lever.title)}\n\n"
        f"Run {markdown(plan.run_id)}, effort {plan.effort.value}, {markdown(plan.provenance.created_at)}, "
        f"git commit {markdown(commit(plan))}\n"
    )


def environment_markdown(plan: Plan) -> str:
    """Environment table and reproduction commands."""
    table = markdown_table(
        ("", ""), [(markdown(name), markdown(value)) for name, value in environment(plan)], text_columns=2
    )
    return f"## Environment\n\n{table}\n\n## Reproduce\n\n{code_block(reproduce(plan))}\n"
