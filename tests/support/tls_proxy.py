"""The documented TLS proxy in front of a test's server, with an authority of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.children import Child, free_port
from tests.support.prefect_stack import DEPLOY, Stack

_SECONDS = 60.0
_OPTIONS = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"


@contextmanager
def tls_proxy(stack: Stack, address: str, program: str) -> Iterator[tuple[str, Path]]:
    """Caddy with docs/deploy/Caddyfile, on this machine's addresses; the API's URL there, and the root certificate."""
    site = f"https://{address}:{free_port(0)}"
    config = stack.folder / "Caddyfile"
    config.write_text(_OPTIONS + (DEPLOY / "Caddyfile").read_text().replace("# tls internal", "tls internal"))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stack.folder),
        "XDG_DATA_HOME": str(stack.folder / "caddy"),
        "PREFECT_SITE": site,
        "PREFECT_UPSTREAM": f"127.0.0.1:{stack.port}",
    }
    command = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
    child = Child("caddy", command, environment, stack.folder / "caddy.log", stack.folder)
    try:
        root = stack.folder / "caddy" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        child.wait_until(root.is_file, _SECONDS)
        yield f"{site}/api", root
    finally:
        child.stop(5)
