"""One look at the CRM and no more: what `detect --once` and `score` do, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from crmtray.protocol import Json

from .app import crm_users, email_after, open_source, open_store
from .config import Settings, SettingsError
from .crm.engine import crm_engine
from .crm.source import CrmSource
from .detectors import Detection
from .directory import Directory
from .hub import Hub
from .inbox import Inbox, utc_now
from .pipeline import Pipeline
from .readers import Readers
from .score import explain
from .store.database import Store
from .store.episodes import Overtaken
from .store.feed import Committed, NewItem


async def detect_once(settings: Settings, *, dry_run: bool) -> tuple[list[Json], dict[str, str]]:
    """One pass: the notifications it made (or would make), in wire form with their owner, and what failed by kind."""
    store = await asyncio.to_thread(open_store, settings)
    try:
        with _reading(settings) as source:
            return await _detect_once(settings, store, source, dry_run)
    finally:
        await asyncio.to_thread(store.close)


async def _detect_once(
    settings: Settings, store: Store, source: CrmSource, dry_run: bool
) -> tuple[list[Json], dict[str, str]]:
    detection = Detection(source, store, settings)
    hub = Hub(store)
    inbox = Inbox(store, hub)
    directory = Directory(store, lambda: crm_users(source))
    readers = Readers(store, directory, settings, detection.timezone)
    pipeline = Pipeline(inbox, readers, directory, settings.links, email_after(settings))
    made: list[Json] = []
    while True:
        detected = await asyncio.to_thread(detection.read, utc_now())
        if dry_run:
            made += [_planned(item) for item in (await pipeline.assemble(detected)).items]
        else:
            try:
                made += [line for entry in await pipeline.ingest(detected) for line in _made(entry)]
            except Overtaken:
                continue
        # A large backlog comes in parts; without storing, the next part would be the same.
        if dry_run or not detected.more:
            return made, {kind: sentence for kind, sentence in detected.failures.items()}


def _made(entry: Committed) -> list[Json]:
    owner = {"user_id": entry.scope.user_id, "tenant_id": entry.scope.tenant_id}
    return [owner | change.notification.to_wire() for change in entry.changes if change.notification is not None]


def _planned(item: NewItem) -> Json:
    return {
        "user_id": item.scope.user_id,
        "tenant_id": item.scope.tenant_id,
        "type": item.type,
        "title": item.title,
        "message": item.message,
        "data": item.data,
        "priority": item.priority,
        "audience": item.audience,
        "actions": [action.to_wire() for action in item.actions],
        "dedupe_key": item.dedupe_key,
        "silent": item.silent,
        "reason": item.reason,
    }


def score_lead(settings: Settings, lead_id: str) -> Json:
    """A lead's score, part by part. Raises CrmError when there is no such lead."""
    with _reading(settings) as source:
        return explain(source, lead_id, utc_now())


@contextmanager
def _reading(settings: Settings) -> Iterator[CrmSource]:
    if not settings.crm_database_url:
        raise SettingsError("CRM_DATABASE_URL is not set: there is no CRM to read.")
    engine = crm_engine(settings.crm_database_url, read_only=True)
    try:
        yield open_source(settings, engine)
    finally:
        engine.dispose()
