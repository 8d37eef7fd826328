-- Linked Telegram chats, one-time link tokens (hashes only), and every message sent or waiting.

CREATE TABLE chats (
  tenant_id uuid NOT NULL,
  chat_id bigint NOT NULL,
  user_id bigint NOT NULL,
  language text NOT NULL CHECK (language IN ('id', 'en')),
  state text NOT NULL DEFAULT 'linked' CHECK (state IN ('linked', 'blocked')),
  linked_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, chat_id)
);

CREATE TABLE link_tokens (
  tenant_id uuid NOT NULL,
  token_hash bytea PRIMARY KEY,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE TABLE notifications (
  tenant_id uuid NOT NULL,
  notification_id uuid NOT NULL,
  event_id uuid NOT NULL,
  channel text NOT NULL CHECK (channel IN ('telegram', 'email')),
  kind text NOT NULL,
  recipient text NOT NULL,
  body text,
  state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'sending', 'sent', 'undeliverable')),
  attempts int NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  delivered_at timestamptz,
  PRIMARY KEY (tenant_id, notification_id),
  UNIQUE (tenant_id, event_id, channel, recipient)
);
CREATE INDEX notifications_due ON notifications (not_before) WHERE state IN ('pending', 'sending');

CREATE TABLE telegram_updates (update_id bigint PRIMARY KEY, received_at timestamptz NOT NULL);

SELECT public.enable_tenant_isolation('notification_service.chats');
SELECT public.enable_tenant_isolation('notification_service.link_tokens');
SELECT public.enable_tenant_isolation('notification_service.notifications');

-- Before a chat is linked nobody knows its tenant: a token's hash tells it, and nothing else.
CREATE FUNCTION notification_service.find_link_token(hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = notification_service
AS 'SELECT tenant_id FROM link_tokens WHERE token_hash = hash';
REVOKE ALL ON FUNCTION notification_service.find_link_token(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notification_service.find_link_token(bytea)
  TO sinyal_notification_service;

-- The sweep needs to know which tenants have something due, and nothing else.
CREATE FUNCTION notification_service.due_tenants(at timestamptz, bound int) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = notification_service
AS 'SELECT DISTINCT tenant_id FROM notifications
    WHERE channel = ''telegram'' AND state IN (''pending'', ''sending'') AND not_before <= at
    LIMIT bound';
REVOKE ALL ON FUNCTION notification_service.due_tenants(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notification_service.due_tenants(timestamptz, int)
  TO sinyal_notification_service;
