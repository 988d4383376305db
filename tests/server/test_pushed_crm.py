"""What a pushed CRM makes true: kept whatever its order, and looked at at once, with and without a database to read."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crmtray_server.store.database import Store
from crmtray_server.store.tables import mirror_conversations, mirror_leads, mirror_messages
from tests.server.pushing_crm import BUYING, OverlaidWatch, PushWatch, event, hot, lead, received, sent
from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, lines, of
from tests.server.reference_crm import store_url as file_url

UNANSWERED, HOT, FOLLOW_UP, PERFORMANCE = (
    "unanswered_conversation",
    "hot_lead",
    "follow_up_reminder",
    "performance_alert",
)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def watch(store_url: str) -> AsyncIterator[PushWatch]:
    watch = PushWatch(store_url)
    await watch.people()
    yield watch
    await watch.close()


@pytest.fixture
async def overlaid(crm: ReferenceCrm, tmp_path: Path) -> AsyncIterator[OverlaidWatch]:
    watch = OverlaidWatch(crm, file_url(tmp_path))
    yield watch
    await watch.close()


# --- the mirror --------------------------------------------------------------------------------------------------


async def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    def read(connection: sa.Connection) -> list[dict[str, Any]]:
        query = sa.select(table).order_by(table.c.tenant_id, table.c.id)
        return [dict(row._mapping) for row in connection.execute(query)]

    return await store.read(read)


async def test_the_mirror_is_the_same_whatever_the_order_of_events(tmp_path: Path) -> None:
    events = [
        received(1, NOW - 4 * MINUTE, status="active"),
        sent(2, NOW - 3 * MINUTE),
        event("conversation.assigned", NOW - 2 * MINUTE, conversation={"id": "5", "assigned_seller_id": None}),
        lead(NOW - 2 * MINUTE, "lead.created", notes="a", location=None),
        lead(NOW - MINUTE, notes=None, status="negotiation"),
    ]
    seen = []
    for number, order in enumerate(itertools.permutations(events)):
        if number % 12:  # ten of them say enough
            continue
        watch = PushWatch(f"sqlite:///{tmp_path / f'{number}.db'}")
        for one in (*order, order[0]):
            await watch.push(one)
        seen.append([await rows(watch.store, table) for table in (mirror_conversations, mirror_leads, mirror_messages)])
        await watch.close()
    assert all(one == seen[0] for one in seen)
    [[conversation], [found], messages] = seen[0]
    assert (conversation["assigned_seller_id"], conversation["status"], conversation["last_message_time"]) == (
        None,
        "active",
        NOW - 3 * MINUTE,
    )
    assert not conversation["last_message_from_customer"]
    assert (found["notes"], found["status"], found["source"]) == (None, "negotiation", "META_ADS")
    assert [message["id"] for message in messages] == ["1", "2"]


async def test_a_clock_that_is_ahead_does_not_silence_later_events(watch: PushWatch) -> None:
    await watch.push(lead(NOW + 24 * HOUR, notes="from tomorrow"))
    watch.now += MINUTE
    await watch.push(lead(watch.now, notes="now"))
    [row] = await rows(watch.store, mirror_leads)
    assert row["notes"] == "now"


# --- a CRM that cannot be read -----------------------------------------------------------------------------------


async def test_a_pushed_message_fires_when_it_has_waited_long_enough(watch: PushWatch) -> None:
    assert await watch.push(received(1, NOW - HOUR + 30 * SECOND)) == []
    watch.now += 29 * SECOND
    assert await watch.due() == []
    watch.now += SECOND
    told = await watch.due()
    assert lines(told) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]
    assert told[0].notification.data["phone_number"] == "+5491100000000"
    assert told[0].notification.data["seller_name"] == "Juan Pérez"
    assert await watch.read() == []
    watch.now = NOW + 4 * HOUR
    assert lines(await watch.read()) == [("2", UNANSWERED, "urgent")]


async def test_an_answer_ends_the_waiting_and_the_next_question_is_a_new_one(watch: PushWatch) -> None:
    assert len(await watch.push(received(1, NOW - 2 * HOUR))) == 2
    assert await watch.push(received(1, NOW - 2 * HOUR)) == []
    assert await watch.push(sent(2, NOW - MINUTE)) == []
    assert await watch.push(received(1, NOW - 2 * HOUR)) == []  # late, and again
    assert of(UNANSWERED, await watch.read()) == []
    assert await watch.push(received(3, NOW)) == []
    watch.now += HOUR
    watch.restart()
    assert lines(await watch.read()) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]


async def test_whoever_takes_a_waiting_conversation_over_is_told(watch: PushWatch) -> None:
    await watch.push(received(1, NOW - 2 * HOUR))
    assigned = {"id": 5, "assigned_seller_id": 8}
    assert lines(await watch.push(event("conversation.assigned", NOW, conversation=assigned))) == [
        ("8", UNANSWERED, "high")
    ]


async def test_a_closed_conversation_does_not_wait(watch: PushWatch) -> None:
    assert await watch.push(received(1, NOW - 2 * HOUR, status="closed")) == []


async def test_a_pushed_lead_becomes_hot_once(watch: PushWatch) -> None:
    *before, last = hot(NOW)
    assert await watch.push(*before) == []
    told = await watch.push(last)
    assert lines(told) == [("7", HOT, "urgent")]
    assert told[0].notification.data["lead_name"] == "Carlos Rodríguez"
    assert await watch.push(last) == [] and await watch.read() == []


async def test_a_hot_lead_that_is_assigned_later_is_told_to_its_seller(watch: PushWatch) -> None:
    unassigned = [lead(NOW - MINUTE, assigned_seller_id=None), *hot(NOW)[1:]]
    assert lines(await watch.push(*unassigned)) == [("2", HOT, "urgent")]
    assert lines(await watch.push(event("lead.updated", NOW, lead={"id": "9", "assigned_seller_id": "8"}))) == [
        ("8", HOT, "urgent")
    ]


async def test_a_pushed_follow_up_reminds_and_a_new_date_reminds_again(watch: PushWatch) -> None:
    assert lines(await watch.push(lead(NOW, next_follow_up=NOW + 2 * HOUR))) == [("7", FOLLOW_UP, "medium")]
    watch.now += MINUTE
    assert lines(await watch.push(lead(watch.now, next_follow_up=NOW + 5 * HOUR))) == [("7", FOLLOW_UP, "medium")]
    assert await watch.read() == []


async def test_a_reading_finds_a_sellers_slow_day(watch: PushWatch) -> None:
    await watch.push(received(1, NOW - 2 * HOUR), sent(2, NOW - HOUR))
    told = await watch.read()
    assert [(one.user_id, one.notification.data["issue_type"]) for one in told] == [("2", "slow_response")]
    assert told[0].notification.data["current_value"] == 60


async def test_companies_that_number_alike_are_kept_apart(watch: PushWatch) -> None:
    """Neither messages nor answers nor leads of one count for the other."""
    *half, last = hot(NOW)
    await watch.push(*half)
    assert await watch.push(last, tenant="2") == []  # its message would make the first one's lead hot
    await watch.push(received(1, NOW - 2 * HOUR, conversation=6))
    await watch.push(sent(2, NOW - HOUR, conversation=6), tenant="2")
    await watch.push(received(3, NOW - MINUTE, conversation=6))
    watch.now += 10 * MINUTE
    told = of(UNANSWERED, await watch.read())
    assert told == []  # still the same episode: the answer was the other company's
    assert lines(await watch.push(last)) == [("7", HOT, "urgent")]
    for tenant in ("1", "2"):
        assert len([row for row in await rows(watch.store, mirror_conversations) if row["tenant_id"] == tenant]) == 2


# --- a CRM that is read and pushes as well -----------------------------------------------------------------------


def almost_hot(crm: ReferenceCrm) -> None:
    crm.lead(9)
    crm.talk(9, BUYING[:5], NOW - 10 * MINUTE, seller=7)


@pytest.mark.parametrize("difference", [timedelta(), timedelta(milliseconds=400), -timedelta(milliseconds=400)])
@pytest.mark.parametrize("id", [6, "wamid.6"])
async def test_a_message_that_the_database_does_not_show_yet_makes_a_lead_hot_once(
    crm: ReferenceCrm, overlaid: OverlaidWatch, difference: timedelta, id: int | str
) -> None:
    almost_hot(crm)
    assert await overlaid.read() == []
    pushed = event(
        "message.received",
        NOW,
        message={"id": id, "conversation_id": 1009, "body": BUYING[5], "created_at": NOW},
    )
    told = await overlaid.push(pushed)
    assert lines(told) == [("7", HOT, "urgent")]
    assert await overlaid.read(SECOND) == []  # still not there: the episode goes on
    assert await overlaid.push(pushed) == []
    crm.message(1009, NOW + difference, body=BUYING[5])
    assert await overlaid.read(SECOND) == []
    assert await overlaid.push(pushed) == []
    overlaid.restart()
    assert await overlaid.read(10 * MINUTE) == []


async def test_a_message_that_the_database_shows_counts_once(crm: ReferenceCrm, overlaid: OverlaidWatch) -> None:
    """Five messages are not more than five, though the push names a somewhat later time for the last of them."""
    crm.lead(9)
    crm.talk(9, BUYING[1:], NOW - MINUTE, seller=7)
    row = {"id": 5, "conversation_id": 1009, "body": BUYING[5], "created_at": NOW}
    assert await overlaid.push(event("message.received", NOW, message=row)) == []


async def test_a_new_lead_is_known_before_the_database_shows_it(crm: ReferenceCrm, overlaid: OverlaidWatch) -> None:
    told = await overlaid.push(*hot(NOW), lead(NOW, next_follow_up=NOW + HOUR))
    assert lines(told) == [("7", FOLLOW_UP, "medium"), ("7", HOT, "urgent")]
    assert await overlaid.read(SECOND) == []
    crm.lead(9, next_follow_up=NOW + HOUR)
    crm.talk(9, BUYING, NOW, seller=7)
    assert await overlaid.read(SECOND) == []
    assert await overlaid.read(10 * MINUTE) == []


async def test_a_pushed_answer_ends_the_waiting_before_the_database_shows_it(
    crm: ReferenceCrm, overlaid: OverlaidWatch
) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    assert len(await overlaid.read()) == 2
    assert await overlaid.push(sent(77, NOW)) == []
    assert await overlaid.read(SECOND) == []
    crm.message(5, NOW, from_customer=False)
    crm.message(5, NOW + MINUTE)
    assert await overlaid.read(2 * MINUTE) == []
    assert lines(of(UNANSWERED, await overlaid.read(HOUR))) == [("3", UNANSWERED, "high"), ("7", UNANSWERED, "high")]


async def test_a_pushed_assignment_counts_until_the_database_changes(
    crm: ReferenceCrm, overlaid: OverlaidWatch
) -> None:
    crm.conversation(5, NOW - 2 * HOUR)
    await overlaid.read()
    assigned = event("conversation.assigned", NOW, conversation={"id": 5, "assigned_seller_id": 8})
    assert lines(await overlaid.push(assigned)) == [("8", UNANSWERED, "high")]
    assert await overlaid.read(SECOND) == []
    crm.user(11, "Leo Paz", "seller")
    crm.run("UPDATE conversations SET assigned_seller_id = 11")  # somebody else decided otherwise meanwhile
    assert lines(await overlaid.read(SECOND)) == [("11", UNANSWERED, "high")]


async def test_a_conversation_that_is_assigned_at_last_is_told_before_the_database_shows_it(
    crm: ReferenceCrm, overlaid: OverlaidWatch
) -> None:
    crm.conversation(5, NOW - 2 * HOUR, seller=None)
    assert await overlaid.read() == []
    row = {
        "id": 5,
        "assigned_seller_id": 8,
        "status": "active",
        "last_message_time": NOW - 2 * HOUR,
        "last_message_from_customer": True,
    }
    told = await overlaid.push(event("conversation.assigned", NOW, conversation=row))
    assert lines(told) == [("3", UNANSWERED, "high"), ("8", UNANSWERED, "high")]
    crm.run("UPDATE conversations SET assigned_seller_id = 8")
    assert await overlaid.read(SECOND) == []


async def test_a_lead_that_was_won_is_no_longer_hot_nor_followed_up(crm: ReferenceCrm, overlaid: OverlaidWatch) -> None:
    crm.lead(9, next_follow_up=NOW + HOUR)
    crm.talk(9, BUYING, NOW - MINUTE, seller=7)
    won = event("lead.updated", NOW, lead={"id": 9, "status": "won"})
    assert await overlaid.push(won) == []
    assert await overlaid.read(SECOND) == []
    crm.run("UPDATE leads SET status = 'won'")
    assert await overlaid.read(SECOND) == []


async def test_a_push_of_another_company_changes_nothing_in_the_database_of_this_one(
    crm: ReferenceCrm, overlaid: OverlaidWatch
) -> None:
    almost_hot(crm)
    crm.conversation(5, NOW - 2 * HOUR)
    assert len(await overlaid.read()) == 2
    message = {"id": 6, "conversation_id": 1009, "body": BUYING[5], "created_at": NOW}
    foreign = [
        event("message.received", NOW, message=message),
        event("conversation.assigned", NOW, conversation={"id": 5, "assigned_seller_id": 8}),
        sent(78, NOW),
    ]
    assert await overlaid.push(*foreign, tenant="2") == []
    assert await overlaid.read(SECOND) == []


async def test_what_was_pushed_is_kept_only_while_it_may_be_ahead(crm: ReferenceCrm, overlaid: OverlaidWatch) -> None:
    await overlaid.push(*hot(NOW))
    overlaid.now += 6 * MINUTE
    await overlaid.push(lead(overlaid.now, id=10))
    assert [row["id"] for row in await rows(overlaid.store, mirror_leads)] == ["10"]
    assert await rows(overlaid.store, mirror_messages) == []
