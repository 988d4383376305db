"""E-mail of a whole server: planned by preferences, sent in the background, watched by `check` and /health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from crmtray.protocol import User
from crmtray_server import app, checkup
from crmtray_server.config import Settings, SettingsError
from crmtray_server.store import accounts, tables
from tests.harness.smtp import MailSink, mail_sink
from tests.server.live import ALICE, BOB, SECRET, Live, live_server, request, until

FROM = "Alertas <crm@example.com>"


@asynccontextmanager
async def mailing_server(folder: Path, sink: MailSink, **settings: Any) -> AsyncIterator[Live]:
    chosen: dict[str, Any] = {"smtp_url": SecretStr(sink.url), "email_from": FROM, "default_email_notifications": True}
    async with live_server(folder, **(chosen | settings)) as live:
        task = asyncio.create_task(live.server.mailer.run())
        try:
            yield live
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def tell(live: Live, user: User, key: str = "k") -> str:
    """By the route that other programs use; the id of the item."""
    told = {"user_id": user.user_id, "type": "offer", "title": f"Título {key}", "message": "Mensaje"}
    token = live.token(ALICE, scope="notifications:write")
    status, made, _ = await request(live, "POST", "/notifications", token, json=told | {"priority": "urgent"})
    assert status == 201, made
    return str(made[0]["id"])


async def settled(live: Live) -> tuple[str, str | None]:
    """State and detail of the one e-mail there is, once nothing more is going to happen to it."""
    query = sa.select(tables.deliveries.c.state, tables.deliveries.c.detail, tables.deliveries.c.due_at).where(
        tables.deliveries.c.channel == "email"
    )
    async with asyncio.timeout(10):
        while True:
            row = (await live.server.store.read(lambda connection: connection.execute(query).all()))[0]
            if row.due_at is None:
                return row.state, row.detail
            await live.server.store.write(lambda _connection: None)


async def prefer(live: Live, user: User, **changes: Any) -> None:
    token = live.token(user)
    status, answer, _ = await request(live, "PATCH", "/notifications/settings", token, json=changes)
    assert status == 200, answer


async def test_an_unread_item_is_mailed_in_its_readers_language_and_clock(tmp_path: Path) -> None:
    async with mail_sink() as sink, mailing_server(tmp_path, sink, notification_delivery_timeout_ms=300) as live:
        await prefer(live, ALICE, locale="en", timezone="Europe/Madrid")
        id = await tell(live, ALICE)
        [got] = await sink.wait(1)
        assert await settled(live) == ("sent", None)
        health = (await request(live, "GET", "/health"))[1]
        metrics = live.server.monitor.registry.get_sample_value("crmtray_emails_total", {"outcome": "sent"})
    assert got.sender == "crm@example.com" and got.recipients == [ALICE.email]
    text = got.body("plain")
    assert "Times are those of Europe/Madrid" in text and f"crmtray://notification/{id}" in text
    assert health["services"]["smtp"] == {"status": "ok"} and metrics == 1


async def test_what_is_read_in_time_is_not_mailed(tmp_path: Path) -> None:
    async with mail_sink() as sink, mailing_server(tmp_path, sink, notification_delivery_timeout_ms=1000) as live:
        id = await tell(live, ALICE)
        await request(live, "POST", f"/notifications/{id}/read", live.token(ALICE))
        assert await settled(live) == ("skipped", "read")
    assert sink.connections == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email_notifications": False}, "e-mail is switched off"),
        ({"email_address": "casa@example.com"}, "the address was changed"),
        (None, "the user is not active"),
    ],
)
async def test_what_changed_meanwhile_counts(tmp_path: Path, changes: dict[str, Any] | None, reason: str) -> None:
    async with mail_sink() as sink, mailing_server(tmp_path, sink, notification_delivery_timeout_ms=1000) as live:
        await tell(live, BOB)
        if changes is None:
            await live.server.store.write(accounts.set_active, BOB.email, False)
            await live.server.watch.look()
        else:
            await prefer(live, BOB, **changes)
        assert await settled(live) == ("skipped", reason)
    assert sink.connections == 0


async def test_without_a_mail_server_nothing_is_planned(tmp_path: Path) -> None:
    async with mail_sink() as sink, mailing_server(tmp_path, sink, smtp_url=None, email_from=None) as live:
        await tell(live, ALICE)
        count = sa.select(sa.func.count()).where(tables.deliveries.c.channel == "email")
        assert await live.server.store.read(lambda connection: connection.execute(count).scalar_one()) == 0
        assert (await request(live, "GET", "/health"))[1]["services"]["smtp"] == {"status": "off"}


@pytest.mark.expects_log("e-mail waits")
async def test_a_mail_server_that_is_away_degrades_health_and_stops_nothing(tmp_path: Path) -> None:
    async with mail_sink() as sink, mailing_server(tmp_path, sink, notification_delivery_timeout_ms=0) as live:
        await sink.stop()
        await tell(live, ALICE)
        await until(lambda: live.server.mailer.status() == {"status": "down"})
        status, health, _ = await request(live, "GET", "/health")
        assert status == 200 and health["status"] == "degraded" and health["services"]["smtp"] == {"status": "down"}
        await tell(live, ALICE, "again")
        await sink.start()  # so that there is something to stop


@pytest.mark.parametrize(
    ("sender", "sentence"),
    [
        (None, "SMTP_URL is set, but EMAIL_FROM is not. Give the address that e-mails shall come from."),
        ("crm@localhost..", "EMAIL_FROM='crm@localhost..': it is not a plain e-mail address such as ana@example.com"),
    ],
)
def test_a_mail_server_without_a_sender_stops_the_start(tmp_path: Path, sender: str | None, sentence: str) -> None:
    settings = Settings(jwt_secret_key=SecretStr(SECRET), database_url=f"sqlite:///{tmp_path / 'store.db'}")
    wrong = settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1"), "email_from": sender})
    with pytest.raises(SettingsError) as error:
        app.build(wrong)
    assert str(error.value) == sentence and not (tmp_path / "store.db").exists()
    assert dict(checkup.check(wrong))["smtp"] == sentence


async def test_check_says_whether_mail_could_be_handed_over(tmp_path: Path) -> None:
    plain = Settings(jwt_secret_key=SecretStr(SECRET), database_url=f"sqlite:///{tmp_path / 'store.db'}")

    async def line(url: str) -> str:
        settings = plain.model_copy(update={"smtp_url": SecretStr(url), "email_from": FROM})
        return (await asyncio.to_thread(lambda: dict(checkup.check(settings))))["smtp"]

    assert "smtp" not in dict(await asyncio.to_thread(lambda: list(checkup.check(plain))))
    async with mail_sink(auth=True) as sink:
        assert await line(sink.url) == "ok" and sink.offered == []
        assert "refuses the login: 535" in await line(sink.url.replace("crmtray:", "otro:"))
    gone = await line(sink.url)
    assert "cannot be reached" in gone and gone.endswith("Correct SMTP_URL, or look after the mail server")
