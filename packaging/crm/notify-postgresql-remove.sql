-- Takes away all that notify-postgresql.sql has made; nothing else of the CRM is touched.
--
--   psql -1 -f notify-postgresql-remove.sql "postgresql://owner@host/crm"

DROP TRIGGER IF EXISTS crmtray_added ON messages;
DROP TRIGGER IF EXISTS crmtray_added ON conversations;
DROP TRIGGER IF EXISTS crmtray_gone ON conversations;
DROP TRIGGER IF EXISTS crmtray_changed ON conversations;
DROP TRIGGER IF EXISTS crmtray_added ON leads;
DROP TRIGGER IF EXISTS crmtray_gone ON leads;
DROP TRIGGER IF EXISTS crmtray_changed ON leads;
DROP FUNCTION IF EXISTS crmtray_messages_added();
DROP FUNCTION IF EXISTS crmtray_conversations_some();
DROP FUNCTION IF EXISTS crmtray_conversations_changed();
DROP FUNCTION IF EXISTS crmtray_leads_some();
DROP FUNCTION IF EXISTS crmtray_leads_changed();
DROP FUNCTION IF EXISTS crmtray_notify(text, text[]);
