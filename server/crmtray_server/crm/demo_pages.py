"""Pages of the sample CRM, so that the links of its alerts open something: a chat, a lead, a seller's day.

Owns HTML written on the server, without scripts; everything from the database is escaped. Reads only. These pages ask
for no login, therefore they are for the demo on the loopback address alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection, Engine, Row

from .schema import conversations, leads, messages, tenants, users

Query = Callable[[Connection], "Page | None"]
MESSAGES_SHOWN: Final = 200
LARGEST_ID: Final = 2**31 - 1
UNANSWERED_AFTER: Final = timedelta(hours=1)

STAGES: Final = {
    "new": "Nuevo",
    "contacted": "Contactado",
    "interested": "Con interés",
    "negotiation": "En negociación",
    "converted": "Convertido",
    "lost": "Perdido",
}
SOURCES: Final = {"META_ADS": "Meta Ads", "WEBSITE": "Sitio web", "REFERRAL": "Referido", "ORGANIC": "Orgánico"}

STYLE: Final = """
:root { color-scheme: light dark; --page: #f3f4f6; --card: #ffffff; --text: #1f2937; --soft: #5b6472; --line: #dfe3e8;
  --mine: #d7f0e2; --theirs: #eef0f3; --accent: #0f766e; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1e2329; --text: #e8eaed; --soft: #a2abb8;
  --line: #343b44; --mine: #1d4a3c; --theirs: #2a313a; --accent: #5eead4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 2rem auto; padding: 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.4rem; line-height: 1.25; }
p.sub { margin: .25rem 0 1.25rem; color: var(--soft); }
a { color: var(--accent); }
ol { display: flex; flex-direction: column; gap: .5rem; margin: 0; padding: 0; list-style: none; }
li { max-width: 80%; padding: .5rem .8rem; border-radius: 14px; }
li.customer { align-self: flex-start; background: var(--theirs); border-bottom-left-radius: 4px; }
li.seller { align-self: flex-end; background: var(--mine); border-bottom-right-radius: 4px; }
li time { display: block; color: var(--soft); font-size: .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; font-weight: 600; }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem; }
@media (max-width: 30rem) { main { margin: 0; border: 0; border-radius: 0; min-height: 100vh; } }
"""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """`title` and `subtitle` are plain text; `body` is HTML that is already safe."""

    title: str
    subtitle: str
    body: str


NOT_FOUND: Final = Page("No se encontró", "El enlace ya no lleva a nada en este CRM de ejemplo.", "")


def add_routes(app: web.Application, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Puts the pages below `/demo/` of an application."""

    async def chat(request: web.Request) -> web.Response:
        conversation, lead = _number(request.query.get("conversation")), _number(request.query.get("lead"))
        if conversation is not None:
            return await _answer(engine, lambda connection: _chat_page(connection, conversation))
        return await _answer(engine, lambda connection: None if lead is None else _newest_chat_page(connection, lead))

    async def card(request: web.Request) -> web.Response:
        lead = _number(request.match_info["id"])
        return await _answer(engine, lambda connection: None if lead is None else _lead_page(connection, lead))

    async def metrics(request: web.Request) -> web.Response:
        seller = _number(request.match_info["id"])
        return await _answer(
            engine, lambda connection: None if seller is None else _metrics_page(connection, seller, clock())
        )

    app.router.add_get("/demo/chats", chat)
    app.router.add_get("/demo/leads/{id}", card)
    app.router.add_get("/demo/sellers/{id}/metrics", metrics)


async def _answer(engine: Engine, query: Query) -> web.Response:
    page = await asyncio.to_thread(_read, engine, query)
    text = _render(page or NOT_FOUND)
    return web.Response(text=text, status=200 if page else 404, content_type="text/html", headers=HEADERS)


def _read(engine: Engine, query: Query) -> Page | None:
    with engine.connect() as connection, connection.begin():
        return query(connection)


def _render(page: Page) -> str:
    return (
        '<!doctype html><html lang="es"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(page.title)}</h1><p class="sub">{escape(page.subtitle)}</p>{page.body}'
        "<footer>CRM de ejemplo: personas y mensajes inventados.</footer></main></body></html>"
    )


def _number(text: str | None) -> int | None:
    """An id of the sample CRM, or None for what cannot be one."""
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > len(str(LARGEST_ID)):
        return None
    return number if (number := int(text)) <= LARGEST_ID else None


# The chat.


def _newest_chat_page(connection: Connection, lead_id: int) -> Page | None:
    newest_first = (conversations.c.last_message_time.desc(), conversations.c.id.desc())
    query = sa.select(conversations.c.id).where(conversations.c.lead_id == lead_id).order_by(*newest_first).limit(1)
    conversation = connection.scalars(query).first()
    if conversation is not None:
        return _chat_page(connection, conversation)
    lead = _lead(connection, lead_id)
    return None if lead is None else Page(_name(lead), "Todavía no hay mensajes con este lead.", _lead_link(lead.id))


def _chat_page(connection: Connection, conversation_id: int) -> Page | None:
    query = sa.select(conversations.c.lead_id).where(conversations.c.id == conversation_id)
    lead_id = connection.scalars(query).first()
    lead = None if lead_id is None else _lead(connection, lead_id)
    if lead is None:
        return None
    newest_first = (messages.c.created_at.desc(), messages.c.id.desc())
    spoken = sa.select(messages).where(messages.c.conversation_id == conversation_id).order_by(*newest_first)
    rows = connection.execute(spoken.limit(MESSAGES_SHOWN)).all()
    bubbles = "".join(_bubble(row, _zone(lead.timezone)) for row in reversed(rows))
    return Page(
        _name(lead), f"{lead.phone_number} · {_seller_of(lead)}", f"<ol>{bubbles}</ol><p>{_lead_link(lead.id)}</p>"
    )


