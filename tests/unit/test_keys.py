"""The key folder: made on first use, refused when others can read it, trusted keys, rotation."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from prfpipe import disk
from prfpipe.attest.envelope import open_envelope
from prfpipe.attest.keys import Keys
from prfpipe.attest.rotation import make_rotation
from prfpipe.attest.signing import PublicKey, SigningKey
from prfpipe.cli import run
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.errors import SigningKeyError, TamperError
from tests.support.bundles import KEY, OTHER_KEY, signing_key

NOW = "2026-11-23T08:15:00.000Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "keys"


@pytest.fixture
def keys(folder: Path) -> Keys:
    return Keys(folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# ---- the key that signs ---------------------------------------------------------------------------------


def test_a_key_is_made_on_first_use_and_stays(keys: Keys, folder: Path) -> None:
    made = keys.signing_key()
    assert keys.signing_key().keyid == made.keyid
    assert (mode(folder), mode(folder / "signing.pem")) == (0o700, 0o600)
    assert SigningKey.from_pem((folder / "signing.pem").read_bytes(), "it").keyid == made.keyid
    assert keys.public_keys().own.keys() == {made.keyid}


def test_a_key_is_its_users_alone_whatever_the_umask(keys: Keys, folder: Path) -> None:
    before = os.umask(0)
    try:
        keys.signing_key()
    finally:
        os.umask(before)
    assert (mode(folder), mode(folder / "signing.pem")) == (0o700, 0o600)


def test_a_new_key_is_another_one(tmp_path: Path) -> None:
    assert Keys(tmp_path / "a").signing_key().keyid != Keys(tmp_path / "b").signing_key().keyid


def test_processes_that_need_a_key_at_the_same_time_make_one(folder: Path) -> None:
    code = "import sys; from pathlib import Path; from prfpipe.attest.keys import Keys; sys.stdin.read(); "
    code += "print(Keys(Path(sys.argv[1])).signing_key().keyid)"
    started = [
        subprocess.Popen([sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    answers = {process.communicate()[0] for process in started}
    assert len(answers) == 1
    assert len(list((folder / "own").iterdir())) == 1


def test_a_key_whose_maker_was_killed_between_its_two_names_is_whole(
    keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            keys.signing_key()
    assert (folder / "signing.pem").stat().st_nlink == 2
    assert keys.signing_key().keyid == keys.signing_key().keyid
    assert not list(folder.rglob(".tmp-*"))


def test_nothing_of_a_folder_that_holds_more_than_keys_is_touched(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "empty").mkdir()
    (home / "empty" / ".tmp-of-somebody").write_text("kept")
    Keys(home).signing_key()
    assert (home / "empty" / ".tmp-of-somebody").read_text() == "kept"


def test_a_key_id_is_what_securesystemslib_calls_it() -> None:
    form = {"keytype": "ed25519", "keyval": {"public": KEY.public.raw.hex()}, "scheme": "ed25519"}
    assert KEY.keyid == sha256_hex(canonical_json(form)) == KEY.public.sslib().keyid


Harm = Callable[[Path], object]
SHARED: dict[str, tuple[Harm, str]] = {
    "a key that others may read": (lambda path: (path / "signing.pem").chmod(0o644), "chmod 600"),
    "a key that the group may read": (lambda path: (path / "signing.pem").chmod(0o640), "chmod 600"),
    "a folder that others may enter": (lambda path: path.chmod(0o755), "chmod 700"),
    "a folder that the group may write": (lambda path: path.chmod(0o770), "chmod 700"),
}


@pytest.mark.parametrize(("harm", "command"), SHARED.values(), ids=SHARED.keys())
def test_what_others_can_read_is_refused_with_the_command_that_corrects_it(
    keys: Keys, folder: Path, harm: Harm, command: str
) -> None:
    keys.signing_key()
    harm(folder)
    with pytest.raises(SigningKeyError, match="open to other users") as caught:
        keys.signing_key()
    assert caught.value.hint.startswith(f"Run: {command} {folder}")


def test_the_command_that_corrects_it_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "my keys; ls")
    keys.signing_key()
    keys.path.chmod(0o755)
    with pytest.raises(SigningKeyError) as caught:
        keys.signing_key()
    subprocess.run(["/bin/sh", "-c", caught.value.hint.removeprefix("Run: ")], check=True)
    assert keys.signing_key()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_belongs_to_another_user_is_refused(
    keys: Keys, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.signing_key()
    me = os.geteuid()
    answers = iter([me + 1] * 2 if kind == "folder" else [me, me + 1, me + 1])
    monkeypatch.setattr(os, "geteuid", lambda: next(answers))
    with pytest.raises(SigningKeyError, match="belongs to another user"):
        keys.signing_key()


def moved(path: Path) -> None:
    (path / "signing.pem").rename(path / "elsewhere.pem")


def linked(path: Path) -> None:
    moved(path)
    (path / "signing.pem").symlink_to(path / "elsewhere.pem")


def hard_linked(path: Path) -> None:
    os.link(path / "signing.pem", path / "another.pem")


def folder_instead(path: Path) -> None:
    moved(path)
    (path / "signing.pem").mkdir(mode=0o700)


def pipe_instead(path: Path) -> None:
    moved(path)
    os.mkfifo(path / "signing.pem", 0o600)


def other_key_type(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - never used to sign
    (path / "signing.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


UNUSABLE: dict[str, Harm] = {
    "a symbolic link": linked,
    "a hard link": hard_linked,
    "a folder in its place": folder_instead,
    "a pipe in its place": pipe_instead,
    "another kind of key": other_key_type,
    "an empty file": lambda path: (path / "signing.pem").write_bytes(b""),
    "half a file": lambda path: os.truncate(path / "signing.pem", 60),
    "something else": lambda path: (path / "signing.pem").write_bytes(b"\xff\x00 not a key"),
    "an enormous file": lambda path: os.truncate(path / "signing.pem", 20_000),
    "a public key": lambda path: (path / "signing.pem").write_bytes(KEY.public.pem),
}


@pytest.mark.parametrize("harm", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_signing_key_is_refused_and_left_alone_that_is(keys: Keys, folder: Path, harm: Harm) -> None:
    secret = keys.signing_key().pem().splitlines()[1]
    harm(folder)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(SigningKeyError, match=r"signing\.pem") as caught:
        keys.signing_key()
    assert sorted(path.name for path in folder.iterdir()) == before
    assert secret.decode() not in caught.value.message + caught.value.hint


def test_an_unreadable_key_is_named(keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.signing_key()
    opened = os.open

    def refused(path: str, flags: int, *rest: int, **where: int) -> int:
        if path == "signing.pem":
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *rest, **where)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(SigningKeyError, match=r"signing\.pem: Permission denied"):
        keys.signing_key()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    Keys(tmp_path / "real").signing_key()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(SigningKeyError, match="link"):
        Keys(tmp_path / "link").signing_key()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SigningKeyError, match="file") as caught:
        Keys(tmp_path / "file" / "keys").signing_key()
    assert "PRFPIPE_KEY_FOLDER" in caught.value.hint


def test_a_user_without_a_home_is_told_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(SigningKeyError, match="no home folder") as caught:
        Keys(Path("~/.config/prfpipe/keys"))
    assert "PRFPIPE_KEY_FOLDER" in caught.value.hint


def test_looking_at_keys_makes_nothing(keys: Keys, folder: Path) -> None:
    found = keys.public_keys()
    assert (found.current, found.own, found.trusted) == (None, {}, {})
    assert not folder.exists()


# ---- public keys ----------------------------------------------------------------------------------------


def test_a_public_key_round_trips_through_its_file() -> None:
    assert PublicKey.from_pem(KEY.public.pem, "it") == KEY.public


def test_a_key_that_is_trusted_is_found_again(keys: Keys) -> None:
    keys.trust(KEY.public)
    keys.trust(KEY.public)
    assert keys.public_keys().trusted == {KEY.keyid: KEY.public}


def test_who_removes_the_file_that_trust_names_trusts_no_more(keys: Keys) -> None:
    keys.trust(KEY.public).unlink()
    assert keys.public_keys().trusted == {}


def test_one_key_under_two_ids_is_refused(keys: Keys, folder: Path) -> None:
    path = keys.trust(KEY.public)
    path.with_name(f"{OTHER_KEY.keyid}.pub").write_bytes(KEY.public.pem)
    with pytest.raises(SigningKeyError, match=f"holds key {KEY.keyid}"):
        keys.public_keys()


def test_one_key_in_a_second_spelling_is_refused() -> None:
    unreduced = (2**255 - 19 + 1).to_bytes(32, "little")
    with pytest.raises(SigningKeyError, match="canonical"):
        PublicKey.from_raw(unreduced, "it")


def rsa_pem() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - never used to sign
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


NOT_PUBLIC: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"ssh-ed25519 AAAAC3Nz",
    "another kind of key": rsa_pem,
    "a private key": KEY.pem,
}


@pytest.mark.parametrize("data", NOT_PUBLIC.values(), ids=NOT_PUBLIC.keys())
def test_no_public_key_is(keys: Keys, data: Callable[[], bytes]) -> None:
    with pytest.raises(SigningKeyError) as caught:
        keys.read_trustworthy(data(), "it")
    assert "PRIVATE" not in caught.value.message


# ---- rotation -------------------------------------------------------------------------------------------


def test_after_a_rotation_another_key_signs_and_the_old_one_is_still_there_for_its_runs(keys: Keys) -> None:
    first = keys.signing_key()
    old, new = keys.rotate(NOW)
    assert (old.keyid, keys.signing_key().keyid) == (first.keyid, new.keyid)
    assert old.keyid != new.keyid
    assert keys.signing_key(old.keyid).pem() == first.pem()
    assert keys.public_keys().own.keys() == {old.keyid, new.keyid}
    assert mode(keys.path / "retired" / f"{old.keyid}.pem") == mode(keys.path / "signing.pem") == 0o600


def test_a_former_key_that_is_gone_is_asked_for_and_none_is_made(keys: Keys, folder: Path) -> None:
    old, _ = keys.rotate(NOW) if keys.signing_key() else (KEY, KEY)
    (folder / "retired" / f"{old.keyid}.pem").unlink()
    with pytest.raises(SigningKeyError, match=f"the key {old.keyid} is not in") as caught:
        keys.signing_key(old.keyid)
    assert "from a copy" in caught.value.hint


def test_a_key_that_is_asked_for_by_its_id_is_never_made(keys: Keys, folder: Path) -> None:
    with pytest.raises(SigningKeyError, match="is not in"):
        keys.signing_key(KEY.keyid)
    assert not (folder / "signing.pem").exists()


def test_without_a_key_there_is_nothing_to_rotate(keys: Keys) -> None:
    with pytest.raises(SigningKeyError, match="no signing key"):
        keys.rotate(NOW)


def test_a_line_of_rotations_leads_back_to_the_first_key(keys: Keys) -> None:
    first = keys.signing_key()
    assert keys.first_of(first.keyid) == first.keyid
    keys.rotate(NOW)
    _, third = keys.rotate(NOW)
    assert keys.first_of(third.keyid) == first.keyid


@pytest.mark.parametrize("step", ["own/", "retired/", "rotations/", "next.pem", "replace"])
def test_a_rotation_that_is_killed_leaves_the_old_key_and_can_be_done_again(
    keys: Keys, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = keys.signing_key()
    with monkeypatch.context() as patch:
        die_at(step, patch)
        with pytest.raises(KeyboardInterrupt):
            keys.rotate(NOW)
    assert keys.signing_key().keyid == old.keyid
    _, new = keys.rotate(NOW)
    assert keys.signing_key().keyid == new.keyid
    assert keys.first_of(new.keyid) == old.keyid


def die_at(step: str, patch: pytest.MonkeyPatch) -> None:
    write = disk.write_new

    def dying(root: int, name: str, data: bytes, *, mode: int = 0o644) -> None:
        write(root, name, data, mode=mode)
        if name.startswith(step):
            raise KeyboardInterrupt

    def never(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    patch.setattr(disk, "write_new", dying)
    if step == "replace":
        patch.setattr(os, "replace", never)


def test_who_trusts_the_old_key_takes_the_new_one_from_its_rotation(keys: Keys, tmp_path: Path) -> None:
    old = keys.signing_key()
    _, new = keys.rotate(NOW)
    data = (keys.path / "rotations" / f"{new.keyid}.dsse.json").read_bytes()
    verifier = Keys(tmp_path / "verifier")
    with pytest.raises(SigningKeyError, match=f"signed by key {old.keyid}, which you have not trusted"):
        verifier.read_trustworthy(data, "rotation")
    verifier.trust(old.public)
    assert verifier.read_trustworthy(data, "rotation") == new.public


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "another signature": lambda payload: resigned(payload, OTHER_KEY),
    "another new key": lambda payload: KEY.seal(payload.replace(*(key.keyid.encode() for key in (THIRD, OTHER_KEY)))),
    "a statement of another kind": lambda payload: KEY.seal(payload.replace(b"rotation:v1", b"rotation:v2")),
    "another file than a key": lambda payload: KEY.seal(payload.replace(b".pub", b".txt")),
}
THIRD = signing_key(3)


def resigned(payload: bytes, by: SigningKey) -> bytes:
    envelope, other = json.loads(KEY.seal(payload)), json.loads(by.seal(payload))
    envelope["signatures"][0]["sig"] = other["signatures"][0]["sig"]
    return canonical_json(envelope)


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_rotation_is_refused_with(keys: Keys, forge: Callable[[bytes], bytes]) -> None:
    keys.trust(KEY.public)
    right = make_rotation(KEY, THIRD.public, NOW)
    assert keys.read_trustworthy(right, "it") == THIRD.public
    with pytest.raises(TamperError):
        keys.read_trustworthy(forge(open_envelope(right, "it").payload), "it")


# ---- the command ----------------------------------------------------------------------------------------


@pytest.fixture
def setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRFPIPE_KEY_FOLDER", str(folder))
    return folder


def told(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert run(["keys", *argv]) == code
    found = capsys.readouterr()
    return found.err if code else found.out


def test_init_makes_a_key_once(setting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(told(capsys, "init", "--json"))
    again = json.loads(told(capsys, "init", "--json"))
    assert (made["made"], again["made"], made["keyid"]) == (True, False, again["keyid"])


def test_show_says_what_is_there_and_never_a_private_key(setting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no key yet" in told(capsys, "show")
    told(capsys, "init")
    told(capsys, "rotate")
    shown = told(capsys, "show") + told(capsys, "show", "--json") + told(capsys, "show", "--pem")
    assert "former" in shown
    assert "PRIVATE" not in shown
    for path in setting.rglob("*.pem"):
        assert path.read_text().splitlines()[1] not in shown


def test_a_key_goes_from_its_signer_to_a_verifier(
    setting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyid = json.loads(told(capsys, "init", "--json"))["keyid"]
    (tmp_path / "bench.pub").write_text(told(capsys, "show", "--pem"))
    rotation = json.loads(told(capsys, "rotate", "--json"))
    monkeypatch.setenv("PRFPIPE_KEY_FOLDER", str(tmp_path / "verifier"))
    told(capsys, "trust", str(tmp_path / "bench.pub"))
    told(capsys, "trust", rotation["rotation"])
    assert json.loads(told(capsys, "show", "--json"))["trusted"].keys() == {keyid, rotation["new"]}


@pytest.mark.parametrize("word", ["own", "its id"])
def test_an_own_key_is_trusted_by_name(setting: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    keyid = json.loads(told(capsys, "init", "--json"))["keyid"]
    told(capsys, "trust", "own" if word == "own" else keyid)
    assert Keys(setting).public_keys().trusted.keys() == {keyid}


def test_a_key_that_is_nowhere_cannot_be_trusted(setting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "neither a key that is known here nor a file" in told(capsys, "trust", "0" * 64, code=2)
    assert "no signing key yet" in told(capsys, "trust", "own", code=4)
