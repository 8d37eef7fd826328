-- Trainings and the models they gave. Models are the platform's: no tenant column, no tenant's rows.

CREATE TABLE trainings (
  training_id uuid PRIMARY KEY,
  symbol text NOT NULL,
  timeframe text NOT NULL,
  dataset_key text NOT NULL,
  horizon_bars int NOT NULL,
  seed bigint NOT NULL,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'promoted', 'failed')),
  reason text,
  started_at timestamptz NOT NULL,
  finished_at timestamptz
);

CREATE TABLE models (
  model_id uuid PRIMARY KEY,
  training_id uuid NOT NULL UNIQUE REFERENCES trainings,
  version text NOT NULL,
  symbol text NOT NULL,
  timeframe text NOT NULL,
  generation int NOT NULL CHECK (generation > 0),
  artifact_key text NOT NULL,
  card_key text NOT NULL,
  sha256 text NOT NULL CHECK (length(sha256) = 64),
  card_sha256 text NOT NULL CHECK (length(card_sha256) = 64),
  feature_set text NOT NULL,
  candidate text NOT NULL,
  min_edge double precision NOT NULL,
  figures jsonb NOT NULL,
  promoted_at timestamptz NOT NULL,
  UNIQUE (symbol, timeframe, generation)
);
CREATE INDEX models_by_time ON models (promoted_at DESC, model_id DESC);
