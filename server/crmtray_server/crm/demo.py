"""The sample CRM: creates the reference tables and fills them with believable people and conversations.

Owns the first state only; what happens afterwards is in `living`. The same seed and the same `now` give the same rows.
Never touches a database that already holds CRM rows.
"""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from . import bulk, schema
from . import demo_texts as texts
from . import engine as database
from .demo_scenes import Scene, scenes
from .engine import CrmDatabaseError

Row = dict[str, Any]
TENANT_ID: Final = 1
BATCH: Final = 500
UNUSED_NUMBERS: Final = "+5491100"
"""Argentine mobile prefix with an exchange (00) that is given to nobody."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the sample CRM."""

    id: int
    full_name: str
    email: str
    role: str


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was made. `people` begins with the sellers, the first of whom has something of everything."""

    tenant_id: int
    people: tuple[Person, ...]
    leads: int
    conversations: int
    messages: int

    def first(self, role: str) -> Person:
        return next(person for person in self.people if person.role == role)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a dialogue."""

    at: datetime
    from_customer: bool
    body: str


@dataclass(slots=True)
class _Rows:
    leads: list[Row] = field(default_factory=list)
    conversations: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)


def create(
    url: str, conversations: int = 60, leads: int = 120, sellers: int = 5, seed: int = 1, now: datetime | None = None
) -> DemoSummary:
    """Creates the tables and fills them, in one transaction. Raises CrmDatabaseError and then leaves all as it was."""
    _check_numbers(conversations, leads, sellers)
    engine = database.crm_engine(url)
    try:
        with database.write(engine) as connection:
            _refuse_used(connection)
            bulk.create_tables(connection)
            filler = _Filler(connection, random.Random(seed), now or datetime.now(UTC), _people(sellers))
            made = filler.fill(scenes(filler.rng, sellers, conversations, leads))
            bulk.create_indexes(connection)
            return made
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise CrmDatabaseError(f"The sample CRM could not be written to {_shown(url)}: {reason}.") from error
    finally:
        engine.dispose()


def dialogue(
    rng: random.Random, *, lead_id: int, name: str, seller: str, scene: Scene, last_at: datetime
) -> list[Turn]:
    """The messages of a scene, the newest at `last_at`, each seller's answer about `scene.pace` after the question."""
    line = texts.line_of(lead_id)
    chosen = list(line.exchanges[: min(scene.exchanges, line.last)])
    if scene.buying:
        chosen.append(line.exchanges[line.last])
    spoken = [
        (from_customer, texts.render(rng.choice(options), lead_id=lead_id, name=name, seller=seller))
        for exchange in chosen
        for from_customer, options in ((True, exchange.asks), (False, exchange.answers))
    ]
    if scene.waiting:
        spoken.pop()
    return _timed(rng, spoken, scene.pace, last_at)


def email_of(full_name: str) -> str:
    plain = unicodedata.normalize("NFKD", full_name).encode("ascii", "ignore").decode()
    return f"{'.'.join(plain.lower().split())}@demo.example"


def phone_of(lead_id: int) -> str:
    return f"{UNUSED_NUMBERS}{lead_id % 1_000_000:06d}"


def _check_numbers(conversations: int, leads: int, sellers: int) -> None:
    if sellers < 1 or min(leads, conversations) < 0 or (conversations and not leads):
        raise CrmDatabaseError("A sample CRM needs at least 1 seller, and at least 1 lead to have conversations with.")


def _shown(url: str) -> str:
    return sa.make_url(url).render_as_string(hide_password=True)


def _refuse_used(connection: Connection) -> None:
    """A database with rows in tables of these names, or with other tables of these names, is somebody's."""
    inspector = sa.inspect(connection)
    for table in schema.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        used = connection.execute(sa.select(sa.literal(1)).select_from(sa.table(table.name)).limit(1)).first()
        if used or not columns >= set(table.columns.keys()):
            raise CrmDatabaseError(
                f"{_shown(str(connection.engine.url))} already holds a CRM (table {table.name}); "
                "give the address of an empty database for the sample."
            )


def _people(sellers: int) -> tuple[Person, ...]:
    named = [(texts.seller_name(index), "seller") for index in range(sellers)]
    named += [(texts.SECRETARY, "secretary"), (texts.CEO, "ceo"), (texts.ADMIN, "admin")]
    return tuple(Person(number, name, email_of(name), role) for number, (name, role) in enumerate(named, 1))


def _timed(rng: random.Random, spoken: list[tuple[bool, str]], pace: timedelta, last_at: datetime) -> list[Turn]:
    turns: list[Turn] = []
    at = last_at
    for from_customer, body in reversed(spoken):
        turns.append(Turn(at, from_customer, body))
        at -= timedelta(minutes=rng.uniform(2, 9)) if from_customer else pace * rng.uniform(0.7, 1.3)
    return turns[::-1]


