"""Facts that stop the edge or one of its steps."""


class EdgeError(Exception):
    """Base of the edge's own errors."""


class RecordingUnusable(EdgeError):
    """The file of ticks cannot be read as one."""


class StateMismatch(EdgeError):
    """The state folder belongs to another recording, symbol or stream."""


class AccountsMissing(EdgeError):
    """The accounts waited for did not come in time."""


class QueueMissing(EdgeError):
    """A queue or bus that the settings name does not exist."""


class OutboxStuck(EdgeError):
    """Messages that should have been sent still wait after the time allowed."""


class LinkDied(EdgeError):
    """A thread of the link ended by itself; its log says why."""


class ConfigurationUnusable(EdgeError):
    """The configuration cannot be read, or a value in it is wrong; the text says which."""


class ClockUnknown(EdgeError):
    """No time server answered, so the clock's drift is not known."""


class StreamUnavailable(EdgeError):
    """The stream's port cannot be opened; its text says why."""


class SymbolsAmbiguous(EdgeError):
    """Two of our symbols have one name at the broker."""
