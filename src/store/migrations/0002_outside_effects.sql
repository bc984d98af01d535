-- Effects outside the store: what is meant to happen stands here before it is asked for.

CREATE TABLE intents (
    operation_id TEXT PRIMARY KEY,
    request_key  TEXT NOT NULL UNIQUE,
    body_hash    TEXT NOT NULL,
    epoch        BIGINT NOT NULL,
    change       TEXT NOT NULL,
    effects      TEXT NOT NULL,
    place        BIGINT NOT NULL,
    provider     TEXT NOT NULL,
    actor        TEXT NOT NULL,
    command      TEXT NOT NULL,
    plan_id      TEXT NOT NULL,
    begun_at     TEXT NOT NULL,
    state        TEXT NOT NULL,
    message      TEXT NOT NULL
);

-- Every apply that had something to do. A plan, told by its digest, is applied once.
CREATE TABLE applies (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    plan_id  TEXT NOT NULL,
    digest   TEXT NOT NULL UNIQUE,
    actor    TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    end_json TEXT
);

CREATE TABLE approvals (
    plan_id     TEXT PRIMARY KEY,
    actor       TEXT NOT NULL,
    approved_at TEXT NOT NULL
);
