-- Invoices with gapless numbers, and a double-entry ledger. The rules that money must never break
-- live here: totals add up, finalized invoices stay as they are, every ledger transaction sums to
-- zero per currency, and nothing posted is changed.

-- A run of a job happens once a subject and period, however often its message is delivered.
CREATE TABLE job_runs (
  job text NOT NULL,
  subject text NOT NULL,
  period text NOT NULL,
  started_at timestamptz NOT NULL,
  PRIMARY KEY (job, subject, period)
);

-- PPN since 2025: 12% of DPP nilai lain, which is 11/12 of the price. Only a PKP may charge it.
CREATE TABLE tax_settings (
  effective_from date PRIMARY KEY,
  is_pkp boolean NOT NULL,
  rate_percent int NOT NULL CHECK (rate_percent BETWEEN 0 AND 100),
  base_numerator int NOT NULL CHECK (base_numerator > 0),
  base_denominator int NOT NULL CHECK (base_denominator >= base_numerator)
);
INSERT INTO tax_settings VALUES ('2025-01-01', true, 12, 11, 12);

CREATE TABLE payment_terms (
  effective_from date PRIMARY KEY,
  due_days int NOT NULL CHECK (due_days BETWEEN 0 AND 365)
);
INSERT INTO payment_terms VALUES ('2025-01-01', 7);

CREATE TABLE invoice_counters (
  series text PRIMARY KEY CHECK (series ~ '^INV/[0-9]{4}/[0-9]{2}$'),
  last_sequence int NOT NULL CHECK (last_sequence BETWEEN 0 AND 999999)
);

CREATE TABLE invoices (
  tenant_id uuid NOT NULL,
  invoice_id uuid PRIMARY KEY,
  subscription_id uuid NOT NULL,
  run_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('draft', 'finalized', 'paid', 'void', 'uncollectible')),
  series text,
  sequence int,
  number text GENERATED ALWAYS AS (series || '/' || lpad(sequence::text, 6, '0')) STORED,
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  currency text NOT NULL CHECK (currency = 'IDR'),
  description text NOT NULL CHECK (length(description) <= 50),
  subtotal bigint NOT NULL CHECK (subtotal >= 0),
  tax_base bigint NOT NULL CHECK (tax_base >= 0),
  tax_rate_percent int NOT NULL,
  tax bigint NOT NULL CHECK (tax >= 0),
  total bigint NOT NULL,
  issued_at timestamptz,
  due_at timestamptz,
  paid_at timestamptz,
  payment_id uuid,
  CHECK (total = subtotal + tax),
  CHECK (period_start < period_end),
  CHECK ((state = 'draft') = (number IS NULL)),
  CHECK ((state = 'draft') = (issued_at IS NULL)),
  CHECK ((issued_at IS NULL) = (due_at IS NULL)),
  CHECK ((state = 'paid') = (paid_at IS NOT NULL)),
  UNIQUE (tenant_id, invoice_id),
  UNIQUE (tenant_id, subscription_id, period_start),
  UNIQUE (tenant_id, series, sequence),
  UNIQUE (number)
);

CREATE TABLE invoice_lines (
  tenant_id uuid NOT NULL,
  invoice_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  kind text NOT NULL CHECK (kind IN ('plan_fee', 'usage')),
  meter text,
  description text NOT NULL,
  quantity bigint NOT NULL CHECK (quantity >= 0),
  included bigint CHECK (included >= 0),
  unit_price bigint NOT NULL CHECK (unit_price >= 0),
  amount bigint NOT NULL,
  PRIMARY KEY (invoice_id, position),
  UNIQUE NULLS NOT DISTINCT (invoice_id, kind, meter),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, invoice_id),
  CHECK ((kind = 'usage') = (meter IS NOT NULL)),
  CHECK (amount = CASE
    WHEN kind = 'plan_fee' THEN quantity * unit_price
    WHEN included IS NULL THEN 0
    ELSE greatest(quantity - included, 0) * unit_price END)
);

CREATE FUNCTION refuse_change_of_finalized_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
-- number is computed after this trigger, from series and sequence, which are compared
DECLARE free text[] := ARRAY['state', 'paid_at', 'payment_id', 'number'];
BEGIN
  IF OLD.state = 'draft' THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR to_jsonb(OLD) - free <> to_jsonb(NEW) - free THEN
    RAISE EXCEPTION 'invoice % is finalized and never changes', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF (OLD.state, NEW.state) NOT IN (('finalized', 'paid'), ('finalized', 'void'),
     ('finalized', 'uncollectible'), ('uncollectible', 'paid'), ('uncollectible', 'void')) THEN
    RAISE EXCEPTION 'invoice % cannot go from % to %', OLD.number, OLD.state, NEW.state
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER finalized_invoice BEFORE UPDATE OR DELETE ON invoices
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_finalized_invoice();

