"""Signing in, staying signed in, and keeping up with the feed over a real connection."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crmtray.api import Api, ApiError
from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials, Tokens
from crmtray.session import ConnectionState, LoginFailed, Session
from tests.client.fake_server import PASSWORD, USER, FakeServer
from tests.client.support import Recorder, item, wait_until
from tests.client.test_outbox import caught_up, signed_in

pytestmark = pytest.mark.usefixtures("no_client_tasks_left")


async def test_alerts_arrive_in_real_time_and_are_acknowledged() -> None:
    async with FakeServer.running() as server, signed_in(server) as (session, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        await server.add(item("n1", 0))
        await wait_until(lambda: recorder.arrived_ids == ["n1"], "the alert")
        await wait_until(lambda: server.acknowledged[-1:] == [1], "the acknowledgement")
        assert recorder.arrivals == [(["n1"], False)] and session.cache.unread_count() == 1
        assert len(server.asked("GET", "changes")) == 1, "a push that fits needs no question"


async def test_what_was_missed_comes_as_catching_up() -> None:
    async with FakeServer.running() as server, signed_in(server) as (session, recorder):
        await caught_up(session, server)
        await server.down()
        await wait_until(lambda: recorder.state is ConnectionState.OFFLINE, "offline is noticed")
        await server.add(item("n1", 0), item("n2", 0))
        await server.up()
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time again")
        assert recorder.arrivals == [(["n1", "n2"], True)]


async def test_a_lost_push_is_found_by_the_next_one() -> None:
    async with FakeServer.running() as server, signed_in(server) as (session, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        server.pushing = False
        await server.add(item("n1", 0))
        server.pushing = True
        await server.add(item("n2", 0))
        await wait_until(lambda: recorder.arrived_ids == ["n1", "n2"], "both, in order")
        assert session.cache.cursor == ("e1", 2)


async def test_a_count_that_is_ahead_is_a_lost_push_too() -> None:
    async with FakeServer.running() as server, signed_in(server) as (_, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        server.pushing = False
        await server.add(item("n1", 0))
        await server.sio.emit("notification_count_update", {"count": 1, "epoch": "e1", "seq": 1})
        await wait_until(lambda: recorder.arrived_ids == ["n1"], "the alert")


async def test_a_batch_is_taken_in_order_and_repeats_are_dropped() -> None:
    async with FakeServer.running() as server, signed_in(server) as (session, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        server.pushing = False
        await server.add(item("n1", 0), item("n2", 0))
        batch = [server.items["n2"].to_wire(), server.items["n1"].to_wire()]
        await server.sio.emit("notifications_batch", {"notifications": batch})
        await server.sio.emit("notifications_batch", {"notifications": batch})
        await wait_until(lambda: session.cache.cursor == ("e1", 2), "taken in")
        server.pushing = True
        await server.add(item("n3", 0))
        await wait_until(lambda: recorder.arrived_ids == ["n1", "n2", "n3"], "each once")


@pytest.mark.parametrize("data", [None, "text", {"id": 7}, {"notifications": [{}]}])
async def test_an_event_that_cannot_be_read_does_not_stop_the_rest(
    data: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeServer.running() as server, signed_in(server) as (_, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        with caplog.at_level("ERROR", "crmtray.sync"):
            for name in ("new_notification", "notifications_batch", "notification_removed"):
                await server.sio.emit(name, data)
            await server.add(item("n1", 0))
            await wait_until(lambda: recorder.arrived_ids == ["n1"], "the alert")


async def test_without_sockets_it_asks_every_so_often() -> None:
    async with FakeServer.running() as server:
        server.sockets_refused_with = "too_many_connections"
        async with signed_in(server) as (_, recorder):
            await wait_until(lambda: recorder.state is ConnectionState.POLLING, "polling")
            assert recorder.states[-1][1] == "Actualizando cada 1s"
            await server.add(item("n1", 0))
            await wait_until(lambda: recorder.arrived_ids == ["n1"], "found by asking")
            server.sockets_refused_with = None
            await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time when it is possible")


async def test_a_restored_server_replaces_what_is_here() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0), item("n2", 0))
        async with signed_in(server) as (session, _):
            await caught_up(session, server)
            await server.down()
            del server.items["n1"]
            server.restore("e2")
            await server.up()
            await wait_until(lambda: [found.id for found in session.cache.page()] == ["n2"], "the new feed")
            assert session.cache.cursor == ("e2", 1)


async def test_a_long_absence_is_made_up_for_page_by_page() -> None:
    async with FakeServer.running() as server:
        await server.add(*(item(f"n{number:03}", 0) for number in range(450)))
        async with signed_in(server) as (session, _):
            await caught_up(session, server)
            assert session.cache.unread_count() == 450 and len(server.asked("GET", "changes")) == 3


async def test_a_wrong_password_and_a_wrong_server_are_said_in_words() -> None:
    recorder, cache = Recorder(), Cache.open(None)
    session = Session(ClientConfig(), recorder, cache=cache, credentials=Credentials("test", memory_only=True))
    async with FakeServer.running() as server:
        with pytest.raises(LoginFailed) as wrong:
            await session.login(server.url, USER["email"], "guess")
        url = server.url
    assert (wrong.value.code, wrong.value.message) == (
        "invalid_credentials",
        "El correo o la contraseña no son correctos.",
    )
    with pytest.raises(LoginFailed, match=r"No se pudo conectar con 127\.0\.0\.1"):
        await session.login(url, USER["email"], PASSWORD)
    with pytest.raises(LoginFailed, match="https://"):
        await session.login("http://crm.example.com", USER["email"], PASSWORD)
    assert session.user is None and not await session.start()
    cache.close()


async def test_an_expired_token_is_renewed_once_for_all_and_the_socket_is_told() -> None:
    async with FakeServer.running() as server, signed_in(server) as (session, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        server.valid.clear()
        await session.sellers()
        assert len(server.asked("POST", "/auth/refresh")) == 1
        await wait_until(lambda: server.socket_tokens == ["access-1", "access-2"], "the socket has the new token")
        assert recorder.sign_outs == []


async def test_many_calls_with_an_expired_token_renew_it_once() -> None:
    async with FakeServer.running() as server:
        api = Api(server.url)
        await api.login(USER["email"], PASSWORD)
        server.valid.clear()
        await asyncio.gather(*(api.sellers() for _ in range(5)))
        await api.close()
        assert len(server.asked("POST", "/auth/refresh")) == 1


async def test_a_token_about_to_expire_is_renewed_in_time() -> None:
    async with FakeServer.running() as server:
        server.expires_in = 30
        recorder, cache = Recorder(), Cache.open(None)
        credentials = Credentials("test", memory_only=True)
        config = ClientConfig(server=server.url)
        session = Session(config, recorder, cache=cache, credentials=credentials, heartbeat_seconds=0.02)
        await session.login(server.url, USER["email"], PASSWORD)
        await wait_until(lambda: len(server.asked("POST", "/auth/refresh")) >= 1, "renewed")
        await session.stop()
        cache.close()


async def test_a_socket_refused_for_its_token_gets_a_new_one() -> None:
    async with FakeServer.running() as server:
        credentials = Credentials("test", memory_only=True)
        async with signed_in(server, credentials=credentials) as (session, _):
            await caught_up(session, server)
        server.valid.clear()
        async with signed_in(server, credentials=credentials) as (_, recorder):
            await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        stored = await credentials.load(server.url)
        assert stored is not None and stored.access_token in server.valid


async def test_a_login_that_ended_on_the_server_asks_for_a_new_one() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        credentials = Credentials("test", memory_only=True)
        async with signed_in(server, credentials=credentials) as (session, recorder):
            await caught_up(session, server)
            server.login_over = True
            server.valid.clear()
            await session.sync_now()
            await wait_until(lambda: recorder.sign_outs, "signed out")
            assert recorder.sign_outs == ["La sesión terminó; hay que volver a entrar."]
            assert session.user is None and await credentials.load(server.url) is None
            assert session.cache.unread_count() == 1, "the same person finds everything again"
            server.login_over = False
            await session.login(server.url, USER["email"], PASSWORD)
            await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time again")


async def test_two_programs_of_one_login_do_not_end_it_for_each_other() -> None:
    async with FakeServer.running() as server:
        credentials = Credentials("test", memory_only=True)
        async with signed_in(server, credentials=credentials) as (first, recorder):
            async with signed_in(server, credentials=credentials) as (second, _):
                await caught_up(second, server)
                server.valid.clear()
                await first.sellers()
                await second.sellers()
            assert len(server.asked("POST", "/auth/refresh")) == 1 and recorder.sign_outs == []


async def test_a_renewal_that_lost_the_race_takes_the_winners_tokens() -> None:
    async with FakeServer.running() as server:
        ended: list[ApiError] = []
        api = Api(server.url)
        old = await api.login(USER["email"], PASSWORD)
        winner = await api.login(USER["email"], PASSWORD)
        stored = iter([old, winner])

        async def reload() -> Tokens:
            return next(stored)

        loser = Api(server.url, old, reload=reload, ended=ended.append)
        assert [seller.name for seller in await loser.sellers()] == ["Ana"]
        assert ended == [] and loser.tokens is winner
        await api.close()
        await loser.close()


async def test_a_question_that_hangs_does_not_hold_up_what_the_socket_brings() -> None:
    async with FakeServer.running() as server, signed_in(server) as (_, recorder):
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
        server.answering.clear()
        server.pushing = False
        await server.drop_sockets()
        await server.add(item("n1", 0))
        await wait_until(lambda: recorder.arrived_ids == ["n1"], "the alert", limit=8)
        server.answering.set()


async def test_logout_ends_the_login_everywhere(tmp_path: Path) -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        credentials = Credentials("test", memory_only=True)
        async with signed_in(server, tmp_path / "cache.db", credentials) as (session, recorder):
            await caught_up(session, server)
            await session.logout()
            assert len(server.asked("POST", "/auth/logout")) == 1 and not server.valid
            assert session.cache.page() == [] and session.cache.owner is None
            assert recorder.states[-1] == (ConnectionState.OFFLINE, "Sesión cerrada")
            assert await credentials.load(server.url) is None and not await session.start()
            with pytest.raises(ApiError):
                await session.sellers()


async def test_another_person_never_sees_the_last_ones_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        async with signed_in(server, tmp_path / "cache.db") as (session, recorder):
            await caught_up(session, server)
            monkeypatch.setitem(USER, "user_id", "8")
            server.items.clear()
            server.restore("e1")
            await session.login(server.url, USER["email"], PASSWORD)
            assert session.cache.page() == [] and set() in recorder.changes
            assert session.user is not None and session.user.user_id == "8"


async def test_the_token_goes_to_no_other_host_by_redirect() -> None:
    seen: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = Api(f"http://127.0.0.1:{runner.addresses[0][1]}")
    with pytest.raises(ApiError):
        await api.login("ana@example.com", "secret")
    await api.close()
    await runner.cleanup()
    assert seen == ["/auth/login"]


@pytest.mark.parametrize(
    "answer", ["<html>hello</html>", "[]", json.dumps({"access_token": "x"}), "[" * 100_000, "x" * 17_000_000]
)
async def test_an_answer_of_some_other_server_is_said_in_words(answer: str) -> None:
    async def reply(request: web.Request) -> web.Response:
        return web.Response(text=answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = Api(f"http://127.0.0.1:{runner.addresses[0][1]}")
    with pytest.raises(ApiError) as caught:
        await api.login("ana@example.com", "secret")
    assert caught.value.code in ("not_crmtray", "unreachable") and not caught.value.permanent
    await api.close()
    await runner.cleanup()


async def quick_session(server: FakeServer, recorder: Recorder, cache: Cache) -> Session:
    """Signed in, with a heart that beats often enough for a test."""
    credentials = Credentials("test", memory_only=True)
    config = ClientConfig(server=server.url)
    session = Session(config, recorder, cache=cache, credentials=credentials, heartbeat_seconds=0.02)
    await session.login(server.url, USER["email"], PASSWORD)
    await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
    return session


async def test_a_machine_that_slept_connects_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer.running() as server:
        recorder, cache = Recorder(), Cache.open(None)
        session = await quick_session(server, recorder, cache)
        assert len(server.socket_tokens) == 1
        now = time.time
        monkeypatch.setattr("crmtray.session.time.time", lambda: now() + 600)
        await wait_until(lambda: len(server.socket_tokens) == 2, "a new connection")
        await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time again")
        await session.stop()
        cache.close()


async def test_a_snoozed_alert_comes_back_by_itself_even_offline() -> None:
    async with FakeServer.running() as server:
        await server.add(item("n1", 0))
        recorder, cache = Recorder(), Cache.open(None)
        session = await quick_session(server, recorder, cache)
        await wait_until(lambda: cache.unread_count() == 1, "the alert")
        await server.down()
        session.outbox.snooze("n1", datetime.now(UTC) + timedelta(seconds=0.2))
        assert cache.unread_count() == 0
        recorder.arrivals.clear()
        await wait_until(lambda: recorder.arrivals == [(["n1"], False)], "the alert again")
        assert cache.unread_count() == 1
        assert [pending.id for pending in cache.pending_toasts(now=datetime.now(UTC))] == ["n1"]
        await session.stop()
        cache.close()


async def test_a_certificate_nobody_vouches_for_is_said_in_words(tmp_path: Path) -> None:
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path)).start()
    api = Api(f"https://127.0.0.1:{runner.addresses[0][1]}")
    with pytest.raises(ApiError) as caught:
        await api.login("ana@example.com", "secret")
    assert caught.value.code == "certificate"
    assert caught.value.message.startswith("El certificado de seguridad de 127.0.0.1 es de un emisor desconocido")
    await api.close()
    await runner.cleanup()


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "server.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
