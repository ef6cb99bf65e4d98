"""Trust: whose signature is believed, and what is said of the others."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prfpipe.attest.envelope import Opened, open_envelope
from prfpipe.attest.keys import Keys
from prfpipe.attest.trust import Trust, judge, load_trust
from prfpipe.digests import canonical_json
from prfpipe.errors import SettingsError, SigningKeyError, TamperError
from tests.support.bundles import KEY, OTHER_KEY, signing_key

PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'
OWN = {KEY.keyid: KEY.public}
OTHERS = {OTHER_KEY.keyid: OTHER_KEY.public}


def opened(data: bytes = KEY.seal(PAYLOAD)) -> Opened:
    return open_envelope(data, "statement.dsse.json")


def test_a_signature_by_a_key_that_is_trusted_is_trusted() -> None:
    found = judge(opened(), Trust(trusted=OWN))
    assert (found.state, found.keyid) == ("trusted", KEY.keyid)


def test_without_any_trust_an_own_signature_is_right_and_its_origin_is_not_shown() -> None:
    found = judge(opened(), Trust(known=OWN))
    assert found.state == "untrusted"
    assert f"`prfpipe keys trust {KEY.keyid}`" in found.detail


@pytest.mark.parametrize("known", [{}, OTHERS])
def test_without_any_trust_a_stranger_is_named_with_what_to_do(known: dict[str, object]) -> None:
    found = judge(opened(), Trust(known=dict(known)))  # type: ignore[arg-type]
    assert found.state == "untrusted"
    assert "cannot be checked" in found.detail
    assert "who sealed them is not" in found.detail


@pytest.mark.parametrize("known", [{}, OWN], ids=["a stranger", "this user"])
def test_with_any_trust_nobody_else_is_believed(known: dict[str, object]) -> None:
    found = judge(opened(), Trust(trusted=OTHERS, known=dict(known)))  # type: ignore[arg-type]
    assert found.state == "refused"
    assert "not trusted" in found.detail


def named(keyid: str, by: bytes) -> bytes:
    """The same envelope under another key's id."""
    envelope = json.loads(by)
    envelope["signatures"][0]["keyid"] = keyid
    return canonical_json(envelope)


@pytest.mark.parametrize("trust", [Trust(trusted=OWN), Trust(known=OWN)], ids=["trusted", "known"])
def test_a_signature_by_another_key_under_a_known_id_is_refused(trust: Trust) -> None:
    assert judge(opened(named(KEY.keyid, OTHER_KEY.seal(PAYLOAD))), trust).state == "refused"


def test_a_trusted_key_under_another_id_is_not_believed() -> None:
    trust = Trust.in_keys(KEY.public, OTHER_KEY.public)
    assert judge(opened(named(OTHER_KEY.keyid, KEY.seal(PAYLOAD))), trust).state == "refused"
    assert judge(opened(named("0" * 64, KEY.seal(PAYLOAD))), trust).state == "refused"


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_a_signature_with_one_bit_changed_is_refused(bit: int) -> None:
    right = opened()
    changed = bytearray(right.signature)
    changed[bit // 8] ^= 1 << bit % 8
    wrong = Opened(right.source, right.payload, right.keyid, bytes(changed))
    assert judge(wrong, Trust(trusted=OWN)).state == "refused"


def test_a_signature_whose_number_is_out_of_range_is_refused() -> None:
    """S + L satisfies the same equation: RFC 8032, section 5.1.7, has it refused, or signatures had two forms."""
    right = opened()
    order = 2**252 + 27742317777372353535851937790883648493
    second = (int.from_bytes(right.signature[32:], "little") + order).to_bytes(32, "little")
    wrong = Opened(right.source, right.payload, right.keyid, right.signature[:32] + second)
    assert judge(wrong, Trust(trusted=OWN)).state == "refused"


def test_no_byte_of_an_envelope_can_be_another_one() -> None:
    data, trust = KEY.seal(PAYLOAD), Trust(trusted=OWN)
    for place in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= flip
            assert not believed(bytes(changed), trust), place


def believed(data: bytes, trust: Trust) -> bool:
    try:
        return judge(open_envelope(data, "it"), trust).state == "trusted"
    except TamperError:
        return False


@pytest.mark.parametrize("other", [b"", b"{}", PAYLOAD + b" ", PAYLOAD[:-1]])
def test_a_signature_is_over_the_whole_payload(other: bytes) -> None:
    right = opened()
    assert judge(Opened(right.source, other, right.keyid, right.signature), Trust(trusted=OWN)).state == "refused"


def test_a_signature_is_over_the_payloads_type_as_well() -> None:
    """DSSE: what is signed begins with the type, so that a signature over one kind of thing is none over another."""
    private = Ed25519PrivateKey.from_private_bytes((1).to_bytes(32, "big"))
    right = opened()
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(PAYLOAD), PAYLOAD)
    assert private.sign(pae) == right.signature
    bare = Opened(right.source, right.payload, right.keyid, private.sign(PAYLOAD))
    assert judge(bare, Trust(trusted=OWN)).state == "refused"


# ---- where trust comes from -----------------------------------------------------------------------------


def test_a_verifier_without_a_key_folder_trusts_nobody_and_makes_none(tmp_path: Path) -> None:
    assert load_trust(tmp_path / "keys") == Trust()
    assert not (tmp_path / "keys").exists()


def test_own_keys_are_known_and_those_in_the_folder_trusted(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    own = keys.signing_key().public
    keys.trust(KEY.public)
    assert load_trust(keys.path) == Trust(trusted=OWN, known={own.keyid: own, **OWN})


def test_keys_that_are_given_are_trusted_instead_of_those_in_the_folder(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.trust(KEY.public)
    third = signing_key(3).public
    (tmp_path / "other.pub").write_bytes(OTHER_KEY.public.pem)
    (tmp_path / "third.pub").write_bytes(third.pem)
    found = load_trust(keys.path, [str(tmp_path / "other.pub"), str(tmp_path / "third.pub")])
    assert found.trusted == {**OTHERS, third.keyid: third}
    assert load_trust(keys.path, [KEY.keyid]).trusted == OWN


@pytest.mark.parametrize("word", ["0" * 64, "nowhere.pub", "", "a\0b"])
def test_a_key_that_is_nowhere_is_no_trust(tmp_path: Path, word: str) -> None:
    with pytest.raises(SettingsError, match="neither a key that is known here nor a file"):
        load_trust(tmp_path / "keys", [word])


def test_a_file_that_is_no_key_is_no_trust(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("trust me")
    with pytest.raises(SigningKeyError, match="not a public key"):
        load_trust(tmp_path / "keys", [str(tmp_path / "it")])


def test_verifying_loads_no_cloud_and_reading_no_cryptography() -> None:
    code = "import sys, prfpipe.attest, prfpipe.attest.plan_seal; print(*sys.modules); import prfpipe.attest.trust; "
    code += "print(*sys.modules); import boto3; print(boto3.__name__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    reading, verifying = ({name.partition(".")[0] for name in line.split()} for line in told[:2])
    assert not reading & {"cryptography", "securesystemslib", "boto3"}
    assert {"cryptography", "securesystemslib"} <= verifying
    assert not verifying & {"boto3", "botocore", "azure", "google", "hvac"}
    assert told[2] == "boto3"
