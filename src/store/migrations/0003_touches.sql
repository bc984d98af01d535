-- What each transaction touched, so that a pass looks again only at that. The token is chance: a
-- store that went back to a backup and on from there has other tokens at the same versions.

CREATE TABLE touches (
    version BIGINT PRIMARY KEY,
    token   TEXT NOT NULL,
    number  BIGINT NOT NULL,
    touched TEXT
);
