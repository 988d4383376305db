"""One transaction of the living sample CRM: finds conversations and leads, and changes them consistently.

Owns the rule that a conversation's last message is the newest of its messages. Decides nothing about what happens;
that is `living`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from . import demo_texts as texts
from . import schema
from .demo import Turn, dialogue, phone_of
from .demo_scenes import Scene
from .schema import conversations, leads, messages, users

CHOICE: Final = 40
"""Out of how many of the newest one is chosen."""
SENTENCES: Final = 12
"""How far back is looked for where the dialogue stands."""
MANY_MESSAGES: Final = 6
"""The customer has written so often when a lead is about to buy; with fewer altogether nobody counts as keen."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation with what is needed to continue it. `body` is its newest message."""

    id: int
    lead_id: int
    first_name: str
    customer: str
    seller_id: int | None
    seller: str
    last_at: datetime
    body: str


class Moment:
    """The sample CRM at one moment, inside a write transaction."""

    def __init__(self, connection: Connection, rng: random.Random, now: datetime) -> None:
        self._connection = connection
        self.rng = rng
        self.now = now
        people = connection.execute(
            sa.select(users.c.id, users.c.full_name, users.c.tenant_id)
            .where(users.c.role == "seller", users.c.active)
            .order_by(users.c.id)
        ).all()
        self.sellers: dict[int, str] = {person.id: person.full_name for person in people}
        self._tenant_id = people[0].tenant_id if people else None

    # What there is.

    def some_chat(self, *terms: Any) -> Chat | None:
        """An open conversation with these properties, by chance one of the newest."""
        newest_first = conversations.c.last_message_time.desc()
        rows = self._connection.execute(_open_chats(*terms).order_by(newest_first).limit(CHOICE)).all()
        return self._chat(self.rng.choice(rows)) if rows else None

    def oldest_chats(self, number: int, *terms: Any) -> list[Chat]:
        if number <= 0:
            return []
        assigned = conversations.c.assigned_seller_id.is_not(None)
        query = _open_chats(assigned, *terms).order_by(conversations.c.last_message_time).limit(number)
        return [self._chat(row) for row in self._connection.execute(query).all()]

    def some_lead(self, *terms: Any) -> int | None:
        query = sa.select(leads.c.id).where(*terms).order_by(leads.c.id.desc()).limit(CHOICE)
        ids = self._connection.scalars(query).all()
        return self.rng.choice(ids) if ids else None

    def waiting_count(self, seller: int | None = None, before: datetime | None = None) -> int:
        terms = [conversations.c.status == "active", conversations.c.last_message_from_customer]
        if seller is not None:
            terms.append(conversations.c.assigned_seller_id == seller)
        if before is not None:
            terms.append(conversations.c.last_message_time < before)
        return self._count(conversations, *terms)

    def open_chats(self) -> int:
        return self._count(conversations, conversations.c.status == "active")

    def open_leads(self) -> int:
        return self._count(leads, leads.c.status.in_(schema.OPEN_STAGES))

    # What customers and sellers do.

    def answer(self, chat: Chat) -> str:
        """The seller answers what was asked last."""
        place = self._place(chat)
        line = texts.line_of(chat.lead_id)
        asked = place is not None and place.from_customer
        options = line.exchanges[place.exchange].answers if place and asked else texts.PLAIN_ANSWERS
        body = self._say(chat, False, self.rng.choice(options), self.now)
        self._touch_lead(chat, place.exchange if place else 0)
        return f"{chat.seller} answers {chat.customer}: {body}"

    def go_on(self, chat: Chat) -> str:
        """The customer asks the next thing; after the purchase the seller says goodbye and the lead is won."""
        following = self._next_exchange(chat)
        line = texts.line_of(chat.lead_id)
        if following > line.last:
            return self._win(chat)
        body = self._say(chat, True, self.rng.choice(line.exchanges[following].asks), self.now)
        return f"{chat.customer} writes to {chat.seller}: {body}"

    def ask_late(self, chat: Chat, at: datetime) -> str:
        """The next question, with a time of a while ago; nobody decides to buy an hour late."""
        following = self._next_exchange(chat)
        line = texts.line_of(chat.lead_id)
        late = texts.NUDGES if following == line.last else texts.AFTER_PURCHASE
        options = line.exchanges[following].asks if following < line.last else late
        body = self._say(chat, True, self.rng.choice(options), at)
        ago = round((self.now - at) / timedelta(minutes=1))
        return f"{chat.customer} wrote to {chat.seller} {ago} min ago: {body}"

    def decide(self, chat: Chat) -> str:
        """The customer asks what is still open, is answered, and wants to buy."""
        line = texts.line_of(chat.lead_id)
        following = min(self._next_exchange(chat), line.last)
        missing = max(MANY_MESSAGES - self._customer_messages(chat), 0)
        for number, exchange in enumerate(line.exchanges[following : min(following + missing, line.last)]):
            at = self.now - timedelta(minutes=5 * (missing - number))
            self._say(chat, True, self.rng.choice(exchange.asks), at)
            self._say(chat, False, self.rng.choice(exchange.answers), at + timedelta(minutes=2))
        body = self._say(chat, True, self.rng.choice(line.exchanges[line.last].asks), self.now)
        self._update_lead(chat.lead_id, status="negotiation")
        return f"{chat.customer} decides to buy from {chat.seller}: {body}"

    def new_chat(self, seller: int | None, scene: Scene, location: str | None = None) -> Chat:
        """A lead that was not there before, with its conversation until `scene.age` ago."""
        lead_id = self._insert_lead(seller, scene, location)
        first_name = self._connection.scalars(sa.select(leads.c.first_name).where(leads.c.id == lead_id)).one()
        name = self.sellers[seller] if seller is not None else texts.SECRETARY
        turns = dialogue(
            self.rng, lead_id=lead_id, name=first_name, seller=name, scene=scene, last_at=self.now - scene.age
        )
        self._insert_chat(lead_id, seller, turns)
        answered = [turn.at for turn in turns if not turn.from_customer]
        created_at = turns[0].at - timedelta(minutes=3) if scene.age or scene.exchanges > 1 else self.now
        self._update_lead(lead_id, created_at=created_at, last_contacted_at=answered[-1] if answered else None)
        row = self._connection.execute(_open_chats(leads.c.id == lead_id)).one()
        return self._chat(row)

    def plan_call(self, lead_id: int, at: datetime, note: str) -> str:
        notes = note.format(product=texts.product_of(lead_id).name)
        self._update_lead(lead_id, next_follow_up=at, notes=notes)
        lead = self._connection.execute(sa.select(leads).where(leads.c.id == lead_id)).one()
        return f"follow-up with {lead.first_name} {lead.last_name} is now at {at:%Y-%m-%d %H:%M} UTC"

    def assign(self, chat: Chat, seller: int) -> str:
        self._update_chat(chat.id, assigned_seller_id=seller)
        self._update_lead(chat.lead_id, assigned_seller_id=seller)
        return f"{chat.customer} is assigned to {self.sellers[seller]}"

    # That it stays small.

    def close_chats(self, number: int) -> list[str]:
        """Closes so many conversations, the oldest first; who has been answered comes before who waits."""
        if number <= 0:
            return []
        order = (conversations.c.last_message_from_customer, conversations.c.last_message_time)
        rows = self._connection.execute(_open_chats().order_by(*order).limit(number)).all()
        for row in rows:
            self._update_chat(row.id, status="closed")
        return [f"conversation with {row.first_name} {row.last_name} is closed" for row in rows]

    def close_leads(self, number: int) -> list[str]:
        """Gives up so many leads that nobody talks with, the oldest first."""
        if number <= 0:
            return []
        talking = sa.select(conversations.c.lead_id).where(conversations.c.status == "active")
        silent = leads.c.status.in_(schema.OPEN_STAGES) & leads.c.id.not_in(talking)
        query = sa.select(leads.c.id, leads.c.first_name, leads.c.last_name).where(silent)
        rows = self._connection.execute(query.order_by(leads.c.created_at).limit(number)).all()
        for row in rows:
            self._update_lead(row.id, status="lost", next_follow_up=None)
        return [f"{row.first_name} {row.last_name} is given up" for row in rows]

    # How it is written down.

    def _win(self, chat: Chat) -> str:
        self._say(chat, False, self.rng.choice(texts.FAREWELLS), self.now)
        self._update_chat(chat.id, status="closed")
        won = {"status": "converted", "converted_at": self.now, "last_contacted_at": self.now, "next_follow_up": None}
        self._update_lead(chat.lead_id, **won)
        return f"{chat.customer} has bought from {chat.seller}"

    def _say(self, chat: Chat, from_customer: bool, template: str, at: datetime) -> str:
        body = texts.render(template, lead_id=chat.lead_id, name=chat.first_name, seller=chat.seller)
        row = {"conversation_id": chat.id, "from_customer": from_customer, "body": body, "created_at": at}
        self._connection.execute(messages.insert().values(row))
        self._update_chat(chat.id, last_message_time=at, last_message_from_customer=from_customer)
        return body

    def _touch_lead(self, chat: Chat, exchange: int) -> None:
        """An answered lead is in contact, and the further the dialogue, the further the sale."""
        stage = "contacted" if exchange < 2 else "interested" if exchange < 5 else "negotiation"
        current = self._connection.scalars(sa.select(leads.c.status).where(leads.c.id == chat.lead_id)).one()
        ahead = current in schema.OPEN_STAGES and schema.STAGES.index(stage) > schema.STAGES.index(current)
        self._update_lead(chat.lead_id, last_contacted_at=self.now, status=stage if ahead else current)

    def _insert_lead(self, seller: int | None, scene: Scene, location: str | None) -> int:
        row = {
            "tenant_id": self._tenant_id,
            "first_name": self.rng.choice(texts.FIRST_NAMES),
            "last_name": self.rng.choice(texts.LAST_NAMES),
            "phone_number": "",
            "source": scene.source or self.rng.choice(schema.SOURCES),
            "location": location or self.rng.choice(texts.LOCATIONS),
            "status": scene.status,
            "assigned_seller_id": seller,
            "created_at": self.now,
        }
        lead_id: int = self._connection.execute(leads.insert().values(row).returning(leads.c.id)).scalar_one()
        product = texts.product_of(lead_id)
        notes = self.rng.choice(texts.NOTES[scene.status]).format(product=product.name)
        self._update_lead(lead_id, phone_number=phone_of(lead_id), estimated_value=product.price, notes=notes)
        return lead_id

    def _insert_chat(self, lead_id: int, seller: int | None, turns: list[Turn]) -> None:
        row = {
            "tenant_id": self._tenant_id,
            "lead_id": lead_id,
            "assigned_seller_id": seller,
            "phone_number": phone_of(lead_id),
            "status": "active",
            "last_message_time": turns[-1].at,
            "last_message_from_customer": turns[-1].from_customer,
        }
        chat_id = self._connection.execute(
            conversations.insert().values(row).returning(conversations.c.id)
        ).scalar_one()
        rows = [
            {"conversation_id": chat_id, "from_customer": turn.from_customer, "body": turn.body, "created_at": turn.at}
            for turn in turns
        ]
        self._connection.execute(messages.insert(), rows)

    def _update_chat(self, chat_id: int, **values: Any) -> None:
        self._connection.execute(conversations.update().where(conversations.c.id == chat_id).values(values))

    def _update_lead(self, lead_id: int, **values: Any) -> None:
        self._connection.execute(leads.update().where(leads.c.id == lead_id).values(values))

    # How it is read.

    def _count(self, table: sa.Table, *terms: Any) -> int:
        return self._connection.scalars(sa.select(sa.func.count()).select_from(table).where(*terms)).one()

    def _chat(self, row: Row[Any]) -> Chat:
        return Chat(
            row.id,
            row.lead_id,
            row.first_name,
            f"{row.first_name} {row.last_name}",
            row.assigned_seller_id,
            row.full_name or texts.SECRETARY,
            row.last_message_time,
            self._bodies(row.id)[0][1],
        )

    def _bodies(self, chat_id: int) -> list[tuple[bool, str]]:
        """The newest messages, newest first: from the customer?, text."""
        newest_first = (messages.c.created_at.desc(), messages.c.id.desc())
        query = sa.select(messages.c.from_customer, messages.c.body).where(messages.c.conversation_id == chat_id)
        rows = self._connection.execute(query.order_by(*newest_first).limit(SENTENCES)).all()
        return [(row.from_customer, row.body) for row in rows] or [(True, "")]

    def _place(self, chat: Chat) -> texts.Place | None:
        """Where the dialogue stands: the newest sentence that is one of the line's exchanges."""
        line = texts.line_of(chat.lead_id)
        places = (texts.locate(line, body) for _, body in self._bodies(chat.id))
        return next((place for place in places if place), None)

    def _next_exchange(self, chat: Chat) -> int:
        place = self._place(chat)
        return place.exchange + 1 if place else 0

    def _customer_messages(self, chat: Chat) -> int:
        return self._count(messages, messages.c.conversation_id == chat.id, messages.c.from_customer)


def few_messages() -> sa.ColumnElement[bool]:
    """A term: the conversation has too few messages for its lead to have been hot."""
    counted = sa.select(sa.func.count()).where(messages.c.conversation_id == conversations.c.id)
    return counted.correlate(conversations).scalar_subquery() < MANY_MESSAGES


def _open_chats(*terms: Any) -> sa.Select[Any]:
    return (
        sa.select(conversations, leads.c.first_name, leads.c.last_name, users.c.full_name)
        .join(leads, leads.c.id == conversations.c.lead_id)
        .outerjoin(users, users.c.id == conversations.c.assigned_seller_id)
        .where(conversations.c.status == "active", *terms)
    )
