CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
CREATE TABLE objects (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    number BIGINT,
    name TEXT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX objects_name ON objects (kind, name);
CREATE UNIQUE INDEX objects_number ON objects (kind, number);
CREATE TABLE calls (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    started BIGINT NOT NULL,
    queue TEXT,
    agents TEXT NOT NULL,
    caller TEXT NOT NULL,
    disposition TEXT,
    notes TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX calls_started ON calls (started, id);
CREATE INDEX calls_queue ON calls (queue, started);
