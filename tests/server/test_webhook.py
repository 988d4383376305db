"""The webhook: what the CRM is sent, what its answers mean for the person, and which addresses are reached at all."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from crmtray.protocol import NotificationAction, format_time
from crmtray_server.checkup import check
from crmtray_server.demo_server import DemoSettings
from crmtray_server.outbound import LARGEST_ANSWER, Outbound, OutboundError, is_public
from tests.server.live import ALICE, SECRET, Live, live_server, request

DOCUMENT = Path(__file__).parents[2] / "docs" / "actions.md"
REASSIGN = NotificationAction("Reasignar", "reassign", {"conversation_id": 5})
CONTACTED = NotificationAction("Marcar como contactado", "mark_contacted", {"lead_id": "8"})
RESCHEDULE = NotificationAction("Posponer", "reschedule", {"lead_id": "8"})


@dataclass
class StandIn:
    """A CRM's web server: keeps what it is sent, answers what it is told to."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait: asyncio.Event | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        if self.wait is not None:
            await self.wait.wait()
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    @property
    def orders(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
async def crm() -> AsyncIterator[StandIn]:
    crm = StandIn()
    app = web.Application()
    app.router.add_post("/{path:.*}", crm.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    crm.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/crmtray"
    yield crm
    await runner.cleanup()


@pytest.fixture
async def live(crm: StandIn, tmp_path: Path) -> AsyncIterator[Live]:
    async with live_server(tmp_path, crm_actions=crm.url) as server:
        yield server


async def press(live: Live, id: str, action: str = "reassign", key: str = "order-1", **params: Any) -> tuple[int, Any]:
    path, headers = f"/notifications/{id}/actions/{action}", {"Idempotency-Key": key}
    status, body, _ = await request(
        live, "POST", path, live.token(ALICE), headers=headers, json={"params": params or {"seller_id": "2"}}
    )
    return status, body


def documented(language: str) -> str:
    """The example that the document shows."""
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def header(headers: dict[str, str], name: str) -> str:
    return headers[next(key for key in headers if key.lower() == name.lower())]


async def test_the_crm_is_told_who_wants_what_done_to_which_row(live: Live, crm: StandIn) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    status, answer = await press(live, id)
    assert status == 200 and answer["notification"]["read"]
    assert answer["result"] == {"seller_id": "2", "seller_name": "Bob"}
    [order] = crm.orders
    assert order.pop("occurred_at").endswith("Z")
    assert order == {
        "id": "order-1",
        "action": "reassign",
        "actor": {"user_id": "1", "tenant_id": "1", "role": "seller", "name": "Alice"},
        "notification": {"id": id, "type": "hot_lead", "data": {}},
        "target": {"conversation_id": "5"},
        "params": {"seller_id": "2"},
    }
    assert header(crm.got[0][0], "Idempotency-Key") == "order-1"


async def test_times_are_resolved_and_the_follow_up_is_named(live: Live, crm: StandIn) -> None:
    [a, b] = [
        (await live.tell(ALICE, key, actions=(action,)))[0] for key, action in (("a", RESCHEDULE), ("b", CONTACTED))
    ]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    written = tomorrow.astimezone(timezone(timedelta(hours=-3))).isoformat()
    assert (await press(live, a, "reschedule", "1", at=written))[0] == 200
    assert (await press(live, b, "mark_contacted", "2"))[0] == 200
    assert [order["params"] for order in crm.orders] == [{"at": format_time(tomorrow)}, {"follow_up": None}]
    assert [order["target"] for order in crm.orders] == [{"lead_id": "8"}] * 2


async def test_the_documented_check_accepts_what_we_send_and_nothing_else(live: Live, crm: StandIn) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    await press(live, id)
    headers, body = crm.got[0]
    timestamp, signature = header(headers, "X-Crmtray-Timestamp"), header(headers, "X-Crmtray-Signature")
    example: dict[str, Callable[..., bool]] = {}
    exec(documented("python"), example)  # the document's own words are what is tested
    check = example["is_from_crmtray"]
    assert check(SECRET, timestamp, signature, body)
    assert not check(SECRET[::-1], timestamp, signature, body)
    assert not check(SECRET, timestamp, signature, body + b" ")
    assert not check(SECRET, str(int(timestamp) - 1), signature, body)
    assert not check(SECRET, timestamp, signature, body, now=int(timestamp) + 301)


async def test_the_documented_check_in_node_agrees(live: Live, crm: StandIn, tmp_path: Path) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    await press(live, id)
    headers, body = crm.got[0]
    timestamp, signature = header(headers, "X-Crmtray-Timestamp"), header(headers, "X-Crmtray-Signature")
    given = ", ".join(map(json.dumps, (SECRET, timestamp, signature)))
    hexes = (body.hex(), (body + b" ").hex())
    calls = "".join(f'console.log(isFromCrmtray({given}, Buffer.from("{text}", "hex")));\n' for text in hexes)
    script = tmp_path / "check.cjs"
    script.write_text(documented("js") + calls, encoding="utf-8")
    run = await asyncio.to_thread(
        subprocess.run, ["node", str(script)], capture_output=True, text=True, timeout=20, check=True
    )
    assert run.stdout.split() == ["true", "false"]


@pytest.mark.parametrize(
    ("answer", "body", "status", "code", "sentence"),
    [
        (404, b"", 409, "target_gone", "Ya no existe en el CRM o ya no está a tu cargo."),
        (410, b"", 409, "target_gone", "Ya no existe en el CRM o ya no está a tu cargo."),
        (403, b'{"detail": "x"}', 403, "forbidden", "El CRM no te permite esta acción."),
        (409, b'{"detail": "La conversaci\\u00f3n\\n est\\u00e1 \\u0007cerrada."}', 422, "crm_refused",
         "La conversación está cerrada."),
        (422, b'{"detail": [{"loc": ["body"]}]}', 422, "crm_refused", "El CRM no aceptó el cambio."),
        (400, b"<h1>Bad</h1>", 422, "crm_refused", "El CRM no aceptó el cambio."),
        (422, json.dumps({"detail": "a" * 500}).encode(), 422, "crm_refused", "a" * 199 + "…"),
    ],
)  # fmt: skip
async def test_a_refusal_is_shown_and_the_item_stays_unread(
    live: Live, crm: StandIn, answer: int, body: bytes, status: int, code: str, sentence: str
) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    crm.status, crm.body = answer, body
    got, refused = await press(live, id)
    assert (got, refused["code"], refused["detail"]) == (status, code, sentence)
    assert not (await request(live, "GET", f"/notifications/{id}", live.token(ALICE)))[1]["read"]


@pytest.mark.expects_log("an action could not change the CRM")
@pytest.mark.expects_log("POST /notifications")
@pytest.mark.parametrize("answer", [500, 503, 408, 429])
async def test_a_crm_that_is_away_gets_the_same_id_again(live: Live, crm: StandIn, answer: int) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    crm.status = answer
    status, problem = await press(live, id)
    assert (status, problem["code"]) == (503, "unavailable")
    crm.status = 204
    assert (await press(live, id))[0] == 200
    assert (await press(live, id))[0] == 200
    assert [order["id"] for order in crm.orders] == ["order-1", "order-1"]


@pytest.mark.expects_log("an action could not change the CRM")
@pytest.mark.parametrize(("answer", "headers"), [(401, {}), (302, {"Location": "http://127.0.0.1:1/"}), (304, {})])
async def test_a_webhook_that_is_set_up_wrongly_is_not_tried_for_ever(
    live: Live, crm: StandIn, answer: int, headers: dict[str, str]
) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    crm.status, crm.headers = answer, headers
    status, refused = await press(live, id)
    assert (status, refused["code"]) == (409, "crm_actions_off") and "avisa a quien administra" in refused["detail"]
    assert len(crm.got) == 1


async def test_two_at_the_same_time_reach_the_crm_once(live: Live, crm: StandIn) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    crm.wait = asyncio.Event()
    both = [asyncio.create_task(press(live, id)) for _ in range(2)]
    async with asyncio.timeout(5):
        while not crm.got:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    crm.wait.set()
    first, second = await asyncio.gather(*both)
    assert first == second and first[0] == 200 and len(crm.got) == 1


async def test_the_same_key_for_something_else_never_reaches_the_crm(live: Live, crm: StandIn) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    assert (await press(live, id))[0] == 200
    status, refused = await press(live, id, seller_id="1")
    assert (status, refused["code"]) == (422, "idempotency_key_reused") and len(crm.got) == 1


async def test_a_done_change_stays_done_however_long_the_crm_talks(live: Live, crm: StandIn) -> None:
    [id] = await live.tell(ALICE, "k", actions=(REASSIGN,))
    crm.body = b"x" * (LARGEST_ANSWER + 1)
    assert (await press(live, id))[0] == 200


async def test_the_checkup_says_whether_somebody_answers(crm: StandIn, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "jwt_secret_key": SecretStr(SECRET),
        "database_url": f"sqlite:///{tmp_path / 'store.db'}",
    }
    here = DemoSettings(**settings, crm_actions=crm.url, crm_login_url=crm.url)
    found = dict(await asyncio.to_thread(lambda: list(check(here))))
    assert (found["crm actions"], found["crm login"], crm.got) == ("ok", "ok", [])
    nowhere = DemoSettings(**settings, crm_actions="http://127.0.0.1:1/hook", crm_login_url="http://127.0.0.1:1/login")
    found = dict(await asyncio.to_thread(lambda: list(check(nowhere))))
    assert "cannot be reached" in found["crm actions"] and "Correct CRM_ACTIONS" in found["crm actions"]
    assert "Correct CRM_LOGIN_URL" in found["crm login"]


# --- which addresses are reached -------------------------------------------------------------------------------


class Names(AbstractResolver):
    """A DNS that gives each question the next of its answers."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [ResolveResult(hostname=host, host=answer, port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None: ...


def named(crm: StandIn, host: str) -> str:
    return crm.url.replace("127.0.0.1", host)


async def failing(outbound: Outbound, url: str) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        await outbound.post(url, b"{}", {})
    return caught.value


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_only_ordinary_addresses_of_the_internet_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_name_that_leads_inside_is_refused_unless_it_is_listed(crm: StandIn) -> None:
    url = named(crm, "crm.example")
    error = await failing(Outbound(resolver=Names("127.0.0.1")), url)
    assert error.permanent and "CRM_PRIVATE_HOSTS" in str(error) and not crm.got
    answer = await Outbound([" CRM.example. "], Names("127.0.0.1")).post(url, b"{}", {})
    assert answer.status == 200 and len(crm.got) == 1


async def test_a_name_cannot_turn_into_another_address_on_the_way(crm: StandIn) -> None:
    """The DNS says a public address when it is looked at, and ours when it is asked again."""
    names = Names("203.0.113.9", "127.0.0.1")
    error = await failing(Outbound(resolver=names), named(crm, "crm.example"))
    assert "203.0.113.9" in str(error) and names.asked == 1 and not crm.got


async def test_what_the_administrator_wrote_literally_is_meant(crm: StandIn) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert (await Outbound().post(named(crm, host), b"{}", {})).status == 200
    for host in ("127.1", "2130706433", "0x7f000001"):
        assert await failing(Outbound(resolver=Names("127.0.0.1")), named(crm, host))
    assert len(crm.got) == 2


async def test_nothing_of_the_environment_or_an_earlier_answer_comes_along(
    crm: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    crm.headers = {"Set-Cookie": "session=1"}
    outbound = Outbound()
    for _ in range(2):
        await outbound.post(named(crm, "localhost"), b"{}", {})
    assert all("cookie" not in {name.lower() for name in headers} for headers, _ in crm.got)


async def test_a_crm_that_does_not_answer_is_given_up(crm: StandIn) -> None:
    crm.wait = asyncio.Event()
    error = await failing(Outbound(seconds=0.2), crm.url)
    crm.wait.set()
    assert not error.permanent and "did not answer within 0.2 seconds" in str(error)


async def test_nobody_there_is_worth_another_try() -> None:
    error = await failing(Outbound(), "http://127.0.0.1:1/")
    assert not error.permanent and "cannot be reached" in str(error)


async def test_an_endless_answer_is_cut(crm: StandIn) -> None:
    crm.body = b"x" * (LARGEST_ANSWER + 5)
    answer = await Outbound().post(crm.url, b"{}", {})
    assert len(answer.body) == LARGEST_ANSWER and not answer.whole


async def test_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    crm, app = StandIn(), web.Application()
    app.router.add_post("/", crm.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        error = await failing(Outbound(), f"https://localhost:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()
    assert error.permanent and "TLS" in str(error) and not crm.got
