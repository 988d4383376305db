"""The reference tables' queries, as SQL for SQLite and PostgreSQL.

Owns the texts and how each database says them. Tables are never given short names: the driver's "no such column:
leads.notes" is then already the answer, and the mirror can put its own tables in their place. Runs nothing.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Dialect = Literal["sqlite", "postgresql"]


def texts(dialect: Dialect) -> dict[str, tuple[str, str]]:
    """By name: what reads everything that matters, and what reads the rows with one of `:ids`."""
    waiting, followups, metrics = _WAITING, _FOLLOWUPS, _METRICS
    everyone = "TRUE" if dialect == "postgresql" else "1"
    found = {
        "users": (_USERS, _USERS),
        "unanswered_conversations": (waiting, f"{waiting} AND conversations.id IN :ids"),
        "lead_candidates": (
            _leads(everyone, _LIKELY, _REACHES),
            _leads("conversations.lead_id IN :ids", "leads.id IN :ids", ""),
        ),
        "talking_leads": (_leads(_WITH_TALK, f"talks.lead_id IS NOT NULL AND {_LIKELY}", _REACHES), ""),
        "lead_messages": (_LEAD_MESSAGES, _LEAD_MESSAGES),
        "followups": (
            f"{followups} AND {_until(dialect)}",
            f"{followups} AND leads.id IN :ids",
        ),
        "seller_metrics": (metrics, metrics),
        "answers": (_ANSWERS, _ANSWERS),
        "conversation_leads": (_CONVERSATION_LEADS, _CONVERSATION_LEADS),
        "known_messages": (_KNOWN_MESSAGES, _KNOWN_MESSAGES),
        "timezones": (_TIMEZONES, _TIMEZONES),
    }
    return {name: (_for(dialect, text), _for(dialect, by_ids)) for name, (text, by_ids) in found.items()}


def _leads(talking: str, which: str, reaches: str) -> str:
    """`talking`: whose conversations are looked at; `which` leads; of these, those that it `reaches` in the end."""
    text = _LEADS.replace("{talking}", talking).replace("{which}", which)
    return text.replace("{points}", _POINTS).replace("{reaches}", reaches)


def decisive(dialect: Dialect) -> dict[str, str]:
    """By name: the rows of a long answer with no more than what decides whether there is something to tell.

    Without the rest (names, phone numbers), an index of the CRM's can answer alone.
    """
    until = f"{_DECISIVE_FOLLOWUPS} AND {_until(dialect)}"
    return {"unanswered_conversations": _DECISIVE_WAITING, "followups": _for(dialect, until)}


def _for(dialect: Dialect, text: str) -> str:
    """Writes `{time …}`, `{seconds …}`, `{from …}`, `{since …}` and `{to …}` as this database says it.

    SQLite keeps times as text in whatever ISO form the CRM chose; its julianday() reads them all. PostgreSQL knows
    times that Python does not ("infinity"): as text, one of them spoils its own row only.
    """
    if dialect == "postgresql":
        text = re.sub(r"\{time ([\w.]+)\}", r"CAST(\1 AS text)", text)
        text = re.sub(r"\{seconds ([\w.]+)\}", r"CAST(EXTRACT(EPOCH FROM \1) AS double precision)", text)
        text = re.sub(r"\{day ([\w.]+)\} AND ", "", text)
        text = re.sub(r"\{(?:from|since) ([\w.]+) (:\w+)\}", r"\1 >= \2", text)
        return re.sub(r"\{to ([\w.]+) (:\w+)\}", r"\1 <= \2", text)
    text = re.sub(r"\{time ([\w.]+)\}", r"\1", text)
    text = re.sub(r"\{seconds ([\w.]+)\}", r"(julianday(\1) - 2440587.5) * 86400.0", text)
    # Any ISO form of a later time sorts after the bare date before it: this lets an index take the first cut.
    text = re.sub(r"\{day ([\w.]+)\}", r"\1 >= date(:day_start, '-1 day')", text)
    text = re.sub(r"\{since ([\w.]+) (:\w+)\}", r"\1 >= date(\2, '-1 day') AND {from \1 \2}", text)
    text = re.sub(r"\{from ([\w.]+) (:\w+)\}", r"julianday(\1) >= julianday(\2)", text)
    return re.sub(r"\{to ([\w.]+) (:\w+)\}", r"julianday(\1) <= julianday(\2)", text)


def _until(dialect: Dialect) -> str:
    if dialect == "postgresql":
        return "leads.next_follow_up <= :until"
    # A time that cannot be read is read all the same, so that it is reported.
    return "({to leads.next_follow_up :until} OR julianday(leads.next_follow_up) IS NULL)"


_USERS: Final = """
SELECT users.id AS user_id, users.tenant_id, users.full_name AS name, users.email, users.role, users.active
FROM users
"""

_TIMEZONES: Final = """
SELECT tenants.id AS tenant_id, tenants.timezone FROM tenants
"""

_WAITS: Final = """
WHERE conversations.status = 'active' AND conversations.last_message_from_customer
  AND conversations.assigned_seller_id IS NOT NULL
