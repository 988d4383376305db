"""E-mail from the planned row to a real mail server: once, together, only what is news, and through bad weather."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from crmtray.protocol import NotificationAction
from crmtray_server import mail, smtp
from crmtray_server.addressees import Undecided
from crmtray_server.mailer import LEASE, OLDEST, Mailer
from crmtray_server.smtp import mail_server
from crmtray_server.store import deliveries, feed, migrate, snoozes, tables
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.harness.smtp import PASSWORD, MailSink, certificates, mail_sink, silent_server

ANA, LUIS = Scope("1", "1"), Scope("1", "2")
NOW = datetime(2026, 2, 27, 15, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ES = mail.Reader("es", ZoneInfo("America/Argentina/Buenos_Aires"))
EN = mail.Reader("en", ZoneInfo("UTC"))


class Office:
    """A store whose mailers share one clock that the test moves."""

    def __init__(self, url: str) -> None:
        engine = make_engine(url)
        migrate.upgrade(engine)
        self.now = NOW
        self.clock = lambda: self.now
        self.store = Store(engine)
        self.store.open()
        self.reason: str | None = None
        self.undecided = False
        self.readers: dict[Scope, mail.Reader] = {}

    def mailer(self, url: str | None, store: Store | None = None, **settings: Any) -> Mailer:
        server = None if url is None else replace(mail_server(url), connect_seconds=1.0, whole_seconds=2.0)
        sender = mail.parse_sender("Alertas <crm@example.com>")
        return Mailer(
            store or self.store, server, sender, self._unwanted, self._reader, self.clock, retries=2, **settings
        )

    async def _unwanted(self, _scope: Scope, _address: str) -> str | None:
        if self.undecided:
            raise Undecided("nobody knows")
        return self.reason

    async def _reader(self, scope: Scope) -> mail.Reader:
        return self.readers.get(scope, ES)

    async def tell(self, *keys: str, scope: Scope = ANA, to: str = "ana@example.com", **fields: Any) -> list[str]:
        """Items whose e-mail is due now, and their ids."""
        given: dict[str, Any] = {"priority": "high", "email_at": self.now} | fields
        items = [NewItem(scope, key, "hot_lead", f"Título {key}", "Mensaje", {}, email_to=to, **given) for key in keys]
        committed = await self.store.write(feed.add, items, self.now)
        return [change.id for entry in committed for change in entry.changes]

    async def rows(self) -> dict[str, Any]:
        """Rows by the key of their item."""
        joined = tables.deliveries.join(
            tables.notifications, tables.notifications.c.id == tables.deliveries.c.notification_id
        )
        query = sa.select(tables.notifications.c.dedupe_key, tables.deliveries).select_from(joined)
        return {row.dedupe_key: row for row in await self.store.read(lambda c: c.execute(query).all())}

    async def states(self) -> dict[str, str]:
        return {key: row.state for key, row in (await self.rows()).items()}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = await asyncio.to_thread(Office, f"sqlite:///{tmp_path / 'store.db'}")
    yield made
    await asyncio.to_thread(made.store.close)


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with mail_sink() as sink:
        yield sink


@asynccontextmanager
async def running(mailer: Mailer) -> AsyncIterator[None]:
    task = asyncio.create_task(mailer.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# --- what goes out ---------------------------------------------------------------------------------------------------


async def test_one_item_is_one_mail(office: Office, sink: MailSink) -> None:
    action = NotificationAction("Ver", "view_lead", {}, "https://crm.example/leads/5")
    await office.tell("a", actions=(action,))
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    [got] = sink.received
    assert got.sender == "crm@example.com" and got.recipients == ["ana@example.com"]
    assert got.message["Subject"] == "Título a" and "https://crm.example/leads/5" in got.body("html")
    row = (await office.rows())["a"]
    assert (row.state, row.attempts, row.due_at, row.detail) == ("sent", 1, None, None)
    await mailer.send_due()
    assert len(sink.received) == 1 and mailer.counts["sent"] == 1 and mailer.status() == {"status": "ok"}


async def test_what_is_due_together_for_one_person_is_one_summary(office: Office, sink: MailSink) -> None:
    await office.tell("a", "b", priority="medium")
    await office.tell("c", priority="urgent")
    await office.tell("later", email_at=NOW + MINUTE)
    await office.tell("luis", scope=LUIS, to="luis@example.com")
    office.readers[LUIS] = EN
    await office.mailer(sink.url).send_due()
    subjects = {mail.recipients[0]: mail.message["Subject"] for mail in sink.received}
    assert subjects == {"ana@example.com": "3 notificaciones sin leer: Título c", "luis@example.com": "Título luis"}
    assert sink.connections == 1
    states = await office.states()
    assert states.pop("later") == "waiting" and set(states.values()) == {"sent"}


async def test_the_same_address_of_two_people_is_two_mails(office: Office, sink: MailSink) -> None:
    await office.tell("a", to="ventas@example.com")
    await office.tell("b", scope=LUIS, to="ventas@example.com")
    await office.mailer(sink.url).send_due()
    assert sorted(mail.message["Subject"] for mail in sink.received) == ["Título a", "Título b"]


async def test_what_was_seen_meanwhile_is_not_mailed(office: Office, sink: MailSink) -> None:
    read, removed, snoozed, _news = await office.tell("read", "removed", "snoozed", "news")
    await office.store.write(feed.mark_read, ANA, [read], NOW)
    await office.store.write(feed.remove, ANA, [removed], NOW)
    await office.store.write(snoozes.snooze, ANA, [snoozed], NOW + MINUTE, None)
    await office.mailer(sink.url).send_due()
    [got] = sink.received
    assert got.message["Subject"] == "Título news"
    rows = await office.rows()
    assert {key: (row.state, row.detail) for key, row in rows.items()} == {
        "read": ("skipped", "read"),
        "removed": ("skipped", "removed"),
        "snoozed": ("skipped", "snoozed"),
        "news": ("sent", None),
    }


async def test_who_does_not_want_mail_any_more_gets_none(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    office.reason = "e-mail is switched off"
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    row = (await office.rows())["a"]
    assert (row.state, row.detail) == ("skipped", "e-mail is switched off")
    assert sink.connections == 0 and mailer.counts["skipped"] == 1


@pytest.mark.expects_log("e-mail waits: nobody knows")
async def test_a_mail_waits_until_it_is_known_whether_it_is_wanted(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    office.undecided = True
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    row = (await office.rows())["a"]
    assert (row.state, row.attempts) == ("waiting", 0)
    office.undecided, office.now = False, NOW + MINUTE
    await mailer.send_due()
    assert len(sink.received) == 1


@pytest.mark.expects_log("could not be sent: it is not a plain e-mail address")
@pytest.mark.parametrize("address", ["a@example.com, evil@example.com", "ana@example.com\r\nRCPT TO:<evil@x.example>"])
async def test_an_address_that_is_none_fails_at_once(office: Office, sink: MailSink, address: str) -> None:
    await office.tell("a", to=address)
    await office.mailer(sink.url).send_due()
    assert (await office.states()) == {"a": "failed"} and sink.offered == []


async def test_it_sends_at_the_moment_and_when_it_is_told_of_new_items(office: Office, sink: MailSink) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    office.clock = lambda: NOW + timedelta(seconds=loop.time() - began)
    stored = asyncio.Event()
    mailer = office.mailer(sink.url, stored=stored)
    async with running(mailer):
        await office.tell("a", email_at=NOW + timedelta(seconds=0.4))
        stored.set()
        await sink.wait(1)
        assert 0.4 <= loop.time() - began < 5
        await office.tell("b", email_at=NOW)
        stored.set()
        await sink.wait(2)
    assert loop.time() - began < 10  # not the half minute after which it looks anyway


# --- several workers -------------------------------------------------------------------------------------------------


@pytest.fixture
async def shared(store_url: str) -> AsyncIterator[tuple[Office, Store]]:
    """One database, two processes' stores."""
    made = await asyncio.to_thread(Office, store_url)
    other = Store(make_engine(store_url))
    await asyncio.to_thread(other.open)
    yield made, other
    await asyncio.to_thread(other.close)
    await asyncio.to_thread(made.store.close)


