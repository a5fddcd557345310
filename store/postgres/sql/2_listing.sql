-- Version 2: what instances and operators read of the ledger. Nothing here writes.

-- A delivery with its event, as operators see it.
CREATE VIEW delivery_view AS
  SELECT d.event, d.listener, e.fingerprint, d.policy, d.state, e.created, d.attempts, d.last_attempt,
         CASE WHEN d.state <= 2 THEN d.due END AS due, d.held, d.ended, d.status, d.error
    FROM deliveries AS d JOIN events AS e ON e.number = d.event;

-- The pending deliveries of a listener after p_after. Deliveries that other instances have just
-- stored are omitted, because those instances deliver them. A delivery that another instance
-- attempts is due in one second at the earliest. p_look rows are looked at: where there may be more
-- behind them, the last row has the number of the last one in `event`, and no due time.
CREATE FUNCTION pending_deliveries(
  p_listener bytea, p_after bigint, p_limit bigint, p_holder bytea, p_policies bytea[],
  p_patience bigint, p_takeover boolean, p_orphaned bigint, p_look bigint)
RETURNS TABLE (event bigint, due bigint, attempts integer, entity bytea, held boolean, now bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := now_ms();
  v_looked bigint := 0;
  v_found bigint := 0;
  -- The policies whose events others deliver there: as is_orphaned() has it.
  v_others bytea[] := ARRAY(
    SELECT r.policy FROM routes AS r
     WHERE r.listener = p_listener
       AND (r.seen > v_now - p_orphaned OR (r.kept AND r.seen > v_now - 86400000)));
  d record;
BEGIN
  now := v_now;
  FOR d IN
    SELECT p.event, p.due, p.attempts, p.entity, p.held, p.state, p.policy, p.claimant
      FROM deliveries AS p
     WHERE p.listener = p_listener AND p.state <= 2 AND p.event > p_after
     ORDER BY p.event LIMIT p_look
  LOOP
    v_looked := v_looked + 1;
    event := d.event;
    CONTINUE WHEN d.state = 1 AND d.due > v_now - p_patience AND p_patience > 0
      AND NOT EXISTS (SELECT FROM events AS e WHERE e.number = d.event AND e.origin = p_holder);
    CONTINUE WHEN d.policy <> ALL (p_policies) AND (d.policy = ANY (v_others) OR NOT EXISTS
      (SELECT FROM events AS e WHERE e.number = d.event AND e.created <= v_now - p_orphaned));
    due := d.due;
    IF d.claimant IS NOT NULL AND is_claimed(d.claimant, p_holder, p_takeover, v_now) THEN
      due := greatest(d.due, v_now + 1000);
    END IF;
    attempts := d.attempts;
    entity := d.entity;
    held := d.held;
    RETURN NEXT;
    v_found := v_found + 1;
    EXIT WHEN v_found >= p_limit;
  END LOOP;
  IF v_looked >= p_look AND v_found < p_limit THEN
    due := NULL;
    RETURN NEXT;
  END IF;
END
$$;

-- The listeners with deliveries that nobody attempts although they have been due for p_wait; at the
-- start of an instance, with p_wait NULL, those with anything pending. Of each the first thousand are
-- looked at.
CREATE FUNCTION left_over(
  p_policies bytea[], p_listeners bytea[], p_holder bytea, p_wait bigint, p_takeover boolean,
  p_orphaned bigint)
RETURNS SETOF bytea LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := now_ms();
BEGIN
  RETURN QUERY
    SELECT l.name FROM listeners AS l
     WHERE EXISTS (
       SELECT FROM (
         SELECT d.event, d.policy, d.held, d.due, d.claimant FROM deliveries AS d
          WHERE d.listener = l.name AND d.state <= 2
          ORDER BY d.event LIMIT 1000) AS first
        WHERE (p_wait IS NULL OR
               (NOT first.held AND first.due <= v_now - p_wait AND
                (first.claimant IS NULL OR
                 (first.claimant <> p_holder AND
                  NOT is_claimed(first.claimant, p_holder, p_takeover, v_now)))))
          AND (EXISTS (SELECT FROM unnest(p_policies, p_listeners) AS r(policy, listener)
                        WHERE r.policy = first.policy AND r.listener = l.name)
               OR is_orphaned(first.event, first.policy, l.name, p_orphaned, v_now)));
END
$$;

-- The number of the first event that was stored at p_since or later. Numbers rise with the times at
-- which events were stored, or nearly so: those that were stored ten seconds earlier may be counted in.
CREATE FUNCTION first_event_since(p_since bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_low bigint := 0;
  v_high bigint := coalesce((SELECT max(number) FROM events), 0) + 1;
  v_middle bigint;
  e record;
BEGIN
  WHILE v_low < v_high LOOP
    v_middle := v_low + (v_high - v_low) / 2;
    SELECT number, created INTO e FROM events WHERE number >= v_middle ORDER BY number LIMIT 1;
    IF FOUND AND e.created < p_since - 10000 THEN
      v_low := e.number + 1;
    ELSE
      v_high := v_middle;
    END IF;
  END LOOP;
  RETURN v_low;
END
$$;

-- At most p_limit deliveries after a given one, in the order of event and listener, in any state.
CREATE FUNCTION list_deliveries(p_event bigint, p_listener bytea, p_limit bigint, p_since bigint)
RETURNS SETOF delivery_view LANGUAGE plpgsql AS $$
DECLARE
  v_first bigint := CASE WHEN p_since IS NULL THEN 0 ELSE first_event_since(p_since) END;
BEGIN
  RETURN QUERY
    SELECT v.* FROM delivery_view AS v
     WHERE (v.event, v.listener) > (p_event, p_listener) AND v.event >= v_first
     ORDER BY v.event, v.listener LIMIT p_limit;
END
$$;

-- The same, of one operation's events.
CREATE FUNCTION list_deliveries_of(
  p_event bigint, p_listener bytea, p_limit bigint, p_fingerprint bytea)
RETURNS SETOF delivery_view LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY
    SELECT v.* FROM delivery_view AS v
     WHERE v.event IN (SELECT number FROM events WHERE fingerprint = p_fingerprint)
       AND (v.event, v.listener) > (p_event, p_listener)
     ORDER BY v.event, v.listener LIMIT p_limit;
END
$$;

-- The same, of those that have not ended (p_pending), of those that are dead (p_dead) and of those that
-- were cancelled or removed (p_unsent), by their indexes; of one listener, or with NULL of all.
CREATE FUNCTION list_undelivered(
  p_event bigint, p_listener bytea, p_limit bigint, p_since bigint, p_of bytea, p_pending boolean,
  p_dead boolean, p_unsent boolean)
RETURNS SETOF delivery_view LANGUAGE plpgsql AS $$
DECLARE
  v_first bigint := greatest(
    CASE WHEN p_since IS NULL THEN 0 ELSE first_event_since(p_since) END, p_event);
BEGIN
  RETURN QUERY
    WITH found AS MATERIALIZED (
      SELECT k.event, k.listener FROM listeners AS l CROSS JOIN LATERAL (
        (SELECT d.event, d.listener FROM deliveries AS d
          WHERE p_pending AND d.listener = l.name AND d.state <= 2 AND d.event >= v_first
            AND (d.event, d.listener) > (p_event, p_listener)
          ORDER BY d.event LIMIT p_limit)
        UNION ALL
        (SELECT d.event, d.listener FROM deliveries AS d
          WHERE p_dead AND d.listener = l.name AND d.state = 4 AND d.event >= v_first
            AND (d.event, d.listener) > (p_event, p_listener)
          ORDER BY d.event LIMIT p_limit)
        UNION ALL
        (SELECT d.event, d.listener FROM deliveries AS d
          WHERE p_unsent AND d.listener = l.name AND d.state >= 5 AND d.event >= v_first
            AND (d.event, d.listener) > (p_event, p_listener)
          ORDER BY d.event LIMIT p_limit)) AS k
       WHERE p_of IS NULL OR l.name = p_of
       ORDER BY k.event, k.listener LIMIT p_limit)
    SELECT v.* FROM found AS f JOIN delivery_view AS v ON v.event = f.event AND v.listener = f.listener
     ORDER BY f.event, f.listener;
END
$$;

-- Of each listener that ever had a delivery: when the event of its first pending one was stored.
CREATE FUNCTION listener_ages() RETURNS TABLE (name bytea, oldest bigint) LANGUAGE sql STABLE AS $$
  SELECT l.name,
         (SELECT e.created FROM events AS e WHERE e.number =
           (SELECT d.event FROM deliveries AS d WHERE d.listener = l.name AND d.state <= 2
             ORDER BY d.event LIMIT 1))
    FROM listeners AS l ORDER BY l.name
$$;

-- How many deliveries of each listener are pending, and how many dead. Takes long where many are.
CREATE FUNCTION listener_counts()
RETURNS TABLE (name bytea, pending bigint, dead bigint) LANGUAGE sql STABLE AS $$
  SELECT l.name,
         (SELECT count(*) FROM deliveries AS d WHERE d.listener = l.name AND d.state <= 2),
         (SELECT count(*) FROM deliveries AS d WHERE d.listener = l.name AND d.state = 4)
    FROM listeners AS l ORDER BY l.name
$$;