"""

_WAITING: Final = f"""
SELECT conversations.id AS conversation_id, conversations.tenant_id, conversations.phone_number,
       conversations.assigned_seller_id AS seller_id, users.full_name AS seller_name,
       {{time conversations.last_message_time}} AS last_message_time
FROM conversations
LEFT JOIN users ON users.id = conversations.assigned_seller_id AND users.tenant_id = conversations.tenant_id
{_WAITS}"""

_DECISIVE_WAITING: Final = f"""
SELECT conversations.id AS conversation_id, conversations.tenant_id, conversations.assigned_seller_id AS seller_id,
       conversations.last_message_time
FROM conversations
{_WAITS}"""

# When a seller last wrote in these conversations.
_ANSWERS: Final = """
SELECT messages.conversation_id, MAX({seconds messages.created_at}) AS answered_at
FROM messages
WHERE NOT messages.from_customer AND messages.conversation_id IN :ids
GROUP BY messages.conversation_id
"""

_CONVERSATION_LEADS: Final = """
SELECT conversations.id AS conversation_id, conversations.tenant_id, conversations.lead_id
FROM conversations
WHERE conversations.lead_id IS NOT NULL AND conversations.id IN :ids
"""

_KNOWN_MESSAGES: Final = """
SELECT messages.id AS message_id FROM messages WHERE messages.id IN :ids
"""

# Leads with whom somebody wrote lately.
_WITH_TALK: Final = """conversations.lead_id IN (
    SELECT conversations.lead_id FROM conversations WHERE {since conversations.last_message_time :recent}
  )"""

# The points of a lead without those for its messages.
_POINTS: Final = """
    CASE UPPER(leads.source) WHEN 'META_ADS' THEN 30 WHEN 'REFERRAL' THEN 25 WHEN 'WEBSITE' THEN 20 ELSE 0 END
    + CASE WHEN {from talks.last_message_time :recent} THEN 15 ELSE 0 END
    + CASE WHEN leads.location IS NULL THEN 0 ELSE :area_points END
"""
# With full marks for its messages.
_LIKELY: Final = f"""
    leads.converted_at IS NULL AND LOWER(COALESCE(leads.status, '')) NOT IN ('converted', 'won', 'lost')
    AND {_POINTS} + 20 + 25 >= :min_points
"""
# When they are counted, with full marks for what they say.
_REACHES: Final = """
WHERE candidates.points + CASE WHEN counts.message_count > 5 THEN 20 ELSE 0 END + 25 >= :min_points
"""

_LEADS: Final = """
WITH talks AS (
  SELECT conversations.lead_id, MAX(conversations.last_message_time) AS last_message_time
  FROM conversations
  WHERE conversations.lead_id IS NOT NULL AND {talking}
  GROUP BY conversations.lead_id
), candidates AS (
  SELECT leads.id AS lead_id, leads.tenant_id, leads.first_name, leads.last_name, leads.phone_number, leads.source,
         leads.location, leads.status, leads.assigned_seller_id AS seller_id, leads.estimated_value,
         leads.converted_at, talks.last_message_time, {points} AS points
  FROM leads LEFT JOIN talks ON talks.lead_id = leads.id
  WHERE {which}
), counts AS (
  SELECT candidates.lead_id, COUNT(messages.id) AS message_count
  FROM candidates
  JOIN conversations ON conversations.lead_id = candidates.lead_id
  JOIN messages ON messages.conversation_id = conversations.id
  GROUP BY candidates.lead_id
)
SELECT candidates.lead_id, candidates.tenant_id, candidates.first_name, candidates.last_name, candidates.phone_number,
       candidates.source, candidates.location, candidates.status, candidates.seller_id, candidates.estimated_value,
       candidates.converted_at, COALESCE(counts.message_count, 0) AS message_count,
       {time candidates.last_message_time} AS last_message_time