CREATE FUNCTION refuse_change_of_finalized_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched record; found_state text;
BEGIN
  IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
  SELECT state INTO found_state FROM billing_service.invoices
    WHERE invoice_id = touched.invoice_id FOR UPDATE;
  IF found_state IS DISTINCT FROM 'draft'
     OR (TG_OP = 'UPDATE' AND OLD.invoice_id <> NEW.invoice_id) THEN
    RAISE EXCEPTION 'lines of invoice % never change any more', touched.invoice_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN touched;
END $$;
CREATE TRIGGER finalized_lines BEFORE INSERT OR UPDATE OR DELETE ON invoice_lines
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_finalized_lines();

-- The chart of accounts. Debits are positive, credits negative.
CREATE TABLE ledger_accounts (
  code text PRIMARY KEY,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('asset', 'liability', 'revenue'))
);
INSERT INTO ledger_accounts VALUES
  ('receivable', 'Trade receivables', 'asset'),
  ('cash_clearing', 'Cash in transit from Midtrans', 'asset'),
  ('revenue', 'Subscription revenue', 'revenue'),
  ('ppn_payable', 'PPN output tax payable', 'liability'),
  ('customer_credit', 'Money received beyond what was owed', 'liability');

CREATE TABLE ledger_tx (
  tenant_id uuid NOT NULL,
  tx_id uuid PRIMARY KEY,
  idempotency_key text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('invoice_issued', 'invoice_paid', 'overpaid')),
  invoice_id uuid NOT NULL,
  payment_id uuid,
  posted_at timestamptz NOT NULL,
  UNIQUE (tenant_id, idempotency_key),
  UNIQUE (tenant_id, tx_id),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, invoice_id)
);

CREATE TABLE ledger_entries (
  tenant_id uuid NOT NULL,
  tx_id uuid NOT NULL,
  position int NOT NULL CHECK (position > 0),
  account text NOT NULL REFERENCES ledger_accounts,
  currency text NOT NULL CHECK (currency = 'IDR'),
  amount bigint NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (tx_id, position),
  FOREIGN KEY (tenant_id, tx_id) REFERENCES ledger_tx (tenant_id, tx_id)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (tenant_id, account);

CREATE FUNCTION refuse_change_of_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is insert only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON ledger_tx
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_ledger();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_ledger();
CREATE TRIGGER insert_only_truncate BEFORE TRUNCATE ON ledger_tx
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_ledger();
CREATE TRIGGER insert_only_truncate BEFORE TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_ledger();

-- Looks at commit, past row level security, so that no binding of a tenant can blind it.
CREATE FUNCTION check_ledger_balance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = billing_service, pg_temp AS $$
DECLARE entries int; unbalanced text;
BEGIN
  SELECT count(*) INTO entries FROM billing_service.ledger_entries WHERE tx_id = NEW.tx_id;
  SELECT currency INTO unbalanced FROM billing_service.ledger_entries
    WHERE tx_id = NEW.tx_id GROUP BY currency HAVING sum(amount) <> 0 LIMIT 1;
  IF entries < 2 OR unbalanced IS NOT NULL THEN
    RAISE EXCEPTION 'ledger transaction % does not balance', NEW.tx_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION check_ledger_balance() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_ledger_balance() TO sinyal_billing_service;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_tx
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_ledger_balance();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_ledger_balance();

-- At commit: lines add up to the subtotal, and the receivable was posted for the whole total.
CREATE FUNCTION check_invoice_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = billing_service, pg_temp AS $$
DECLARE lines bigint; posted bigint;
BEGIN
  IF NEW.state = 'draft' THEN RETURN NULL; END IF;
  SELECT coalesce(sum(amount), 0) INTO lines FROM billing_service.invoice_lines
    WHERE invoice_id = NEW.invoice_id;
  SELECT coalesce(sum(e.amount), 0) INTO posted FROM billing_service.ledger_entries e
    JOIN billing_service.ledger_tx t ON t.tx_id = e.tx_id
    WHERE t.invoice_id = NEW.invoice_id AND t.kind = 'invoice_issued' AND e.account = 'receivable';
  IF lines <> NEW.subtotal OR posted <> NEW.total THEN
    RAISE EXCEPTION 'invoice %: lines %, subtotal %, total %, posted %',
      NEW.number, lines, NEW.subtotal, NEW.total, posted USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION check_invoice_totals() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_invoice_totals() TO sinyal_billing_service;
CREATE CONSTRAINT TRIGGER totals_agree AFTER INSERT OR UPDATE ON invoices
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_invoice_totals();

REVOKE INSERT, UPDATE, DELETE ON tax_settings, payment_terms, ledger_accounts
  FROM sinyal_billing_service;
REVOKE UPDATE, DELETE ON job_runs, ledger_tx, ledger_entries, invoice_lines
  FROM sinyal_billing_service;
REVOKE DELETE ON invoices, invoice_counters FROM sinyal_billing_service;

SELECT public.enable_tenant_isolation('billing_service.invoices');
SELECT public.enable_tenant_isolation('billing_service.invoice_lines');
SELECT public.enable_tenant_isolation('billing_service.ledger_tx');
SELECT public.enable_tenant_isolation('billing_service.ledger_entries');