async def test_two_mailers_at_once_send_each_mail_once(shared: tuple[Office, Store], sink: MailSink) -> None:
    office, other = shared
    for number in range(20):
        scope, to = Scope("1", str(number)), f"u{number}@example.com"
        await office.tell(f"{number}a", f"{number}b", scope=scope, to=to)
    mailers = [office.mailer(sink.url), office.mailer(sink.url, other)]
    await asyncio.gather(*(mailer.send_due() for mailer in mailers))
    assert sorted(mail.recipients[0] for mail in sink.received) == sorted(f"u{n}@example.com" for n in range(20))
    assert all(mail.message["Subject"].startswith("2 notificaciones") for mail in sink.received)
    assert set((await office.states()).values()) == {"sent"}
    assert sum(mailer.counts["sent"] for mailer in mailers) == 20


async def test_a_claim_is_anothers_only_after_its_lease(shared: tuple[Office, Store]) -> None:
    office, other = shared
    [id] = await office.tell("a")
    claimed = await office.store.write(deliveries.claim, NOW, LEASE)
    assert claimed is not None and list(claimed.due) == [id]
    assert await other.write(deliveries.claim, NOW + LEASE - SECOND, LEASE) is None
    again = await other.write(deliveries.claim, NOW + LEASE, LEASE)
    assert again is not None and again.attempts == 2
    # Who was slower than the lease must not overwrite what the other finds out.
    assert await office.store.write(deliveries.settle, claimed, [id], "failed", "late", NOW + LEASE) == 0
    assert await other.write(deliveries.settle, again, [id], "sent", None, NOW + LEASE) == 1
    assert (await office.states()) == {"a": "sent"}


