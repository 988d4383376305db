"""The sample CRM's pages, which the links of its alerts open."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.engine import Engine

from crmtray_server.crm import demo, demo_pages, schema
from crmtray_server.crm.engine import crm_engine, write

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)

conversations, leads, messages, users = schema.conversations, schema.leads, schema.messages, schema.users
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def crm(crm_url: str) -> Iterator[Engine]:
    demo.create(crm_url, now=NOW)
    engine = crm_engine(crm_url)
    yield engine
    engine.dispose()


@pytest.fixture
async def pages(crm: Engine) -> AsyncIterator[Client]:
    app = web.Application()
    demo_pages.add_routes(app, crm, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        yield client


async def _page(client: Client, path: str) -> str:
    async with client.get(path) as response:
        assert response.status == 200
        return await response.text()


async def test_a_chat_shows_every_message_with_the_leads_name(pages: Client, crm: Engine) -> None:
    with crm.connect() as connection:
        lead = connection.execute(sa.select(leads).where(leads.c.id == 1)).one()
        bodies = connection.scalars(sa.select(messages.c.body).where(messages.c.conversation_id == 1)).all()
    text = await _page(pages, "/demo/chats?conversation=1")
    assert f"<h1>{lead.first_name} {lead.last_name}</h1>" in text
    assert lead.phone_number in text
    assert [body for body in bodies if body not in text] == []


async def test_a_leads_chat_is_its_newest(pages: Client, crm: Engine) -> None:
    with write(crm) as connection:
        older = {
            "tenant_id": 1,
            "lead_id": 1,
            "phone_number": "",
            "status": "closed",
            "last_message_from_customer": True,
        }
        moment = {"last_message_time": NOW - timedelta(days=9)}
        connection.execute(conversations.insert().values(older | moment))
    assert await _page(pages, "/demo/chats?lead=1") == await _page(pages, "/demo/chats?conversation=1")


async def test_a_lead_that_never_wrote_has_an_empty_chat(pages: Client, crm: Engine) -> None:
    with crm.connect() as connection:
        silent = connection.scalars(
            sa.select(leads.c.id).where(leads.c.id.not_in(sa.select(conversations.c.lead_id))).limit(1)
        ).one()
    assert "Todavía no hay mensajes" in await _page(pages, f"/demo/chats?lead={silent}")


async def test_a_leads_card_shows_its_stage_and_its_local_time(pages: Client, crm: Engine) -> None:
    with write(crm) as connection:
        moment = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
        connection.execute(leads.update().where(leads.c.id == 1).values(next_follow_up=moment, estimated_value=14500))
    text = await _page(pages, "/demo/leads/1")
    assert "En negociación" in text
    assert "Meta Ads" in text
    assert "Nordelta" in text
    assert "USD 14.500" in text
    assert "24/11/2026 15:30" in text


async def test_a_slow_sellers_day_shows_why(pages: Client) -> None:
    text = await _page(pages, "/demo/sellers/5/metrics")
    assert "Valentina Sosa" in text
    assert int(re.findall(r"<dd>(\d+) min</dd>", text)[0]) > 30
    assert int(re.findall(r"más de una hora</dt><dd>(\d+)</dd>", text)[0]) > 5


async def test_what_people_wrote_is_never_markup(pages: Client, crm: Engine) -> None:
    evil = '<script>alert("1")</script>'
    with write(crm) as connection:
        connection.execute(leads.update().values(first_name=evil, notes=evil, status=evil[:20], location=evil))
        connection.execute(messages.update().values(body=evil))
        connection.execute(users.update().values(full_name=evil))
    for path in ("/demo/chats?conversation=1", "/demo/leads/1", "/demo/sellers/1/metrics"):
        text = await _page(pages, path)
        assert "<script" not in text
        assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    "path",
    [
        "/demo/chats",
        "/demo/chats?conversation=999999",
        "/demo/chats?lead=999999",
        "/demo/chats?conversation=1%20OR%201=1",
        "/demo/leads/abc",
        "/demo/leads/99999999999999999999999",
        "/demo/leads/9999999999",
        "/demo/sellers/6/metrics",
    ],
)
async def test_unknown_things_are_a_page_of_the_same_look(pages: Client, path: str) -> None:
    async with pages.get(path) as response:
        assert response.status == 404
        text = await response.text()
    assert "No se encontró" in text
    assert "<style>" in text


async def test_the_browser_may_run_nothing_and_take_only_this_style(pages: Client) -> None:
    async with pages.get("/demo/leads/1") as response:
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    style = re.findall(r"<style>(.*)</style>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
