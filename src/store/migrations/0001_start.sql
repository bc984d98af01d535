-- SQL and types that SQLite and PostgreSQL share. JSON is text: the bytes are hashed and compared.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE resources (
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    uid           TEXT NOT NULL UNIQUE,
    set_name      TEXT NOT NULL,
    generation    BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    metadata      TEXT NOT NULL,
    spec          TEXT NOT NULL,
    last_applied  TEXT,
    observed      TEXT,
    external_id   TEXT,
    conditions    TEXT NOT NULL,
    source_file   TEXT,
    source_line   BIGINT,
    source_commit TEXT,
    PRIMARY KEY (kind, name)
);

CREATE UNIQUE INDEX resources_by_external_id ON resources (kind, external_id);

-- What the embedded provider holds: the actual state that nobody but it writes.
CREATE TABLE actual (
    kind        TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name        TEXT NOT NULL,
    spec        TEXT NOT NULL,
    PRIMARY KEY (kind, external_id)
);

CREATE TABLE activities (
    seq           INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    actor         TEXT NOT NULL,
    source_commit TEXT,
    source_file   TEXT,
    source_line   BIGINT,
    command       TEXT NOT NULL,
    set_name      TEXT NOT NULL,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    operation     TEXT NOT NULL,
    before        TEXT,
    after         TEXT,
    plan_id       TEXT NOT NULL,
    operation_id  TEXT NOT NULL UNIQUE,
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    hash          TEXT NOT NULL
);

CREATE INDEX activities_by_resource ON activities (kind, name, seq);

CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    boot_id    TEXT NOT NULL,
    pid        BIGINT NOT NULL,
    started    TEXT NOT NULL,
    actor      TEXT NOT NULL,
    since      TEXT NOT NULL,
    renewed_at TEXT NOT NULL,
    epoch      BIGINT NOT NULL,
    held       BIGINT NOT NULL
);
