-- Version 2: the ledger of events. An event is a request that was stored to be delivered to listeners.
-- Its payload is stored once, and each listener has a row of its own.

-- Drawn while the entity's row is locked, so that the numbers of an entity's events rise in the order
-- in which they are committed. Those of different entities may become visible in another order.
CREATE SEQUENCE event_numbers AS bigint;

CREATE TABLE events (
  number        bigint PRIMARY KEY,
  fingerprint   bytea NOT NULL,
  nonce         bytea NOT NULL,      -- of its reservation: tells whether a record is still the event's
  origin        bytea NOT NULL,      -- the instance that stored it
  created       bigint NOT NULL,
  ended         bigint,              -- NULL: a delivery has not ended, or nobody has looked since
  purge_at      bigint,              -- after this time the row is removed
  keep          bigint NOT NULL,     -- the policy's window
  keep_dead     boolean NOT NULL,
  unless_closed boolean NOT NULL,
  payload_bytes bigint NOT NULL,
  payload_kept  boolean NOT NULL DEFAULT true,
  policy        bytea NOT NULL,
  request_id    bytea NOT NULL,
  trace         bytea NOT NULL,
  entity        bytea,
  entity_type   bytea NOT NULL,
  entity_id     bytea NOT NULL,
  sequence_kind smallint,
  sequence_high bigint,
  sequence_low  bigint,
  method        bytea NOT NULL,
  target        bytea NOT NULL
) WITH (
  -- Each row is updated once, when its last delivery has ended, and deleted after its window.
  fillfactor = 90,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 1
);
CREATE INDEX events_of_operation ON events (fingerprint, number);
-- Small indexes: events that have not ended, and events to be removed, in the order of their times.
CREATE INDEX events_open ON events (number) WHERE ended IS NULL;
CREATE INDEX events_to_purge ON events (purge_at) WHERE purge_at IS NOT NULL;

-- Apart from the events, because it is removed before them, and reading the events must not load it.
CREATE TABLE payloads (
  event bigint PRIMARY KEY,
  head  bytea NOT NULL,
  body  bytea NOT NULL
) WITH (
  -- Inserted and deleted once, both within seconds where all listeners work.
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 1,
  toast.autovacuum_vacuum_scale_factor = 0.02,
  toast.autovacuum_vacuum_cost_delay = 1
);

CREATE TABLE deliveries (
  event        bigint NOT NULL,
  listener     bytea NOT NULL,
  -- pending, failed (between two attempts), notified, dead, cancelled, removed
  state        smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 6),
  attempts     integer NOT NULL DEFAULT 0,
  due          bigint NOT NULL,
  held         boolean NOT NULL DEFAULT false,  -- waits for an operator
  claimant     bytea,            -- the instance that attempts it, as long as that one lives
  nonce        bytea,            -- of the last claim; required to end the attempt
  holding      boolean NOT NULL DEFAULT false,  -- the claim keeps the entity from being closed
  entity       bytea,
  policy       bytea NOT NULL,
  last_attempt bigint,
  ended        bigint,
  status       integer NOT NULL DEFAULT 0,
  error        bytea NOT NULL DEFAULT '',
  PRIMARY KEY (event, listener)
) WITH (
  -- A claim changes no column of an index. With room in the page it is a HOT update.
  fillfactor = 80,
  -- Every row is updated twice within a moment, and deleted after the window. Vacuum must keep up, or
  -- reading the first pending rows would step over the index entries of those that have ended.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_cost_delay = 1
);
-- What a listener has pending, in order; the same by entity, to find whether an earlier one has not
-- ended; dead letters; what was cancelled or removed; and the claims that keep an entity from being
-- closed. Each holds as many entries as there are such rows, and nothing of those that were delivered.
CREATE INDEX deliveries_pending ON deliveries (listener, event) WHERE state <= 2;
CREATE INDEX deliveries_in_order ON deliveries (listener, entity, event)
  WHERE state <= 2 AND entity IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (listener, event) WHERE state = 4;
CREATE INDEX deliveries_unsent ON deliveries (listener, event) WHERE state >= 5;
CREATE INDEX deliveries_holding ON deliveries (entity) WHERE holding;

-- Events of which a delivery has ended: somebody has to look whether it was the last one. Filled by
-- every end and emptied by upkeep, so it is short, and is read from its beginning.
CREATE TABLE looks (
  event bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);

-- The listeners that ever had a delivery: few rows, which change seldom.
CREATE TABLE listeners (
  name bytea PRIMARY KEY
);

-- Which policy's events go to which listener in the configuration of each instance, and when it
-- last confirmed this; kept: the instance has not withdrawn the route, so it may only be down for a
-- while.
CREATE TABLE routes (
  policy   bytea NOT NULL,
  listener bytea NOT NULL,
  instance bytea NOT NULL,
  seen     bigint NOT NULL,
  kept     boolean NOT NULL DEFAULT true,
  PRIMARY KEY (policy, listener, instance)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- What the payloads take is the sum of these. A single row would let one event be stored at a time,
-- since its lock is held until the standby has the commit.
CREATE TABLE payload_bytes (
  shard smallint PRIMARY KEY,
  bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
INSERT INTO payload_bytes (shard) SELECT generate_series(1, 64);

-- When the record of an event expires of which a delivery has not ended: in the year 2255.
CREATE FUNCTION open_event_expiry() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 9000000000000 $$;

-- Adds to a row that is not locked. It is the last statement of a transaction.
CREATE FUNCTION add_payload_bytes(p_bytes bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_shard smallint;
BEGIN
  SELECT shard INTO v_shard FROM payload_bytes LIMIT 1 FOR UPDATE SKIP LOCKED;
  UPDATE payload_bytes SET bytes = bytes + p_bytes
   WHERE shard = coalesce(v_shard, 1 + floor(random() * 64)::smallint);
END
$$;

-- For people: what is in the table of deliveries.
CREATE VIEW deliveries_readable AS
  SELECT event, encode(listener, 'escape') AS listener,
         (ARRAY['pending', 'failed', 'notified', 'dead', 'cancelled', 'removed'])[state] AS state,
         attempts, held, claimant IS NOT NULL AS claimed, encode(policy, 'escape') AS policy, status,
         encode(error, 'escape') AS error, to_timestamp(due / 1000.0) AS due,
         to_timestamp(last_attempt / 1000.0) AS last_attempt, to_timestamp(ended / 1000.0) AS ended
    FROM deliveries;
