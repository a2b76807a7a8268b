CREATE TABLE slots (
    kind TEXT NOT NULL,
    id BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id, slot)
);
