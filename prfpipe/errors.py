"""Everything that prfpipe raises on purpose.

    PrfpipeError                    exit 4
    ├── InputError                  exit 2: what the person gave cannot be used
    │   ├── LeverError              a lever folder or its lever.yaml
    │   ├── GateError               a gate's folder, its gate.yaml, its budgets or their ledger
    │   ├── SettingsError           a setting, a flag or an environment variable
    │   └── ResumeError             a run that cannot be resumed as asked
    ├── NothingMeasuredError        exit 4: a gate has no samples to decide on
    ├── SubjectError                exit 4: a subject did not do what the protocol asks
    │   ├── SubjectStartError       it did not become ready
    │   ├── SubjectCrashError       it died, or raised from an operation
    │   ├── SubjectHangError        it did not answer in time
    │   ├── SubjectProtocolError    it answered something else than was asked
    │   └── SubjectDisturbedError   it was stopped, moved or given another priority
    ├── HostError                   exit 4: the machine cannot measure now
    │   └── HostBusyError           another evaluation holds the host
    ├── ProfilerError               exit 4: a profile is missing or invalid
    ├── SigningKeyError             exit 4: a key or the key folder cannot be used
    ├── BundleError                 exit 4: the run folder cannot be written or read
    │   └── TamperError             exit 1: bytes are not what the manifest says
    └── StoreError                  exit 4: the evidence store
        ├── StoreUnavailableError   no answer in time; trying again may help
        ├── NotFoundError           no such object
        ├── AlreadyExistsError      write-once refused to overwrite with other content
        └── IntegrityError          what came back is not what was put

Each error says what happened in its message and what the person can do in its hint.
"""

from typing import ClassVar


class PrfpipeError(Exception):
    """Base of all expected failures; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, which Prefect and pytest-xdist use.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[PrfpipeError], message: str, hint: str) -> PrfpipeError:
    return kind(message, hint=hint)


class InputError(PrfpipeError):
    """What the person gave cannot be used."""

    exit_code = 2


class LeverError(InputError):
    """A lever folder or its lever.yaml is not valid."""


class GateError(InputError):
    """A gate's folder, its gate.yaml, its budgets or their ledger cannot be used."""


class SettingsError(InputError):
    """A setting, flag or environment variable is not valid."""


class ResumeError(InputError):
    """A run cannot be resumed as asked."""


class NothingMeasuredError(PrfpipeError):
    """A gate has no samples, or not those that its budgets are about: it must not pass."""


class SubjectError(PrfpipeError):
    """A subject did not do what the protocol asks."""


class SubjectStartError(SubjectError):
    """A subject did not become ready."""


class SubjectCrashError(SubjectError):
    """A subject died, or an operation raised."""


class SubjectHangError(SubjectError):
    """A subject did not answer in time."""


class SubjectProtocolError(SubjectError):
    """A subject answered something else than was asked."""


class SubjectDisturbedError(SubjectError):
    """A subject was stopped, moved or given another priority while it was measured."""


class HostError(PrfpipeError):
    """The machine cannot measure now."""


class HostBusyError(HostError):
    """Another evaluation holds this host."""


class ProfilerError(PrfpipeError):
    """A profile is missing, too small or not usable."""


class TooFewSamplesError(ProfilerError):
    """A profile that is valid but for its number of samples."""


class SigningKeyError(PrfpipeError):
    """A key, or the folder that holds the keys, cannot be used; what was measured is kept."""


class BundleError(PrfpipeError):
    """The run folder cannot be written or read."""


class TamperError(BundleError):
    """Bytes are not what the manifest says."""

    exit_code = 1


class StoreError(PrfpipeError):
    """The evidence store failed."""


class StoreUnavailableError(StoreError):
    """The store gave no usable answer in time; trying again may help."""


class NotFoundError(StoreError):
    """The store has no such object."""


class AlreadyExistsError(StoreError):
    """A write-once object exists with other content."""


class IntegrityError(StoreError):
    """What the store returned is not what was put."""
