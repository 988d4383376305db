"""What the sample CRM is made of: leads with their stage, age and conversation, before they have names and words.

Owns the mixture: what must be there at the start, everyday business, and years of it behind. Makes no rows.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from . import demo_texts as texts

WEEK_OF_STAGES: Final = (
    "interested", "contacted", "converted", "negotiation", "new", "lost", "interested", "contacted", "converted",
    "negotiation",
)  # fmt: skip
"""How leads are spread over the stages; taken in turn by each seller, so nobody converts suspiciously little."""
LIVELY: Final = 5000
"""So many conversations, and leads without one, are of these days; a bigger sample has the rest from years before."""
PAST_STAGES: Final = ("converted", "lost", "contacted", "interested", "negotiation")
PAST_SHARES: Final = (25, 45, 20, 8, 2)
WAITING_SHARE, SOON_SHARE = 0.005, 0.03
USUAL_PACE: Final = timedelta(minutes=7)
SLOW_PACE: Final = timedelta(minutes=52)


@dataclass(frozen=True, slots=True)
class Scene:
    """A lead and, with at least one exchange, its conversation. `age` is how long ago the last thing happened."""

    seller: int | None
    status: str
    age: timedelta
    exchanges: int = 0
    waiting: bool = False
    buying: bool = False
    pace: timedelta = USUAL_PACE
    source: str | None = None
    location: str | None = None
    follow_up: timedelta | None = None
    earlier: int = 0
    """How many conversations with this lead came before."""


def scenes(rng: random.Random, sellers: int, conversations: int, leads: int) -> Iterator[Scene]:
    """Exactly so many leads and conversations; those that make alerts come first."""
    talking, alone = min(conversations, leads), max(leads - conversations, 0)
    told = list(itertools.islice(_story(sellers), talking))
    everyday = itertools.islice(_everyday(rng, sellers), min(talking - len(told), LIVELY))
    past = itertools.islice(_past(rng, sellers), max(talking - len(told) - LIVELY, 0))
    silent = itertools.islice(_silent(rng, sellers), alone)
    extra, some_extra = divmod(max(conversations - leads, 0), max(leads, 1))
    for number, scene in enumerate(itertools.chain(told, everyday, past, silent)):
        yield replace(scene, earlier=extra + (number < some_extra)) if scene.exchanges else scene


def _story(sellers: int) -> Iterator[Scene]:
    """What must be there at the start: something of every kind for the first seller, and a slow colleague."""
    slow, other = sellers - 1, min(1, sellers - 1)
    minutes = functools.partial(timedelta, 0, 0, 0, 0)
    nordelta, recoleta = texts.HIGH_VALUE_AREAS[1:]
    hot = Scene(0, "negotiation", timedelta(seconds=90), 6, waiting=True, buying=True, source="META_ADS")
    yield replace(hot, location=nordelta)
    yield Scene(0, "interested", minutes(85), 3, waiting=True)
    yield Scene(0, "contacted", minutes(130), 2, waiting=True)
    yield Scene(0, "interested", timedelta(minutes=59, seconds=40), 4, waiting=True)
    yield Scene(0, "interested", timedelta(days=2), 5, follow_up=minutes(95))
    yield Scene(0, "negotiation", timedelta(days=1), 6, follow_up=minutes(330))
    yield Scene(0, "interested", timedelta(days=3), 3, follow_up=-minutes(40))
    yield Scene(other, "interested", minutes(265), 4, waiting=True)
    yield replace(hot, seller=None, status="new", age=minutes(4))
    for number in range(7):
        yield Scene(slow, "interested", minutes(64 + 17 * number), 1 + number % 4, waiting=True, pace=SLOW_PACE)
    for number in range(4):
        yield Scene(slow, "contacted", minutes(3 + 11 * number), 3, pace=SLOW_PACE)
    yield replace(hot, seller=sellers // 2, age=minutes(9), source="REFERRAL", location=recoleta)


def _everyday(rng: random.Random, sellers: int) -> Iterator[Scene]:
    """Conversations that are in order: answered, finished, or just begun."""
    for number in itertools.count():
        seller, status = _turn_of(number, sellers)
        waiting = status == "new" and seller != 0
        pace = SLOW_PACE if seller == sellers - 1 and sellers > 1 else USUAL_PACE
        age = timedelta(minutes=rng.uniform(3, 55)) if waiting else timedelta(hours=2 + rng.expovariate(1 / 90))
        exchanges = 1 if status == "new" else rng.randint(2, 7)
        yield Scene(
            seller,
            status,
            age,
            exchanges,
            waiting,
            status == "converted",
            pace,
            follow_up=_follow_up(rng, status, seller),
        )


def _past(rng: random.Random, sellers: int) -> Iterator[Scene]:
    """What a firm has gathered in years: nearly all answered or closed, one in two hundred still waiting."""
    for number in itertools.count():
        seller, waiting = number % sellers, rng.random() < WAITING_SHARE
        status = rng.choice(("interested", "contacted")) if waiting else rng.choices(PAST_STAGES, PAST_SHARES)[0]
        age = timedelta(hours=rng.uniform(0.05, 72) if waiting else rng.uniform(2, 3 * 365 * 24))
        soon = status in ("interested", "negotiation") and rng.random() < SOON_SHARE
        follow_up = timedelta(hours=rng.uniform(2, 60)) if soon else None
        yield Scene(seller, status, age, 1, waiting, follow_up=follow_up)


def _silent(rng: random.Random, sellers: int) -> Iterator[Scene]:
    """Leads that never wrote: forms, lists, calls."""
    for number in itertools.count():
        seller, status = _turn_of(number, sellers)
        age = timedelta(hours=rng.uniform(3, 60 * 24))
        unassigned = status == "new" and number % 3 == 0
        follow_up = _follow_up(rng, status, seller) if number < LIVELY else None
        yield Scene(None if unassigned else seller, status, age, follow_up=follow_up)


def _turn_of(number: int, sellers: int) -> tuple[int, str]:
    return number % sellers, WEEK_OF_STAGES[number // sellers % len(WEEK_OF_STAGES)]


def _follow_up(rng: random.Random, status: str, seller: int) -> timedelta | None:
    """Later for most, soon for a few (the first seller's are in the story), past where nobody is reminded."""
    if status in ("contacted", "lost"):
        return -timedelta(days=rng.uniform(1, 20)) if rng.random() < 0.3 else None
    if status not in ("interested", "negotiation") or rng.random() < 0.4:
        return None
    soon = seller != 0 and rng.random() < 0.15
    return timedelta(hours=rng.uniform(2, 22)) if soon else timedelta(days=rng.uniform(1.5, 15))