class _Filler:
    """Turns scenes into rows and writes them in batches, so that a large sample needs little memory."""

    def __init__(self, connection: Connection, rng: random.Random, now: datetime, people: tuple[Person, ...]) -> None:
        self.rng = rng
        self._connection = connection
        self._now = now
        self._people = people
        self._lead_id = self._conversation_id = self._message_id = 0

    def fill(self, scenes: Iterable[Scene]) -> DemoSummary:
        self._insert_people()
        for batch in _batches(scenes):
            rows = _Rows()
            for scene in batch:
                self._play(scene, rows)
            self._insert(rows)
        bulk.set_sequences(self._connection)
        return DemoSummary(TENANT_ID, self._people, self._lead_id, self._conversation_id, self._message_id)

    def _insert_people(self) -> None:
        tenant = {"id": TENANT_ID, "name": texts.TENANT_NAME, "timezone": texts.TIME_ZONE}
        self._connection.execute(schema.tenants.insert(), [tenant])
        fields = ("id", "full_name", "email", "role")
        rows = [
            {"tenant_id": TENANT_ID, "active": True} | {name: getattr(person, name) for name in fields}
            for person in self._people
        ]
        self._connection.execute(schema.users.insert(), rows)

    def _insert(self, rows: _Rows) -> None:
        bulk.insert(self._connection, schema.leads, rows.leads)
        bulk.insert(self._connection, schema.conversations, rows.conversations)
        bulk.insert(self._connection, schema.messages, rows.messages)

    def _play(self, scene: Scene, rows: _Rows) -> None:
        self._lead_id += 1
        lead = self._new_lead(scene)
        last_at = self._now - scene.age
        started_at = last_at
        if scene.exchanges:
            started_at, answered_at = self._talk(scene, lead, last_at, rows)
            lead["last_contacted_at"] = answered_at
        elif scene.status != "new":
            lead["last_contacted_at"] = last_at
            started_at = last_at - timedelta(hours=self.rng.uniform(1, 72))
        lead["created_at"] = started_at - timedelta(minutes=self.rng.uniform(2, 30))
        if scene.status == "converted":
            lead["converted_at"] = last_at
        rows.leads.append(lead)

    def _new_lead(self, scene: Scene) -> Row:
        lead_id, rng = self._lead_id, self.rng
        product = texts.product_of(lead_id)
        return {
            "id": lead_id,
            "tenant_id": TENANT_ID,
            "first_name": rng.choice(texts.FIRST_NAMES),
            "last_name": rng.choice(texts.LAST_NAMES),
            "phone_number": phone_of(lead_id),
            "source": scene.source or rng.choice(schema.SOURCES),
            "location": scene.location or rng.choice(texts.LOCATIONS),
            "status": scene.status,
            "assigned_seller_id": None if scene.seller is None else self._people[scene.seller].id,
            "estimated_value": product.price,
            "next_follow_up": None if scene.follow_up is None else whole_minutes(self._now + scene.follow_up),
            "notes": rng.choice(texts.NOTES[scene.status]).format(product=product.name),
            "converted_at": None,
            "last_contacted_at": None,
        }

    def _talk(self, scene: Scene, lead: Row, last_at: datetime, rows: _Rows) -> tuple[datetime, datetime | None]:
        """Writes the scene's conversation and those before it; when the first began and the last answer was given."""
        over = scene.status in ("converted", "lost")
        turns = self._converse(scene, lead, last_at, "closed" if over else "active", rows)
        answers = [turn.at for turn in turns if not turn.from_customer]
        started_at = turns[0].at
        past = replace(scene, exchanges=3, waiting=False, buying=False)
        for _ in range(scene.earlier):
            ended_at = started_at - timedelta(days=self.rng.uniform(1, 12))
            started_at = self._converse(past, lead, ended_at, "closed", rows)[0].at
        return started_at, answers[-1] if answers else None

    def _converse(self, scene: Scene, lead: Row, last_at: datetime, status: str, rows: _Rows) -> list[Turn]:
        self._conversation_id += 1
        seller = texts.SECRETARY if scene.seller is None else self._people[scene.seller].full_name
        turns = dialogue(
            self.rng, lead_id=lead["id"], name=lead["first_name"], seller=seller, scene=scene, last_at=last_at
        )
        rows.conversations.append(
            {
                "id": self._conversation_id,
                "tenant_id": TENANT_ID,
                "lead_id": lead["id"],
                "assigned_seller_id": lead["assigned_seller_id"],
                "phone_number": lead["phone_number"],
                "status": status,
                "last_message_time": turns[-1].at,
                "last_message_from_customer": turns[-1].from_customer,
            }
        )
        for turn in turns:
            self._message_id += 1
            rows.messages.append(
                {
                    "id": self._message_id,
                    "conversation_id": self._conversation_id,
                    "from_customer": turn.from_customer,
                    "body": turn.body,
                    "created_at": turn.at,
                }
            )
        return turns


def _batches(scenes: Iterable[Scene]) -> Iterator[list[Scene]]:
    iterator = iter(scenes)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def whole_minutes(moment: datetime) -> datetime:
    """Nobody plans a call for 15:07:31; up, so that what is to come stays to come."""
    step = timedelta(minutes=5)
    return moment + (datetime.min.replace(tzinfo=moment.tzinfo) - moment) % step
