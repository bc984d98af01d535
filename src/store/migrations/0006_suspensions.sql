-- What is left alone for a while. No operation on a resource, so the log has nothing of it.

CREATE TABLE suspensions (
    kind           TEXT NOT NULL,
    name           TEXT NOT NULL,
    with_all_of_it BIGINT NOT NULL,
    set_name       TEXT NOT NULL,
    actor          TEXT NOT NULL,
    since          TEXT NOT NULL,
    until          TEXT,
    reason         TEXT NOT NULL,
    PRIMARY KEY (kind, name, with_all_of_it)
);