@pytest.mark.expects_log("e-mails were let go: SMTP_URL is not set")
async def test_both_databases_agree_on_the_life_of_a_row(shared: tuple[Office, Store], sink: MailSink) -> None:
    office, _ = shared
    await office.tell("a", "b")
    sink.data = ["451 later"]
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    assert await office.store.read(deliveries.next_due) == NOW + MINUTE
    office.now += MINUTE
    await mailer.send_due()
    assert await office.states() == {"a": "sent", "b": "sent"}
    await office.tell("c", email_at=office.now - OLDEST)
    await office.mailer(None).send_due()
    row = (await office.rows())["c"]
    assert (row.state, row.detail) == ("skipped", "SMTP_URL is not set")


# --- what the mail server says ---------------------------------------------------------------------------------------


async def test_a_temporary_refusal_is_tried_again_with_the_same_message(office: Office, sink: MailSink) -> None:
    await office.tell("a", "b")
    sink.data = ["451 4.3.0 try again later"]
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    row = (await office.rows())["a"]
    assert (row.state, row.attempts, row.due_at) == ("waiting", 1, NOW + MINUTE)
    assert row.detail == "451 4.3.0 try again later"
    await office.tell("new")  # goes out on its own: the mail that is tried again stays the mail it was
    await mailer.send_due()
    sink.rcpt = ["450 4.2.1 mailbox busy"]
    office.now += MINUTE
    await mailer.send_due()
    assert (await office.rows())["a"].due_at == office.now + 2 * MINUTE
    office.now += 2 * MINUTE
    await mailer.send_due()
    assert [mail.message["Subject"] for mail in sink.received] == [
        "Título new",
        "2 notificaciones sin leer: Título b",
    ]
    first, *_, last = sink.offered
    assert first.message["Message-ID"] == last.message["Message-ID"]
    assert mailer.counts["retried"] == 2 and mailer.counts["sent"] == 2


