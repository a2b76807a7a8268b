-- Database of a gateway that recorded its schema in `schema_steps`, as step 4 left it.
CREATE TABLE schema_steps (step BIGINT NOT NULL PRIMARY KEY);
CREATE TABLE streams (stream TEXT NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, last_seq BIGINT NOT NULL);
CREATE TABLE log (stream TEXT NOT NULL, seq BIGINT NOT NULL, epoch BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, seq));
CREATE TABLE snapshots (stream TEXT NOT NULL, seq BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, seq));
INSERT INTO schema_steps (step) VALUES (1);
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, last BIGINT NOT NULL);
CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, version BIGINT NOT NULL, number BIGINT, name TEXT, created BIGINT NOT NULL, updated BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE UNIQUE INDEX objects_name ON objects (kind, name);
CREATE UNIQUE INDEX objects_number ON objects (kind, number);
CREATE TABLE calls (id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, started BIGINT NOT NULL, queue TEXT, agents TEXT NOT NULL, caller TEXT NOT NULL, disposition TEXT, notes TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX calls_started ON calls (started, id);
CREATE INDEX calls_queue ON calls (queue, started);
INSERT INTO schema_steps (step) VALUES (2);
CREATE TABLE slots (kind TEXT NOT NULL, id BIGINT NOT NULL, slot BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id, slot));
INSERT INTO schema_steps (step) VALUES (3);
CREATE INDEX slots_slot ON slots (slot);
INSERT INTO schema_steps (step) VALUES (4);

INSERT INTO streams (stream, epoch, last_seq) VALUES ('acd', 3, 2), ('event', 3, 1);
INSERT INTO log (stream, seq, epoch, at, kind, body) VALUES ('acd', 1, 2, 1700000000000001, 'enqueued', '{"call":1}'), ('acd', 2, 3, 1700000000000002, 'ended', '{"call":1}');
INSERT INTO snapshots (stream, seq, body) VALUES ('acd', 1, '{"calls":[1]}');
INSERT INTO counters (name, last) VALUES ('queue', 7);
INSERT INTO objects (kind, id, version, number, name, created, updated, body) VALUES ('queue', 'que_sales', 4, 7, 'Ärzte', 11, 12, '"a queue"'), ('user', 'usr_anna', 1, NULL, 'anna', 13, 13, '"a user"');
INSERT INTO calls (id, version, started, queue, agents, caller, disposition, notes, body) VALUES ('call_1', 2, 1700000000000000, 'que_sales', '|usr_anna|', '+4930123', 'sold', 'häppy', '{"n":1}');
INSERT INTO slots (kind, id, slot, body) VALUES ('queue', 7, 1888888, '{"answered":1}');
