CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    last_seq BIGINT NOT NULL
);
CREATE TABLE log (
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE TABLE snapshots (
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
);
