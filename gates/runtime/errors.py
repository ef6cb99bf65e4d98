"""What the runtime refuses to do, and why."""


class RuntimeFault(Exception):  # noqa: N818 (the tree of all that can go wrong; its leaves are errors)
    """Something that the runtime does not go on with; the message is for a person."""

    on_record = False
    """Whether the audit log has it already, by a turn within the one that it ended."""


class ConfigError(RuntimeFault):
    """The configuration is not there or not what it has to be."""


class TamperedError(RuntimeFault):
    """Content is not what the signed manifest says, or not in it."""


class ForgedError(RuntimeFault):
    """A manifest was not signed by the publisher, is cut, or is older than one that was seen before."""


class DeniedError(RuntimeFault):
    """The policy does not allow what was asked for."""


class AuditError(RuntimeFault):
    """The audit log was changed, or cannot be written: nothing may be released."""
