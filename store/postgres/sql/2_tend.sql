-- Version 2: the regular work of instances for the ledger. No commit here waits for a standby: work
-- that is lost in a failover is repeated.

-- The configuration of an instance has these routes and no others. Called by every instance once a
-- second; the rows are written when they are five seconds old.
CREATE FUNCTION follow_routes(p_instance bytea, p_policies bytea[], p_listeners bytea[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := now_ms();
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  INSERT INTO routes (policy, listener, instance, seen)
  SELECT p, l, p_instance, v_now FROM unnest(p_policies, p_listeners) AS u(p, l)
   WHERE NOT EXISTS
     (SELECT FROM routes WHERE policy = p AND listener = l AND instance = p_instance AND kept
         AND seen BETWEEN v_now - 5000 AND v_now)
   ORDER BY p, l
  ON CONFLICT (policy, listener, instance) DO UPDATE SET seen = excluded.seen, kept = true;
  UPDATE routes SET kept = false, seen = v_now
   WHERE instance = p_instance AND kept AND NOT EXISTS
     (SELECT FROM unnest(p_policies, p_listeners) AS u(p, l) WHERE p = policy AND l = listener);
  DELETE FROM routes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM routes WHERE seen < v_now - CASE WHEN kept THEN 90000000 ELSE 3600000 END
     LIMIT 1000 FOR UPDATE SKIP LOCKED));
END
$$;

-- An instance shuts down normally and removes its routes.
CREATE OR REPLACE FUNCTION leave(p_instance bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  DELETE FROM instances WHERE id = p_instance;
  UPDATE routes SET kept = false, seen = now_ms() WHERE instance = p_instance AND kept;
END
$$;

-- Processes events of which a delivery has ended. If it was the last one, the window of the event's
-- record begins, and the payload is removed unless there is a dead letter. Then expired events are
-- removed. It processes at most p_looks rows of `looks` and p_events events; true: there may be
-- more. Two transactions that end the last two deliveries of an event do not see each other. Each
-- adds a row to `looks`, and the later of these rows is processed when both commits are visible.
-- p_now: as in sweep_some(); no event is removed if the clocks differ by more than an hour.
CREATE FUNCTION tend_events(
  p_looks bigint, p_events bigint, p_retention bigint, p_now bigint DEFAULT now_ms())
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint;
  v_looked bigint[];
  v_ends bigint;
  v_over bigint[];
  v_dead bigint[];
  v_gone bigint[];
  v_bytes bigint := 0;
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  WITH taken AS (
    DELETE FROM looks WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM looks LIMIT p_looks FOR UPDATE SKIP LOCKED)) RETURNING event)
  SELECT array_agg(DISTINCT event), count(*) INTO v_looked, v_ends FROM taken;
  v_now := now_ms();
  IF abs(v_now - p_now) > 3600000 THEN p_events := 0; END IF;
  IF v_ends > 0 THEN
    -- An operator who redrives a delivery locks the event too.
    PERFORM 1 FROM events WHERE number = ANY (v_looked) ORDER BY number FOR UPDATE;
    v_over := ARRAY(
      SELECT e.number FROM events AS e
       WHERE e.number = ANY (v_looked)
         AND NOT EXISTS (SELECT FROM deliveries AS d WHERE d.event = e.number AND d.state <= 2));
    v_dead := ARRAY(
      SELECT DISTINCT event FROM deliveries WHERE event = ANY (v_over) AND state = 4);
    PERFORM 1 FROM operations
      WHERE fingerprint IN (SELECT fingerprint FROM events WHERE number = ANY (v_over))
      ORDER BY fingerprint FOR UPDATE;
    UPDATE events
       SET ended = (SELECT max(d.ended) FROM deliveries AS d WHERE d.event = number)
     WHERE number = ANY (v_over) AND ended IS NULL;
    UPDATE operations AS o SET expires = e.ended + e.keep
      FROM events AS e
     WHERE e.number = ANY (v_over) AND o.fingerprint = e.fingerprint AND o.nonce = e.nonce
       AND o.state = 2 AND o.expires = open_event_expiry();
    v_gone := ARRAY(
      SELECT number FROM events
       WHERE number = ANY (v_over) AND payload_kept AND number <> ALL (v_dead));
    DELETE FROM payloads WHERE event = ANY (v_gone);
    SELECT coalesce(sum(payload_bytes), 0) INTO v_bytes FROM events WHERE number = ANY (v_gone);
    UPDATE events
       SET payload_kept = payload_kept AND number = ANY (v_dead),
           purge_at = ended +
             CASE WHEN keep_dead AND number = ANY (v_dead) THEN greatest(keep, p_retention) ELSE keep END
     WHERE number = ANY (v_over);
  END IF;

  v_gone := ARRAY(
    SELECT number FROM events WHERE purge_at <= v_now ORDER BY purge_at LIMIT p_events
       FOR UPDATE SKIP LOCKED);
  IF cardinality(v_gone) > 0 THEN
    DELETE FROM deliveries WHERE event = ANY (v_gone);
    DELETE FROM payloads WHERE event = ANY (v_gone);
    SELECT v_bytes + coalesce(sum(payload_bytes) FILTER (WHERE payload_kept), 0) INTO v_bytes
      FROM events WHERE number = ANY (v_gone);
    DELETE FROM events WHERE number = ANY (v_gone);
  END IF;
  IF v_bytes > 0 THEN PERFORM add_payload_bytes(-v_bytes); END IF;
  RETURN (p_looks > 0 AND v_ends >= p_looks) OR (p_events > 0 AND cardinality(v_gone) >= p_events);
END
$$;
