-- Version 1: the tables. Names of 32 bytes are SHA-256 values; times are milliseconds since 1970 by
-- this server's clock; texts come from requests and are kept as bytes, in whatever encoding.

-- Each reservation's number, above every earlier one's.
CREATE SEQUENCE fences AS bigint;

CREATE TABLE operations (
  fingerprint   bytea PRIMARY KEY,
  state         smallint NOT NULL CHECK (state BETWEEN 1 AND 3),  -- reserved, completed, unknown
  nonce         bytea NOT NULL,      -- of the reservation; required to settle it
  holder        bytea NOT NULL,      -- the instance that made it
  fence         bigint NOT NULL,
  attempt       integer NOT NULL,
  payload       bytea,
  created       bigint NOT NULL,
  settled       bigint NOT NULL,     -- of a reservation: when its lease was begun or renewed
  lease_ends    bigint NOT NULL,
  expires       bigint NOT NULL,     -- after this time the row counts as absent
  keep          bigint NOT NULL,     -- the policy's window
  hold          boolean NOT NULL,    -- an unknown outcome waits for an operator
  ended         boolean NOT NULL DEFAULT false,  -- another operation ended it: it is not remembered
  awaited       boolean NOT NULL DEFAULT false,  -- somebody waits for the outcome
  policy        bytea NOT NULL DEFAULT '',
  request_id    bytea NOT NULL DEFAULT '',
  trace         bytea NOT NULL DEFAULT '',
  path          bytea NOT NULL DEFAULT '',
  entity_type   bytea NOT NULL DEFAULT '',
  entity_id     bytea NOT NULL DEFAULT '',
  error         bytea NOT NULL DEFAULT '',
  entity        bytea,               -- what the completion does to it:
  turn          boolean NOT NULL DEFAULT false,
  sequence_kind smallint,
  sequence_high bigint,
  sequence_low  bigint,              -- unsigned, with its highest bit inverted
  closes        bigint,
  rate          bytea,               -- what the release gives back:
  rate_interval bigint,
  rate_taken    bigint,
  status        integer NOT NULL DEFAULT 0,
  replayable    boolean NOT NULL DEFAULT false,
  not_kept      smallint NOT NULL DEFAULT 0,
  head          bytea,
  body          bytea
) WITH (
  -- A completion rewrites the row of its reservation. With room left in the page, and no index but
  -- the key, it needs no new index entry (a HOT update), and the next access to the page removes
  -- the old version.
  fillfactor = 60,
  -- Every row is updated once and deleted once within its window. The default waits for a fifth of
  -- the table to be dead, which for ten million rows is two million.
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_cost_delay = 1,
  -- Answers of more than about 2 KB lie in the TOAST table, which is emptied at the same rate.
  toast.autovacuum_vacuum_scale_factor = 0.02,
  toast.autovacuum_vacuum_cost_delay = 1
);

CREATE TABLE entities (
  key            bytea PRIMARY KEY,
  type           bytea NOT NULL,
  id             bytea NOT NULL,
  expires        bigint NOT NULL,
  sequence_until bigint NOT NULL DEFAULT 0,
  closed_until   bigint NOT NULL DEFAULT 0,
  sequence_kind  smallint,
  sequence_high  bigint,
  sequence_low   bigint,
  holder         bytea,     -- the operation that has the turn, as long as its row says so too
  holder_nonce   bytea,
  queue          bytea[] NOT NULL DEFAULT '{}',   -- the nonces of those that wait for it, in order
  queue_until    bigint[] NOT NULL DEFAULT '{}'   -- each stands there until then, unless it asks again
) WITH (
  -- One row of an entity that is in demand is rewritten with every turn and by all that wait.
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 500,
  autovacuum_vacuum_cost_delay = 1
);

CREATE TABLE rates (
  key     bytea PRIMARY KEY,
  arrival bigint NOT NULL,   -- the theoretical arrival time, in nanoseconds since 1970
  last    bigint NOT NULL    -- when the last token was taken
) WITH (
  -- Rewritten with every request that counts against it.
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 500,
  autovacuum_vacuum_cost_delay = 1
);

-- How often an operation was asked for again.
CREATE TABLE duplicates (
  fingerprint bytea PRIMARY KEY,
  number      bigint NOT NULL,
  last        bigint NOT NULL,
  expires     bigint NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- The processes, and when each was last heard of.
CREATE TABLE instances (
  id   bytea PRIMARY KEY,
  seen bigint NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE notes (
  name  text PRIMARY KEY,
  value bytea NOT NULL
);

-- At which page of each table the next look for expired rows begins, and what the last whole pass
-- over the operations counted.
CREATE TABLE sweep (
  one             boolean PRIMARY KEY DEFAULT true CHECK (one),
  next_operations bigint NOT NULL DEFAULT 0,
  next_entities   bigint NOT NULL DEFAULT 0,
  next_rates      bigint NOT NULL DEFAULT 0,
  next_duplicates bigint NOT NULL DEFAULT 0,
  counting        jsonb NOT NULL DEFAULT '{}',
  counted         jsonb
);
INSERT INTO sweep DEFAULT VALUES;

CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (date_part('epoch', clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION now_ns() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (date_part('epoch', clock_timestamp()) * 1000000)::bigint * 1000 $$;

-- The position of the write-ahead log that enough synchronous standbys have, that is, as many as a
-- commit waits for; NULL if there are fewer. Rows that are visible before a call of
-- pg_current_wal_flush_lsn() were written below its result. They are confirmed when this function
-- returns at least that position. It is written in PL/pgSQL because a function in SQL would be
-- parsed anew in every transaction, and it does not use the view pg_stat_replication because that
-- looks at each connection of the server: both together cost more than ten times as much as the
-- rest of a replay.
CREATE FUNCTION confirmed_lsn() RETURNS pg_lsn LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_names text := current_setting('synchronous_standby_names');
  v_number integer;
BEGIN
  IF v_names = '' THEN RETURN NULL; END IF;
  v_number := coalesce(substring(v_names
                       FROM '^\s*(?:[Ff][Ii][Rr][Ss][Tt]|[Aa][Nn][Yy])?\s*([0-9]+)\s*\('), '1');
  RETURN (SELECT flush_lsn FROM pg_stat_get_wal_senders()
           WHERE sync_state IN ('sync', 'quorum')
           ORDER BY flush_lsn DESC NULLS LAST
           LIMIT 1 OFFSET greatest(v_number - 1, 0));
END
$$;

-- Whether a commit of this transaction waits for a standby. Without one a primary would acknowledge
-- what a failover loses.
CREATE FUNCTION waits_for_standby() RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT current_setting('synchronous_standby_names') <> ''
     AND current_setting('synchronous_commit') IN ('on', 'remote_apply')
$$;

-- For people: what is in the table of operations.
CREATE VIEW operations_readable AS
  SELECT encode(fingerprint, 'hex') AS fingerprint,
         (ARRAY['reserved', 'completed', 'unknown'])[state] AS state,
         encode(policy, 'escape') AS policy, encode(path, 'escape') AS path,
         encode(entity_type, 'escape') AS entity_type, encode(entity_id, 'escape') AS entity_id,
         encode(request_id, 'escape') AS request_id, encode(error, 'escape') AS error,
         fence, attempt, status, to_timestamp(created / 1000.0) AS created,
         to_timestamp(settled / 1000.0) AS settled, to_timestamp(lease_ends / 1000.0) AS lease_ends,
         to_timestamp(expires / 1000.0) AS expires
    FROM operations;
