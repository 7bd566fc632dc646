package store

// migrations bring a store from version i to i+1. They only add (contract,
// "Migrations"), new columns with a default, so that the firmware before them
// still works on the store. One that has shipped is never changed.
var migrations = []string{`
CREATE TABLE documents (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE certificates (
	seq         INTEGER PRIMARY KEY, -- order of adding
	id          TEXT NOT NULL,
	name        TEXT NOT NULL,
	der         BLOB NOT NULL,
	chain       BLOB NOT NULL,
	key_id      TEXT NOT NULL,
	exportable  INTEGER NOT NULL,
	origin      TEXT NOT NULL,
	pinned      INTEGER NOT NULL,
	state       TEXT NOT NULL,
	added       TEXT NOT NULL,
	updated     TEXT NOT NULL,
	predecessor TEXT NOT NULL,
	connection  TEXT NOT NULL,
	verified    INTEGER NOT NULL,
	request     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificates_id ON certificates (id);
CREATE UNIQUE INDEX certificates_name ON certificates (name);

CREATE TABLE keys (
	id         TEXT PRIMARY KEY,
	generation INTEGER NOT NULL, -- of the key-encryption key
	wrapped    BLOB NOT NULL,    -- the data key
	blob       BLOB NOT NULL
) STRICT;

CREATE TABLE secrets (
	name       TEXT PRIMARY KEY,
	id         TEXT NOT NULL,
	generation INTEGER NOT NULL,
	wrapped    BLOB NOT NULL,
	blob       BLOB NOT NULL
) STRICT;

CREATE TABLE bindings (
	purpose  TEXT PRIMARY KEY,
	current  TEXT NOT NULL,
	trial    TEXT NOT NULL,
	previous TEXT NOT NULL,
	loaded   TEXT NOT NULL,
	until    TEXT NOT NULL,
	since    TEXT NOT NULL
) STRICT;

CREATE TABLE anchors (
	seq        INTEGER PRIMARY KEY,
	id         TEXT NOT NULL,
	connection TEXT NOT NULL,
	der        BLOB NOT NULL,
	role       TEXT NOT NULL,
	confirmed  INTEGER NOT NULL,
	added      TEXT NOT NULL,
	source     TEXT NOT NULL,
	UNIQUE (id, connection)
) STRICT;

CREATE TABLE connections (
	seq           INTEGER PRIMARY KEY,
	name          TEXT NOT NULL UNIQUE,
	url           TEXT NOT NULL,
	port          INTEGER NOT NULL,
	protocol      TEXT NOT NULL,
	ca_id         TEXT NOT NULL,
	ra_url        TEXT NOT NULL,
	proxy         TEXT NOT NULL,
	timeout       INTEGER NOT NULL, -- nanoseconds
	weak          TEXT NOT NULL,
	keep_password INTEGER NOT NULL
) STRICT;

CREATE TABLE renewals (
	id    INTEGER PRIMARY KEY AUTOINCREMENT, -- the journal names them: never used twice
	ended INTEGER NOT NULL,                  -- counts the ends; 0 while open
	done  INTEGER NOT NULL DEFAULT 0,        -- ended with a certificate in use
	body  TEXT NOT NULL
) STRICT;
CREATE INDEX renewals_ended ON renewals (ended);
CREATE INDEX renewals_unsuccessful ON renewals (id) WHERE NOT done;

CREATE TABLE owed (
	seq         INTEGER PRIMARY KEY,
	certificate TEXT NOT NULL UNIQUE,
	rule        TEXT NOT NULL,
	rules       TEXT NOT NULL,
	renewal     INTEGER NOT NULL,
	not_before  TEXT NOT NULL
) STRICT;

CREATE TABLE events (
	id          INTEGER PRIMARY KEY,
	at          TEXT NOT NULL,
	kind        TEXT NOT NULL,
	actor       TEXT NOT NULL,
	text        TEXT NOT NULL,
	renewal     INTEGER NOT NULL,
	certificate TEXT NOT NULL,
	data        TEXT NOT NULL,
	prev        TEXT NOT NULL,
	hash        TEXT NOT NULL,
	bytes       INTEGER NOT NULL -- of all events ever, up to and with this one
) STRICT;

CREATE TABLE checkpoint ( -- the last event that was removed
	id    INTEGER PRIMARY KEY,
	hash  TEXT NOT NULL,
	bytes INTEGER NOT NULL
) STRICT;
INSERT INTO checkpoint (id, hash, bytes) VALUES (0, '', 0);

CREATE TABLE tokens (
	seq     INTEGER PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	name    TEXT NOT NULL,
	role    TEXT NOT NULL,
	created TEXT NOT NULL,
	expires TEXT NOT NULL,
	hash    BLOB NOT NULL UNIQUE
) STRICT;
`}
