"""Plausible bug: a reply is written where the guest wants it, however long it is: over the message behind."""

import candidate
from host import Call


class Subject(candidate.Subject):
    """The candidate without a look at the reply's room."""

    def _deliver(self, call: Call, reply: bytes | memoryview) -> int:
        return super()._deliver(call._replace(reply_room=len(reply)), reply)
