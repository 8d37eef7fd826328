-- Which version of an account the edge has in its books.

ALTER TABLE accounts ADD COLUMN confirmed_version int NOT NULL DEFAULT 0
  CHECK (confirmed_version >= 0);
