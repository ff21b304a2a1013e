"""Is the model that a rebuild learns with the one that chats? Asked of a rebuild process, which holds torch."""

from __future__ import annotations

from assistant.child import Child
from assistant.errors import EngineError, RebuildError
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.rebuild.protocol import CheckParity, ParityFound, ParityMessage, RebuildFailed
from assistant.rebuild.runner import CHILD_ENVIRONMENT, MODULE

EVENTS: tuple[type[ParityMessage], ...] = (ParityFound, RebuildFailed)


async def check_parity(model: ActiveModel, paths: Paths, threads: int | None, estimator: str) -> ParityFound:
    """Compare estimator and chat model; the first time for a model it is converted, which takes a while.

    Raises: RebuildError: they are different models, the estimator cannot be loaded, out of memory, a crash.
    """
    request = CheckParity(str(model.path()), model.fingerprint(), str(paths.estimators), threads, estimator)
    try:
        child = await Child.spawn(MODULE, EVENTS, "the comparison", paths.rebuild_log, CHILD_ENVIRONMENT)
        try:
            await child.send(request)
            answer = await child.receive()
        finally:
            child.kill()
            await child.close()
    except EngineError as error:
        raise RebuildError(str(error)) from error
    if isinstance(answer, RebuildFailed):
        raise RebuildError(answer.message)
    return answer
