-- Alerts at the moment of the CRM's commit instead of at the next reading: triggers that say on the channel `crmtray`
-- which conversations and leads a statement has changed. For the CRM's owner; optional; only for PostgreSQL and the tables
-- that docs/detection.md names. To be rid of it: notify-postgresql-remove.sql.
--
--   psql -1 -f notify-postgresql.sql "postgresql://owner@host/crm"
--
-- What it costs the CRM: one trigger a statement, not a row, that looks at the changed rows only, some tens of
-- microseconds; at the commit PostgreSQL puts the notifications in a queue, one transaction after the other. When nobody
-- listens, nothing is kept. A change that makes no difference to any alert (a note, a name) notifies nobody.
-- What it says: {"conversations": [id, …]} or {"leads": [id, …]}, up to 100 ids each; after a statement that changes more
-- than 1000 rows only {}, which means: look at everything. Nobody learns more than ids.

-- Makes the notifications. PostgreSQL says the same words once in a transaction, however often they come.
CREATE OR REPLACE FUNCTION crmtray_notify(what text, ids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  first integer;
  payload text;
BEGIN
  IF coalesce(cardinality(ids), 0) > 1000 THEN
    PERFORM pg_notify('crmtray', '{}');
    RETURN;
  END IF;
  FOR first IN SELECT generate_series(1, coalesce(cardinality(ids), 0), 100) LOOP
    payload := json_build_object(what, ids[first : first + 99])::text;
    -- PostgreSQL takes less than 8000 bytes.
    PERFORM pg_notify('crmtray', CASE WHEN octet_length(payload) < 7900 THEN payload ELSE '{}' END);
  END LOOP;
END $$;

-- A message, whoever wrote it: its conversation.
CREATE OR REPLACE FUNCTION crmtray_messages_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crmtray_notify('conversations', ARRAY(
    SELECT DISTINCT added.conversation_id::text FROM added WHERE added.conversation_id IS NOT NULL ORDER BY 1));
  RETURN NULL;
END $$;

-- A conversation that is new or gone.
CREATE OR REPLACE FUNCTION crmtray_conversations_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crmtray_notify('conversations', ARRAY(SELECT touched.id::text FROM touched ORDER BY 1));
  RETURN NULL;
END $$;

-- A conversation in which something changed that an alert depends on.
CREATE OR REPLACE FUNCTION crmtray_conversations_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crmtray_notify('conversations', ARRAY(
    SELECT now_is.id::text FROM now_is JOIN was ON was.id = now_is.id
    WHERE (now_is.status, now_is.assigned_seller_id, now_is.lead_id, now_is.last_message_time,
           now_is.last_message_from_customer)
      IS DISTINCT FROM (was.status, was.assigned_seller_id, was.lead_id, was.last_message_time,
                        was.last_message_from_customer)
    ORDER BY 1));
  RETURN NULL;
END $$;

-- The same for leads.
CREATE OR REPLACE FUNCTION crmtray_leads_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crmtray_notify('leads', ARRAY(SELECT touched.id::text FROM touched ORDER BY 1));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION crmtray_leads_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM crmtray_notify('leads', ARRAY(
    SELECT now_is.id::text FROM now_is JOIN was ON was.id = now_is.id
    WHERE (now_is.status, now_is.assigned_seller_id, now_is.next_follow_up, now_is.source, now_is.location,
           now_is.converted_at)
      IS DISTINCT FROM (was.status, was.assigned_seller_id, was.next_follow_up, was.source, was.location,
                        was.converted_at)
    ORDER BY 1));
  RETURN NULL;
END $$;

-- Each trigger is taken away first, so that this file may be run again.
DROP TRIGGER IF EXISTS crmtray_added ON messages;
CREATE TRIGGER crmtray_added AFTER INSERT ON messages REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_messages_added();

DROP TRIGGER IF EXISTS crmtray_added ON conversations;
CREATE TRIGGER crmtray_added AFTER INSERT ON conversations REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_conversations_some();
DROP TRIGGER IF EXISTS crmtray_gone ON conversations;
CREATE TRIGGER crmtray_gone AFTER DELETE ON conversations REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_conversations_some();
DROP TRIGGER IF EXISTS crmtray_changed ON conversations;
CREATE TRIGGER crmtray_changed AFTER UPDATE ON conversations REFERENCING OLD TABLE AS was NEW TABLE AS now_is
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_conversations_changed();

DROP TRIGGER IF EXISTS crmtray_added ON leads;
CREATE TRIGGER crmtray_added AFTER INSERT ON leads REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_leads_some();
DROP TRIGGER IF EXISTS crmtray_gone ON leads;
CREATE TRIGGER crmtray_gone AFTER DELETE ON leads REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_leads_some();
DROP TRIGGER IF EXISTS crmtray_changed ON leads;
CREATE TRIGGER crmtray_changed AFTER UPDATE ON leads REFERENCING OLD TABLE AS was NEW TABLE AS now_is
  FOR EACH STATEMENT EXECUTE FUNCTION crmtray_leads_changed();