@pytest.mark.expects_log("could not be sent: 451 no")
async def test_after_the_last_try_it_has_failed(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    sink.data = ["451 no"] * 5
    mailer = office.mailer(sink.url)
    for _ in range(5):
        await mailer.send_due()
        office.now += timedelta(hours=1)
    assert len(sink.offered) == 3  # one try and two further ones
    row = (await office.rows())["a"]
    assert (row.state, row.attempts, row.due_at, row.detail) == ("failed", 3, None, "451 no")
    assert mailer.counts["failed"] == 1


@pytest.mark.expects_log("could not be sent: 55")
@pytest.mark.parametrize("answer", ["550 5.1.1 no such user", "554 5.7.1 rejected"])
@pytest.mark.parametrize("where", ["rcpt", "data"])
async def test_a_permanent_refusal_is_not_repeated_and_stops_nobody_else(
    office: Office, sink: MailSink, where: str, answer: str
) -> None:
    await office.tell("a")
    await office.tell("luis", scope=LUIS, to="luis@example.com", email_at=NOW + SECOND)
    office.now = NOW + SECOND
    setattr(sink, where, [answer])
    await office.mailer(sink.url).send_due()
    row = (await office.rows())["a"]
    assert (row.state, row.attempts, row.detail) == ("failed", 1, answer)
    assert [mail.recipients for mail in sink.received] == [["luis@example.com"]] and sink.connections == 1


@pytest.mark.expects_log("e-mail waits: the mail server did not answer in time")
async def test_a_server_that_falls_silent_holds_up_one_mail_only_once(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    await office.tell("luis", scope=LUIS, to="luis@example.com", email_at=NOW + SECOND)
    office.now = NOW + SECOND
    sink.hang = True
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    assert len(sink.offered) == 1 and mailer.status() == {"status": "down"}
    rows = await office.rows()
    assert (rows["a"].state, rows["a"].attempts) == ("waiting", 1)
    assert (rows["luis"].state, rows["luis"].attempts) == ("waiting", 0)
    sink.hang = False
    office.now += MINUTE
    await mailer.send_due()
    assert len(sink.received) == 2 and mailer.status() == {"status": "ok"}


@pytest.mark.expects_log("e-mail waits")
async def test_a_server_that_is_away_costs_one_connection_and_no_mail_a_try(office: Office, sink: MailSink) -> None:
    for number in range(10):
        await office.tell(str(number), scope=Scope("1", str(number)), to=f"u{number}@example.com")
    await sink.stop()
    mailer = office.mailer(sink.url)
    began = asyncio.get_running_loop().time()
    for _ in range(60):  # an hour
        await mailer.send_due()
        office.now += MINUTE
    assert mailer.status() == {"status": "down"} and asyncio.get_running_loop().time() - began < 10
    assert {(row.state, row.attempts) for row in (await office.rows()).values()} == {("waiting", 0)}
    await sink.start()
    office.now += 10 * MINUTE
    await mailer.send_due()
    assert len(sink.received) == 10 and sink.connections == 1 and mailer.status() == {"status": "ok"}


@pytest.mark.expects_log("e-mail waits")
async def test_a_server_that_never_greets_is_asked_once_a_pause(office: Office) -> None:
    await office.tell("a")
    await office.tell("luis", scope=LUIS, to="luis@example.com")
    async with silent_server() as (port, connections):
        mailer = office.mailer(f"smtp://127.0.0.1:{port}")
        await mailer.send_due()
        await mailer.send_due()
        assert connections() == 1
    assert set((await office.states()).values()) == {"waiting"}


@pytest.mark.expects_log("e-mail waits")
@pytest.mark.expects_log("e-mails were let go")
async def test_what_could_not_be_sent_for_a_day_has_failed(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    await sink.stop()
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    office.now += OLDEST
    await sink.start()
    await mailer.send_due()
    row = (await office.rows())["a"]
    assert row.state == "failed" and sink.received == []
    assert row.detail == "not sent within a day: the mail server could not be reached"


async def test_a_connection_cut_after_the_text_costs_at_most_one_repetition(office: Office, sink: MailSink) -> None:
    await office.tell("a", "b")
    sink.close_after_data = 1
    mailer = office.mailer(sink.url)
    await mailer.send_due()
    assert (await office.states()) == {"a": "waiting", "b": "waiting"}
    office.now += MINUTE
    await mailer.send_due()
    await mailer.send_due()
    assert len(sink.received) == 2
    assert len({mail.message["Message-ID"] for mail in sink.received}) == 1


async def test_killed_before_it_was_written_down_it_goes_again_with_the_same_id(office: Office, sink: MailSink) -> None:
    await office.tell("a", "b")
    mailer = office.mailer(sink.url)

    async def killed(*_: Any) -> None:
        raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mailer, "_settle", killed)
        with pytest.raises(asyncio.CancelledError):
            await mailer.send_due()
    assert (await office.states()) == {"a": "sending", "b": "sending"}
    restarted = office.mailer(sink.url)
    await restarted.send_due()
    assert len(sink.received) == 1
    office.now += LEASE
    await restarted.send_due()
    assert len(sink.received) == 2 and (await office.states()) == {"a": "sent", "b": "sent"}
    assert len({mail.message["Message-ID"] for mail in sink.received}) == 1


@pytest.mark.expects_log("the server was stopped each time")
async def test_what_kills_the_server_each_time_is_given_up(office: Office, sink: MailSink) -> None:
    await office.tell("a")
    for _ in range(3):
        await office.store.write(deliveries.claim, office.now, LEASE)
        office.now += LEASE
    await office.mailer(sink.url).send_due()
    assert (await office.states()) == {"a": "failed"} and sink.offered == []


@pytest.mark.expects_log("e-mails were let go: SMTP_URL is not set")
async def test_without_a_mail_server_what_was_planned_before_is_let_go_after_a_day(office: Office) -> None:
    await office.tell("a")
    mailer = office.mailer(None)
    await mailer.send_due()
    assert (await office.states()) == {"a": "waiting"} and mailer.status() == {"status": "off"}
    office.now += OLDEST
    await mailer.send_due()
    row = (await office.rows())["a"]
    assert (row.state, row.detail) == ("skipped", "SMTP_URL is not set")


# --- the way there ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and a client's that trusts its private authority."""
    server, authority = certificates(tmp_path)
    return server, ssl.create_default_context(cafile=authority)


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_login_goes_over_tls(
    office: Office, tls: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    await office.tell("a")
    async with mail_sink(tls=tls[0], implicit=implicit, auth=True) as sink:
        await office.mailer(sink.url, context=tls[1]).send_due()
        [got] = sink.received
    assert got.tls and got.user == "crmtray"


@pytest.mark.expects_log("cannot be trusted")
@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_nobody_vouches_for_gets_no_mail_and_no_password(
    office: Office, tls: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    await office.tell("a")
    async with mail_sink(tls=tls[0], implicit=implicit, auth=True) as sink:
        mailer = office.mailer(sink.url)
        await mailer.send_due()
        assert sink.offered == [] and mailer.status() == {"status": "down"}
    assert (await office.states()) == {"a": "waiting"}


@pytest.mark.expects_log("offers no TLS")
async def test_a_password_is_never_sent_in_the_clear(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.tell("a")
    async with mail_sink(auth=True) as sink:
        with monkeypatch.context() as patch:  # every address of this machine is loopback
            patch.setattr(smtp, "_is_this_machine", lambda _client: False)
            await office.mailer(sink.url).send_due()
        assert sink.offered == []
        row = (await office.rows())["a"]
        assert row.state == "failed" and "no TLS" in row.detail
        await office.tell("b")
        await office.mailer(sink.url).send_due()  # to this machine itself it is safe
        [got] = sink.received
    assert got.user == "crmtray" and not got.tls


@pytest.mark.expects_log("refuses the login: 535")
async def test_a_refused_login_keeps_the_mail_and_tells_no_password(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.tell("a")
    async with mail_sink(auth=True) as sink:
        mailer = office.mailer(sink.url.replace("contrase", "otra"))
        await mailer.send_due()
        assert mailer.status() == {"status": "down"}
        assert (await office.states()) == {"a": "waiting"} and "otra" not in caplog.text
        office.now += MINUTE
        await office.mailer(sink.url).send_due()  # corrected, and started again
        assert len(sink.received) == 1


def test_the_address_of_a_mail_server_has_its_usual_ports() -> None:
    assert mail_server("smtp://mail.example").name == "mail.example:25"
    assert mail_server("smtps://mail.example").name == "mail.example:465"
    full = mail_server("smtp://ana%40x.example:p%40ss@mail.example:587")
    assert (full.user, full.password, full.port, full.tls) == ("ana@x.example", "p@ss", 587, False)
    assert PASSWORD not in repr(replace(full, password=PASSWORD))
