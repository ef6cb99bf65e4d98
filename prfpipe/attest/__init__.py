"""Who says what about which files: signed statements, keys, trust, and the chain of a lever's statements.

envelope.py   DSSE envelopes in one strict form; reading needs no key and no cryptography
signing.py    signatures over envelopes, by securesystemslib; the only place that holds a private key
statement.py  the statement of a bundle: its files, and a predicate that can be checked against them
plan_seal.py  the statement of a plan, signed before the first measurement
rotation.py   the statement with which an old key hands over to a new one
keys.py       the key folder of this user
trust.py      whose signatures a verifier believes, and what follows for one envelope
chain.py      sequence numbers and previous statements of a lever, in a journal
"""

from prfpipe.attest.statement import (
    MAX_STATEMENT_BYTES,
    Predicate,
    SealFacts,
    Statement,
    manifest_of,
    predicate_for,
    read_statement,
    statement_payload,
)

__all__ = [
    "MAX_STATEMENT_BYTES",
    "Predicate",
    "SealFacts",
    "Statement",
    "manifest_of",
    "predicate_for",
    "read_statement",
    "statement_payload",
]
