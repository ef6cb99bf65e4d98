"""The key folder of this user: the only place that reads a private key from the disk.

    signing.pem                 the key that new runs are signed with (PKCS #8, only for this user)
    own/<keyid>.pub             public keys of this user, also of keys that are no longer used
    retired/<keyid>.pem         former signing keys, for runs whose plans they signed; they may be deleted
    rotations/<keyid>.dsse.json the key's predecessor says that it goes on in its place
    trusted/<keyid>.pub         keys of those whose evidence this user believes

The folder is 0700 and its private keys are 0600; anything else is refused, with the command that corrects it. A key
is made on first use, whole or not at all, and by one process at a time.
"""

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prfpipe import disk
from prfpipe.attest.envelope import open_envelope
from prfpipe.attest.folders import PRIVATE, held_folder, is_private, names_in, read_file, remove_leftovers
from prfpipe.attest.rotation import make_rotation, new_key_in
from prfpipe.attest.signing import PublicKey, SigningKey, verify
from prfpipe.disk import disk_errors
from prfpipe.errors import BundleError, SettingsError, SigningKeyError, TamperError

SIGNING = "signing.pem"
_NEXT = "next.pem"
_PRIVATE_FILE = 0o600
_FOLDERS = (".", "own", "retired", "rotations", "trusted")
_MAX_KEY_BYTES = 16 * 1024
_ELSEWHERE = "Correct it, or set PRFPIPE_KEY_FOLDER to another folder; what was measured is kept."

PublicKeys = dict[str, PublicKey]


@dataclass(frozen=True, slots=True)
class Publics:
    """The public keys in a key folder, by id. `current`: the signing key's id, where there is one."""

    current: str | None
    own: PublicKeys
    trusted: PublicKeys


