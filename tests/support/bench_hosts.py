"""Workers that stand for bench hosts: the documented unit's command, each with a name and a home of its own.

As root each can be a machine as far as Linux can make one of a process: its own host name, network and process ids,
from which nothing but the server's address is reached. Its kill is a power cut: nothing that ran there goes on.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from prfpipe import host
from tests.support.prefect_stack import ROOT, Stack, documented_settings, unit_words

SERVER_ADDRESS = "10.77.1.1"


@dataclass
class BenchHost:
    """One host. `prefix` puts a command on it; `cpus`: which it may use, as of `taskset -c`."""

    name: str
    queue: str
    environment: dict[str, str]
    log: Path
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start its worker, as its unit does when the host has come up."""
        words = [word.replace("%H", self.name).replace("%i", self.queue) for word in unit_words("prfpipe-worker@")]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*host.die_with_parent(), *self.prefix, sys.executable, "-m", *words],
                env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """`kill -9`; on a host of its own that ends everything there. Nothing if it was not started."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def bench_host(stack: Stack, name: str, queue: str, changes: Mapping[str, str]) -> BenchHost:
    """A host with a home of its own below the stack's folder; it has been told its name."""
    home = stack.folder / name
    (home / "tmp").mkdir(parents=True)
    places = {key: str(home / key.lower()) for key in ("RUNS", "CHAINS", "KEY_FOLDER")}
    own = {f"PRFPIPE_{key}": value for key, value in places.items()}
    assert own.keys() <= documented_settings("worker.env").keys()
    own |= {
        "HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "TMPDIR": str(home / "tmp"),
        "PRFPIPE_LOCK": str(home / "tmp" / "host.lock"),
        "PRFPIPE_HOST": name,
    }
    return BenchHost(name, queue, stack.environment | own | dict(changes), stack.folder / f"{name}.log")


@contextmanager
def own_machine(number: int, name: str, cpu: int) -> Iterator[tuple[str, ...]]:
    """A prefix for commands on a host with its own name, network and process ids; needs root.

    Its only neighbour is this machine, at `SERVER_ADDRESS` for all of them.
    """
    space, here, there = f"prfpipe-{os.getpid()}-{number}", f"pp{os.getpid() % 10**6}h{number}", "uplink"
    with ExitStack() as made:
        _ip("netns", "add", space)
        made.callback(_ip, "netns", "del", space)
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
        _ip("addr", "add", f"10.77.{number}.1/24", "dev", here)
        _ip("link", "set", here, "up")
        for words in (
            ("addr", "add", f"10.77.{number}.2/24", "dev", there),
            ("link", "set", "lo", "up"),
            ("link", "set", there, "up"),
            ("route", "add", "default", "via", f"10.77.{number}.1"),
        ):
            _ip("-n", space, *words)
        # The last word of --kill-child: whoever is left when the first process of the host ends, ends with it.
        apart = ("unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child")
        named = ("sh", "-c", 'hostname "$1" && shift && exec "$@"', "sh", name)
        yield ("ip", "netns", "exec", space, "taskset", "-c", str(cpu), *apart, *named)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