FROM candidates LEFT JOIN counts ON counts.lead_id = candidates.lead_id
{reaches}"""

_LEAD_MESSAGES: Final = """
SELECT newest.lead_id, newest.body, {time newest.created_at} AS created_at
FROM (
  SELECT conversations.lead_id, messages.body, messages.created_at,
         ROW_NUMBER() OVER (
           PARTITION BY conversations.lead_id ORDER BY messages.created_at DESC, messages.id DESC
         ) AS place
  FROM conversations JOIN messages ON messages.conversation_id = conversations.id
  WHERE messages.from_customer AND conversations.lead_id IN :ids
) AS newest
WHERE newest.place <= 10
ORDER BY newest.lead_id, newest.place DESC
"""

_PLANNED: Final = """
WHERE leads.next_follow_up IS NOT NULL AND leads.status IN ('interested', 'negotiation')
  AND leads.assigned_seller_id IS NOT NULL
"""

_FOLLOWUPS: Final = f"""
SELECT leads.id AS lead_id, leads.tenant_id, leads.first_name, leads.last_name, leads.phone_number, leads.status,
       leads.assigned_seller_id AS seller_id, {{time leads.next_follow_up}} AS next_follow_up, leads.notes
FROM leads
{_PLANNED}"""

_DECISIVE_FOLLOWUPS: Final = f"""
SELECT leads.id AS lead_id, leads.tenant_id, leads.assigned_seller_id AS seller_id, leads.next_follow_up
FROM leads
{_PLANNED}"""

# A response time runs from the first message of a customer's turn, written today, to the seller's next one.
_METRICS: Final = """
WITH today AS (
  SELECT conversations.tenant_id, conversations.assigned_seller_id AS seller_id, messages.conversation_id,
         messages.from_customer, {seconds messages.created_at} AS seconds, messages.id
  FROM messages JOIN conversations ON conversations.id = messages.conversation_id
  WHERE {day messages.created_at} AND {from messages.created_at :day_start}
    AND conversations.assigned_seller_id IS NOT NULL
), turns AS (
  SELECT today.tenant_id, today.seller_id, today.from_customer, today.seconds,
         LAG(CASE WHEN today.from_customer THEN 1 ELSE 0 END) OVER talk AS follows_customer,
         MIN(CASE WHEN today.from_customer THEN NULL ELSE today.seconds END)
           OVER (talk ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS answered
  FROM today
  WINDOW talk AS (PARTITION BY today.conversation_id ORDER BY today.seconds, today.id)
), answers AS (
  SELECT turns.tenant_id, turns.seller_id, AVG(turns.answered - turns.seconds) / 60.0 AS minutes
  FROM turns
  WHERE turns.from_customer AND COALESCE(turns.follows_customer, 0) = 0 AND turns.answered IS NOT NULL
  GROUP BY turns.tenant_id, turns.seller_id
), waiting AS (
  SELECT conversations.tenant_id, conversations.assigned_seller_id AS seller_id, COUNT(*) AS total
  FROM conversations
  WHERE conversations.status = 'active' AND conversations.last_message_from_customer
    AND conversations.assigned_seller_id IS NOT NULL AND {to conversations.last_message_time :unanswered_before}
  GROUP BY conversations.tenant_id, conversations.assigned_seller_id
), owned AS (
  SELECT leads.tenant_id, leads.assigned_seller_id AS seller_id, COUNT(*) AS total,
         SUM(CASE WHEN leads.converted_at IS NOT NULL OR LOWER(COALESCE(leads.status, '')) IN ('converted', 'won')
             THEN 1 ELSE 0 END) AS converted
  FROM leads
  WHERE leads.assigned_seller_id IS NOT NULL
  GROUP BY leads.tenant_id, leads.assigned_seller_id
)
SELECT users.tenant_id, users.id AS seller_id, users.full_name AS seller_name,
       answers.minutes AS avg_response_time_minutes,
       COALESCE(waiting.total, 0) AS unanswered_conversations,
       CASE WHEN owned.total > 0 THEN owned.converted * 1.0 / owned.total END AS conversion_rate,
       COALESCE(owned.total, 0) AS leads_generated
FROM users
LEFT JOIN answers ON answers.tenant_id = users.tenant_id AND answers.seller_id = users.id
LEFT JOIN waiting ON waiting.tenant_id = users.tenant_id AND waiting.seller_id = users.id
LEFT JOIN owned ON owned.tenant_id = users.tenant_id AND owned.seller_id = users.id
WHERE users.active
"""
