-- Payment attempts and what Midtrans said about them. An invoice has at most one attempt that may
-- still bring money; a payment moves only along legal transitions; notifications are kept raw.

CREATE TABLE payables (
  tenant_id uuid NOT NULL,
  invoice_id uuid PRIMARY KEY,
  invoice_number text NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  description text NOT NULL,
  due_at timestamptz NOT NULL,
  paid_by uuid,
  created_at timestamptz NOT NULL,
  UNIQUE (tenant_id, invoice_id)
);

CREATE TABLE payments (
  tenant_id uuid NOT NULL,
  payment_id uuid PRIMARY KEY,
  invoice_id uuid NOT NULL,
  attempt int NOT NULL CHECK (attempt > 0),
  order_id text NOT NULL UNIQUE CHECK (order_id ~ '^SNY-[0-9a-f]{32}$'),
  method text NOT NULL CHECK (method IN ('bca_va')),
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL CHECK (currency = 'IDR'),
  state text NOT NULL CHECK (state IN ('created', 'pending', 'authorize', 'capture', 'settlement',
    'deny', 'cancel', 'expire', 'failure', 'refund', 'partial_refund', 'chargeback',
    'partial_chargeback')),
  transaction_id text,
  va_number text,
  expires_at timestamptz,
  settled_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (tenant_id, payment_id),
  UNIQUE (invoice_id, attempt),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES payables (tenant_id, invoice_id)
);
CREATE UNIQUE INDEX one_active_attempt ON payments (invoice_id)
  WHERE state IN ('created', 'pending', 'authorize');
CREATE INDEX payments_by_invoice ON payments (tenant_id, invoice_id);

CREATE TABLE legal_transitions (
  from_state text NOT NULL,
  to_state text NOT NULL,
  PRIMARY KEY (from_state, to_state)
);
INSERT INTO legal_transitions VALUES
  ('created', 'pending'), ('created', 'settlement'), ('created', 'capture'),
  ('created', 'authorize'), ('created', 'deny'), ('created', 'cancel'), ('created', 'expire'),
  ('created', 'failure'),
  ('pending', 'settlement'), ('pending', 'capture'), ('pending', 'authorize'), ('pending', 'deny'),
  ('pending', 'cancel'), ('pending', 'expire'), ('pending', 'failure'),
  ('authorize', 'capture'), ('authorize', 'deny'), ('authorize', 'cancel'), ('authorize', 'expire'),
  ('capture', 'settlement'), ('capture', 'cancel'),
  ('settlement', 'refund'), ('settlement', 'partial_refund'), ('settlement', 'chargeback'),
  ('settlement', 'partial_chargeback'), ('settlement', 'deny'),
  ('partial_refund', 'refund'), ('partial_chargeback', 'chargeback');

CREATE FUNCTION refuse_illegal_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.tenant_id, OLD.payment_id, OLD.invoice_id, OLD.order_id, OLD.amount, OLD.currency)
     <> (NEW.tenant_id, NEW.payment_id, NEW.invoice_id, NEW.order_id, NEW.amount, NEW.currency) THEN
    RAISE EXCEPTION 'what payment % is for never changes', OLD.payment_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at THEN
    RAISE EXCEPTION 'payment % was settled before', OLD.payment_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.state <> NEW.state AND NOT EXISTS (
      SELECT 1 FROM payment_gateway.legal_transitions
      WHERE from_state = OLD.state AND to_state = NEW.state) THEN
    RAISE EXCEPTION 'payment % cannot go from % to %', OLD.payment_id, OLD.state, NEW.state
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER legal_transition BEFORE UPDATE ON payments
  FOR EACH ROW EXECUTE FUNCTION refuse_illegal_transition();

CREATE TABLE notifications (
  tenant_id uuid NOT NULL,
  notification_id uuid PRIMARY KEY,
  order_id text NOT NULL REFERENCES payments (order_id),
  status_code text NOT NULL,
  content_hash text NOT NULL UNIQUE,
  body text NOT NULL,
  received_at timestamptz NOT NULL
);

-- The webhook's only look across tenants: whose order it is.
CREATE FUNCTION find_order_tenant(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = payment_gateway, pg_temp AS $$
  SELECT tenant_id FROM payment_gateway.payments WHERE order_id = wanted
$$;
REVOKE ALL ON FUNCTION find_order_tenant(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_order_tenant(text) TO sinyal_payment_gateway;

REVOKE INSERT, UPDATE, DELETE ON legal_transitions FROM sinyal_payment_gateway;
REVOKE UPDATE, DELETE ON notifications FROM sinyal_payment_gateway;
REVOKE DELETE ON payables, payments FROM sinyal_payment_gateway;

SELECT public.enable_tenant_isolation('payment_gateway.payables');
SELECT public.enable_tenant_isolation('payment_gateway.payments');
SELECT public.enable_tenant_isolation('payment_gateway.notifications');
