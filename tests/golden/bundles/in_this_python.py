"""Audit bundles with the Python that runs this file: `python in_this_python.py FOLDER_OF_BUNDLES KEY_FILE`.

Prints JSON: the version, and for each bundle the exit code of docs/verify.py and the whole report of `prfpipe.audit`;
nothing of the latter where its dependencies are not installed. Only the standard library is needed to import it.
"""

import contextlib
import importlib.util
import io
import json
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def _verifier() -> Any:
    spec = importlib.util.spec_from_file_location("verify", ROOT / "docs" / "verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _auditor(key: str) -> Any:
    sys.path.insert(0, str(ROOT))
    try:
        from prfpipe.attest.signing import PublicKey
        from prfpipe.attest.trust import Trust
        from prfpipe.audit import audit
    except ModuleNotFoundError:
        return None
    trust = Trust.in_keys(PublicKey.from_pem(Path(key).read_bytes(), key))
    return lambda folder: audit(folder, trust).model_dump(mode="json")


def main(bundles: str, key: str) -> None:
    """Print the answers."""
    verify, audit = _verifier(), _auditor(key)
    found: dict[str, Any] = {"python": platform.python_version(), "verify": {}, "audit": {}}
    for folder in sorted(Path(bundles).iterdir()):
        with contextlib.redirect_stdout(io.StringIO()):
            found["verify"][folder.name] = verify.main([str(folder), key])
        if audit:
            found["audit"][folder.name] = audit(folder)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
