-- Indexes for a CRM on PostgreSQL with the tables that docs/detection.md names. For the CRM's owner: crmtray reads the
-- CRM and never changes it. `crmtray-server check` says which of these are missing.
--
-- Run it with psql, not inside a transaction:   psql -f indexes-postgresql.sql "postgresql://owner@host/crm"
-- CONCURRENTLY: the CRM goes on writing meanwhile. An index whose making was broken off stays behind and is of no use;
-- `crmtray-server check` says so: then DROP INDEX CONCURRENTLY its name, and run this again.

-- Who waits for a seller: the few that are open and whose last word is the customer's, by the time of that word. What
-- decides (who, which company) stands in the index, so that asking what has changed reads nothing else.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_waiting
  ON conversations (last_message_time) INCLUDE (id, tenant_id, assigned_seller_id)
  WHERE status = 'active' AND last_message_from_customer AND assigned_seller_id IS NOT NULL;

-- With whom somebody wrote in the last hour: only they can have become hot.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_recent
  ON conversations (last_message_time) INCLUDE (lead_id);

-- A lead's conversations, and the time of the last word in each.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_by_lead
  ON conversations (lead_id, last_message_time);

-- Planned contacts with open leads that somebody has, by their date.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_planned
  ON leads (next_follow_up) INCLUDE (id, tenant_id, assigned_seller_id)
  WHERE next_follow_up IS NOT NULL AND status IN ('interested', 'negotiation') AND assigned_seller_id IS NOT NULL;

-- A conversation's messages in their order: how many, who answered when, what was written last.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_by_conversation
  ON messages (conversation_id, created_at);

-- What was written today, for the response times of the day.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_by_time
  ON messages (created_at);
