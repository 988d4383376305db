"""Whether the running task is to end.

Before Python 3.12 `wait_for` loses a cancellation that meets an answer just coming in, https://bugs.python.org/issue37658,
and libraries under us use it: whoever has waited for them asks here before waiting for something that may never come.
"""

from __future__ import annotations

import asyncio


def being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def end_if_cancelled() -> None:
    if being_cancelled():
        raise asyncio.CancelledError