def _bubble(row: Row[Any], zone: ZoneInfo) -> str:
    side = "customer" if row.from_customer else "seller"
    return (
        f'<li class="{side}">{escape(row.body)}<time datetime="{row.created_at.isoformat()}">'
        f"{_local(row.created_at, zone)}</time></li>"
    )


# The lead.


def _lead_page(connection: Connection, lead_id: int) -> Page | None:
    lead = _lead(connection, lead_id)
    if lead is None:
        return None
    zone = _zone(lead.timezone)
    figures = (
        ("Estado", STAGES.get(lead.status, lead.status)),
        ("Origen", SOURCES.get(lead.source, lead.source)),
        ("Teléfono", lead.phone_number),
        ("Zona", lead.location),
        ("Atiende", _seller_of(lead)),
        ("Valor estimado", None if lead.estimated_value is None else f"USD {_grouped(lead.estimated_value)}"),
        ("Próximo seguimiento", _local(lead.next_follow_up, zone)),
        ("Último contacto", _local(lead.last_contacted_at, zone)),
        ("Ingresó", _local(lead.created_at, zone)),
        ("Convertido", _local(lead.converted_at, zone)),
        ("Notas", lead.notes),
    )
    chat = f'<p><a href="/demo/chats?lead={lead.id}">Ver la conversación</a></p>'
    return Page(_name(lead), lead.tenant_name, _table(figures) + chat)


def _lead(connection: Connection, lead_id: int) -> Row[Any] | None:
    query = (
        sa.select(leads, users.c.full_name, tenants.c.timezone, tenants.c.name.label("tenant_name"))
        .join(tenants, tenants.c.id == leads.c.tenant_id)
        .outerjoin(users, users.c.id == leads.c.assigned_seller_id)
        .where(leads.c.id == lead_id)
    )
    return connection.execute(query).first()


def _lead_link(lead_id: int) -> str:
    return f'<a href="/demo/leads/{lead_id}">Ficha del lead</a>'


# The seller.


def _metrics_page(connection: Connection, seller_id: int, now: datetime) -> Page | None:
    query = sa.select(users, tenants.c.timezone).join(tenants, tenants.c.id == users.c.tenant_id)
    seller = connection.execute(query.where(users.c.id == seller_id, users.c.role == "seller")).first()
    if seller is None:
        return None
    today = now.astimezone(_zone(seller.timezone)).date()
    midnight = datetime.combine(today, time(), _zone(seller.timezone))
    waits = _response_minutes(connection, seller_id, midnight)
    owned, won = _leads_of(connection, seller_id)
    figures = (
        ("Respuestas de hoy", str(len(waits))),
        ("Tiempo medio de respuesta", f"{statistics.fmean(waits):.0f} min" if waits else "sin respuestas hoy"),
        ("Sin respuesta hace más de una hora", str(_unanswered(connection, seller_id, now))),
        ("Leads", str(owned)),
        ("Convertidos", f"{won} ({won / owned:.0%})" if owned else "0"),
    )
    return Page(seller.full_name, f"Resultados del {today:%d/%m/%Y}", _table(figures))


def _response_minutes(connection: Connection, seller_id: int, since: datetime) -> list[float]:
    """How long the customer of each answer since then had waited, from the first message not yet answered."""
    touched = sa.select(messages.c.conversation_id).where(messages.c.created_at >= since)
    query = (
        sa.select(messages.c.conversation_id, messages.c.from_customer, messages.c.created_at)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(conversations.c.assigned_seller_id == seller_id, messages.c.conversation_id.in_(touched))
        .order_by(messages.c.conversation_id, messages.c.created_at, messages.c.id)
    )
    waits: list[float] = []
    asked: dict[int, datetime] = {}
    for row in connection.execute(query):
        if row.from_customer:
            asked.setdefault(row.conversation_id, row.created_at)
        elif (start := asked.pop(row.conversation_id, None)) is not None and row.created_at >= since:
            waits.append((row.created_at - start) / timedelta(minutes=1))
    return waits


def _unanswered(connection: Connection, seller_id: int, now: datetime) -> int:
    waiting = (
        conversations.c.assigned_seller_id == seller_id,
        conversations.c.status == "active",
        conversations.c.last_message_from_customer,
        conversations.c.last_message_time < now - UNANSWERED_AFTER,
    )
    return connection.scalars(sa.select(sa.func.count()).select_from(conversations).where(*waiting)).one()


def _leads_of(connection: Connection, seller_id: int) -> tuple[int, int]:
    won = sa.func.count().filter(leads.c.status == "converted")
    row = connection.execute(sa.select(sa.func.count(), won).where(leads.c.assigned_seller_id == seller_id)).one()
    return row[0], row[1]


# How things are written.


def _table(figures: Iterable[tuple[str, str | None]]) -> str:
    known = ((label, value) for label, value in figures if value)
    return f"<dl>{''.join(f'<dt>{escape(label)}</dt><dd>{escape(value)}</dd>' for label, value in known)}</dl>"


def _name(lead: Row[Any]) -> str:
    return f"{lead.first_name} {lead.last_name}"


def _seller_of(lead: Row[Any]) -> str:
    return lead.full_name or "Sin asignar"


def _grouped(amount: float) -> str:
    return f"{amount:,.0f}".replace(",", ".")


def _local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else f"{moment.astimezone(zone):%d/%m/%Y %H:%M}"


def _zone(name: str) -> ZoneInfo:
    """The tenant's time zone; UTC when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
