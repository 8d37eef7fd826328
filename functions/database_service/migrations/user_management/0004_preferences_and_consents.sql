-- How a tenant wants to be traded for, and who consented to which document when and from where.
-- Documents are the platform's rows; consents are only ever added, and lose their network address
-- when the tenant is erased.

CREATE TABLE preferences (
  tenant_id uuid PRIMARY KEY REFERENCES tenants,
  version int NOT NULL CHECK (version >= 1),
  symbols text[] NOT NULL CHECK (cardinality(symbols) <= 50),
  risk_appetite text NOT NULL CHECK (risk_appetite IN ('conservative', 'balanced', 'aggressive')),
  sessions text[] NOT NULL
    CHECK (sessions <@ ARRAY['sydney', 'tokyo', 'london', 'new_york']),
  sizing_mode text NOT NULL CHECK (sizing_mode IN
    ('fixed_lot', 'fixed_risk', 'volatility_target', 'kelly', 'account_ratio')),
  updated_at timestamptz NOT NULL,
  updated_by uuid NOT NULL
);

CREATE TABLE consent_documents (
  document text NOT NULL CHECK (document IN ('terms', 'privacy', 'risk_notice')),
  version int NOT NULL CHECK (version >= 1),
  title_id text NOT NULL,
  title_en text NOT NULL,
  text_id text NOT NULL,
  text_en text NOT NULL,
  text_sha256 text NOT NULL CHECK (text_sha256 ~ '^[0-9a-f]{64}$'),
  effective_at timestamptz NOT NULL,
  PRIMARY KEY (document, version)
);
-- The hash is that of both languages' texts, Indonesian first, with a line feed between them.
INSERT INTO consent_documents
SELECT d.document, 1, d.title_id, d.title_en, d.text_id, d.text_en,
  encode(sha256(convert_to(d.text_id || E'\n' || d.text_en, 'UTF8')), 'hex'),
  '2026-01-01 00:00:00+07'
FROM (VALUES
  ('terms', 'Syarat dan Ketentuan', 'Terms of Service',
   'Sinyal memberi prediksi dan menjalankan order sesuai batas yang Anda tetapkan. Anda'
   ' bertanggung jawab atas akun broker, batas risiko, dan orang yang Anda undang. Langganan'
   ' ditagih setiap bulan dalam rupiah dan dapat dihentikan kapan saja.',
   'Sinyal gives predictions and executes orders within the limits you set. You are responsible'
   ' for your broker accounts, your risk limits and the people you invite. The subscription is'
   ' billed monthly in rupiah and can be ended at any time.'),
  ('privacy', 'Kebijakan Privasi', 'Privacy Policy',
   'Kami memproses data pribadi Anda untuk menjalankan layanan, sesuai UU No. 27 Tahun 2022 tentang'
   ' Pelindungan Data Pribadi. Anda dapat melihat, memperbaiki, mengekspor, dan menghapus data'
   ' Anda; catatan pajak disimpan selama diwajibkan undang-undang.',
   'We process your personal data to run the service, under Law No. 27 of 2022 on Personal Data'
   ' Protection. You can see, correct, export and erase your data; tax records are kept as long as'
   ' the law requires.'),
  ('risk_notice', 'Pemberitahuan Risiko', 'Risk Notice',
   'Perdagangan dengan leverage dapat menghabiskan seluruh modal Anda. Prediksi dapat salah, dan'
   ' hasil masa lalu tidak menjamin hasil di masa depan. Gunakan hanya dana yang sanggup Anda'
   ' relakan.',
   'Trading with leverage can cost you all of your capital. Predictions can be wrong, and past'
   ' results promise nothing for the future. Use only money that you can afford to lose.')
) AS d (document, title_id, title_en, text_id, text_en);
REVOKE INSERT, UPDATE, DELETE ON consent_documents FROM sinyal_user_management;

CREATE TABLE consents (
  consent_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants,
  user_id uuid NOT NULL,
  document text NOT NULL,
  version int NOT NULL,
  action text NOT NULL CHECK (action IN ('given', 'withdrawn')),
  recorded_at timestamptz NOT NULL,
  address text CHECK (length(address) <= 64),
  number bigint GENERATED ALWAYS AS IDENTITY,
  FOREIGN KEY (document, version) REFERENCES consent_documents
);
CREATE INDEX consents_user ON consents (tenant_id, user_id, document, number DESC);
REVOKE UPDATE, DELETE ON consents FROM sinyal_user_management;
GRANT UPDATE (address) ON consents TO sinyal_user_management;

CREATE FUNCTION check_consent_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = user_management, pg_temp AS $$
BEGIN
  IF NEW.address IS NOT NULL THEN
    RAISE EXCEPTION 'a consent''s address can only be forgotten' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER consents_kept BEFORE UPDATE ON consents
  FOR EACH ROW EXECUTE FUNCTION check_consent_kept();

SELECT public.enable_tenant_isolation('user_management.preferences');
SELECT public.enable_tenant_isolation('user_management.consents');
