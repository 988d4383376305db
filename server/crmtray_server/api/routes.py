"""All routes of the server, in the order in which they are matched."""

from __future__ import annotations

from . import actions, docs_page, health, notifications, session
from .operation import Operation

MODULES = (session, notifications, actions, health, docs_page)


def operations() -> list[Operation]:
    return [operation for module in MODULES for operation in module.operations.all]