class Keys:
    """A key folder. Every method raises `SigningKeyError` for what it cannot use."""

    def __init__(self, path: Path) -> None:
        try:
            self.path = path.expanduser()
        except RuntimeError as error:
            raise SigningKeyError(f"{path}: this user has no home folder", hint=_ELSEWHERE) from error

    def signing_key(self, keyid: str | None = None) -> SigningKey:
        """The current key, made if there is none; or the key `keyid`, which may be a former one."""
        with self._held() as root:
            key = self._private(root, SIGNING)
            if key is None and keyid is None:
                key = SigningKey.generate()
                disk.write_new(root, SIGNING, key.pem(), mode=_PRIVATE_FILE)
            if key and keyid in (None, key.keyid):
                self._remember(root, key.public, "own")
                return key
            return self._retired(root, keyid or "")

    def public_keys(self) -> Publics:
        """The public keys; a folder that does not exist has none, and is not made."""
        if not self.path.exists():
            return Publics(None, {}, {})
        with self._held() as root:
            key = self._private(root, SIGNING)
            own = {**self._publics(root, "own"), **({key.keyid: key.public} if key else {})}
            return Publics(key.keyid if key else None, own, self._publics(root, "trusted"))

    def trust(self, key: PublicKey) -> Path:
        """Believe what this key signs, from now on; returns the file that says so: who removes it no longer does."""
        with self._held() as root:
            return self.path / self._remember(root, key, "trusted")

    def rotate(self, now: str) -> tuple[SigningKey, SigningKey]:
        """Change the signing key; returns the former one and the new one. A crash leaves either the old or the new.

        Raises:
            SigningKeyError: there is no key yet.
        """
        with self._held() as root:
            old = self._private(root, SIGNING)
            if old is None:
                raise SigningKeyError(f"{self.path} has no signing key yet", hint="`prfpipe keys init` makes one.")
            new = SigningKey.generate()
            self._remember(root, old.public, "own")
            self._remember(root, new.public, "own")
            self._write_once(root, f"retired/{old.keyid}.pem", old.pem(), _PRIVATE_FILE)
            self._write_once(root, _rotation(new.keyid), make_rotation(old, new.public, now))
            _replace(root, new.pem())
            return old, new

    def first_of(self, keyid: str) -> str:
        """The id of the key with which the line of rotations began that led to this one."""
        with self._held() as root:
            seen = [keyid]
            while (older := self._predecessor(root, seen[-1])) is not None:
                if older in seen:
                    raise SigningKeyError(f"{self.path}: rotations run in a circle", hint=_ELSEWHERE)
                seen.append(older)
            return seen[-1]

    def read_trustworthy(self, data: bytes, source: str) -> PublicKey:
        """The key in a PEM file, or in the file of a rotation that was signed by a key that is trusted already.

        Raises:
            TamperError: a rotation in another form, or whose signature is not its signer's.
        """
        if not data.startswith(b"{"):
            return PublicKey.from_pem(data, source)
        opened = open_envelope(data, source)
        signer = self.public_keys().trusted.get(opened.keyid)
        if signer is None:
            raise SigningKeyError(
                f"{source} is signed by key {opened.keyid}, which you have not trusted",
                hint="Trust that key first, or the new key itself: `prfpipe keys trust FILE`.",
            )
        verify(opened, signer)
        return new_key_in(opened)

    @contextmanager
    def _held(self) -> Iterator[int]:
        try:
            with held_folder(self.path, mode=PRIVATE) as root, disk_errors(str(self.path)):
                _refuse_shared(os.fstat(root), self.path, "700")
                for folder in _FOLDERS:
                    remove_leftovers(root, folder)
                yield root
        except BundleError as error:
            raise SigningKeyError(f"the key folder cannot be used: {error.message}", hint=_ELSEWHERE) from error

    def _private(self, root: int, name: str) -> SigningKey | None:
        path = self.path / name
        try:
            with disk.folder_of(root, name) as (folder, last):
                status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            raise SigningKeyError(f"{path} is a symbolic link", hint="Put the key's own file there.")
        _refuse_shared(status, path, "600")
        data = read_file(root, name, self.path, _MAX_KEY_BYTES)
        return None if data is None else SigningKey.from_pem(data, str(path))

    def _retired(self, root: int, keyid: str) -> SigningKey:
        name = f"retired/{keyid}.pem"
        key = self._private(root, name)
        if key is None or key.keyid != keyid:
            raise SigningKeyError(
                f"the key {keyid} is not in {self.path}",
                hint=f"Put its file back from a copy, as {name} there, or evaluate again with the present key.",
            )
        return key

    def _publics(self, root: int, folder: str) -> PublicKeys:
        found: PublicKeys = {}
        for name in names_in(root, folder, self.path):
            source = f"{self.path}/{folder}/{name}"
            key = PublicKey.from_pem(read_file(root, f"{folder}/{name}", self.path, _MAX_KEY_BYTES) or b"", source)
            if name != f"{key.keyid}.pub":
                raise SigningKeyError(f"{source} holds key {key.keyid}", hint=f"Call it {key.keyid}.pub, or remove it.")
            found[key.keyid] = key
        return found

    def _remember(self, root: int, key: PublicKey, folder: str) -> str:
        name = f"{folder}/{key.keyid}.pub"
        self._write_once(root, name, key.pem)
        return name

    def _write_once(self, root: int, name: str, data: bytes, mode: int = 0o644) -> None:
        if read_file(root, name, self.path, _MAX_KEY_BYTES) != data:
            disk.write_new(root, name, data, mode=mode)

    def _predecessor(self, root: int, keyid: str) -> str | None:
        source = str(self.path / _rotation(keyid))
        data = read_file(root, _rotation(keyid), self.path, _MAX_KEY_BYTES)
        if data is None:
            return None
        opened = open_envelope(data, source)
        older = self._publics(root, "own").get(opened.keyid)
        if older is None or new_key_in(opened).keyid != keyid:
            raise TamperError(f"{source} is not a rotation of this user's keys", hint=_ELSEWHERE)
        verify(opened, older)
        return older.keyid


def read_key_file(word: str) -> bytes:
    """The file of a key that a person named.

    Raises:
        SettingsError: it cannot be read; it may have been meant as the id of a key.
    """
    try:
        return Path(word).read_bytes()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{word}: neither a key that is known here nor a file that can be read",
            hint="Give the file of the signer's public key, which the signer has from `prfpipe keys show --pem`.",
        ) from error


def _rotation(keyid: str) -> str:
    return f"rotations/{keyid}.dsse.json"


def _replace(root: int, pem: bytes) -> None:
    """Put a new signing key in the old one's place, in one step."""
    with suppress(FileNotFoundError):
        disk.remove(root, _NEXT)
    disk.write_new(root, _NEXT, pem, mode=_PRIVATE_FILE)
    os.replace(_NEXT, SIGNING, src_dir_fd=root, dst_dir_fd=root)
    os.fsync(root)


def _refuse_shared(status: os.stat_result, path: Path, mode: str) -> None:
    if is_private(status):
        return
    who = "belongs to another user" if status.st_uid != os.geteuid() else "is open to other users"
    command = f"chmod {mode} {shlex.quote(str(path))}"
    raise SigningKeyError(f"{path} {who}: a key must be this user's alone", hint=f"Run: {command}")
