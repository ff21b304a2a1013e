"""A look at a home that is not there."""

from assistant.check import Check
from assistant.privacy.files import Kind
from assistant.privacy.looking import Look

KINDS = (Kind("history", 3, 1_234_567), Kind("models", 1, 98_000_000), Kind("cache", 12, 4_321))
CHECKS = (
    Check("permissions", True, "every file and folder is readable by you alone (0600, 0700)"),
    Check("sockets", True, "none open in 2 processes (the app and its engine)"),
    Check("telemetry", True, "switched off in every process; nothing looks for updates"),
    Check("connections", True, "refused in the app, the engine and the rebuild; no library has tried"),
    Check("sent", True, "nothing; no download was ever asked for"),
)


class ScriptedPrivacy:
    """Finds what the test put there."""

    def __init__(self) -> None:
        self.found = Look(KINDS, CHECKS, ())

    async def look(self) -> Look:
        return self.found
