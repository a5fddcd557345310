-- Version 1: the regular work of an instance: its heartbeat, and the removal of expired rows.

-- Called by every instance about once a second. It waits for no standby: lost with a failover, it is
-- done again.
--
-- A heartbeat from the future is from before the clock was set back. It counts for ten seconds from
-- now on: an instance that lives renews it meanwhile, and another one does not count as alive for
-- as long as the clock was set back.
CREATE FUNCTION beat(p_instance bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  INSERT INTO instances (id, seen) VALUES (p_instance, now_ms())
  ON CONFLICT (id) DO UPDATE SET seen = excluded.seen;
  UPDATE instances SET seen = now_ms() WHERE id IN
    (SELECT id FROM instances WHERE seen > now_ms() + 1000 FOR UPDATE SKIP LOCKED);
  DELETE FROM instances WHERE id IN
    (SELECT id FROM instances WHERE seen < now_ms() - 3600000 FOR UPDATE SKIP LOCKED);
END
$$;

-- An instance shuts down normally.
CREATE FUNCTION leave(p_instance bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  DELETE FROM instances WHERE id = p_instance;
END
$$;

-- The p_pages pages of a table from page p_next on: rows at o_first and above, and below o_end. o_next
-- is where the next look begins: 0 where this one has come to the end.
CREATE FUNCTION pages_of(
  p_table regclass, p_next bigint, p_pages integer,
  OUT o_first tid, OUT o_end tid, OUT o_next bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_pages bigint := pg_relation_size(p_table) / current_setting('block_size')::bigint;
BEGIN
  o_first := format('(%s,0)', least(p_next, v_pages))::tid;
  o_end := format('(%s,0)', least(p_next + p_pages, v_pages))::tid;
  o_next := CASE WHEN p_next + p_pages < v_pages THEN p_next + p_pages ELSE 0 END;
END
$$;

-- Examines p_pages pages of each table, removes expired rows, and counts the remaining operations.
-- Only one instance does this at a time; for the others it returns false. It walks over a table in
-- the order of its pages, since an index on the time of expiry would cost every completion another
-- index entry. Each table has a place of its own, so that a small one is not left until a large one
-- has been walked over.
--
-- p_now is the time by the clock of the instance. If this server's clock differs from it by more than
-- an hour, rows are only counted, because a removal cannot be undone when the clock is corrected.
CREATE FUNCTION sweep_some(p_pages integer, p_now bigint DEFAULT now_ms()) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  s sweep%ROWTYPE;
  v_now bigint := now_ms();
  v_removes boolean := abs(v_now - p_now) <= 3600000;
  v_first tid;
  v_end tid;
  v_counting jsonb;
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  SELECT * INTO s FROM sweep FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN false; END IF;
  SELECT * INTO v_first, v_end, s.next_operations
    FROM pages_of('operations', s.next_operations, p_pages);

  -- A record that another call has locked is left for the next pass.
  DELETE FROM operations WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM operations
     WHERE v_removes AND ctid >= v_first AND ctid < v_end AND expires <= v_now
       FOR UPDATE SKIP LOCKED));

  -- Counts of the whole pass so far, with those of these pages. Of unknown outcomes also how many
  -- there are for each policy ("u"), and since when ("o"), by whether they are held and the policy.
  WITH here AS MATERIALIZED (
    SELECT state, hold, policy, CASE WHEN state = 3 THEN settled ELSE lease_ends END AS since,
           state = 3 OR (state = 1 AND lease_ends <= v_now) AS unknown
      FROM operations
     WHERE ctid >= v_first AND ctid < v_end AND expires > v_now AND NOT (ended AND state = 2))
  SELECT jsonb_object_agg(k, n) INTO v_counting FROM (
    SELECT k, CASE WHEN k LIKE 'o:%' THEN min(n) ELSE sum(n) END AS n FROM (
      SELECT key AS k, value::numeric AS n FROM jsonb_each_text(s.counting)
      UNION ALL
      SELECT CASE WHEN unknown THEN 'unknown' WHEN state = 2 THEN 'completed' ELSE 'reserved' END,
             count(*) FROM here GROUP BY 1
      UNION ALL
      SELECT format('u:%s:%s', hold, encode(policy, 'hex')), count(*)
        FROM here WHERE unknown GROUP BY 1
      UNION ALL
      SELECT format('o:%s:%s', hold, encode(policy, 'hex')), min(since)
        FROM here WHERE unknown GROUP BY 1
    ) AS parts GROUP BY k) AS sums;
  v_counting := coalesce(v_counting, '{}');

  IF s.next_operations = 0 THEN
    s.counted := v_counting;
    v_counting := '{}';
  END IF;

  SELECT * INTO v_first, v_end, s.next_entities
    FROM pages_of('entities', s.next_entities, p_pages);
  DELETE FROM entities WHERE ctid = ANY (ARRAY(
    SELECT e.ctid FROM entities AS e
     WHERE v_removes AND e.ctid >= v_first AND e.ctid < v_end AND e.expires <= v_now
       -- Renewing a lease does not change the entity, but the operation that has the turn still
       -- needs the entity's row.
       AND NOT EXISTS (SELECT FROM operations o
                        WHERE o.fingerprint = e.holder AND o.nonce = e.holder_nonce
                          AND o.state = 1 AND o.lease_ends > v_now)
       FOR UPDATE OF e SKIP LOCKED));
  SELECT * INTO v_first, v_end, s.next_rates FROM pages_of('rates', s.next_rates, p_pages);
  DELETE FROM rates WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM rates
     WHERE v_removes AND ctid >= v_first AND ctid < v_end AND arrival <= (v_now - 60000) * 1000000
       FOR UPDATE SKIP LOCKED));
  SELECT * INTO v_first, v_end, s.next_duplicates
    FROM pages_of('duplicates', s.next_duplicates, p_pages);
  DELETE FROM duplicates WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM duplicates
     WHERE v_removes AND ctid >= v_first AND ctid < v_end AND expires <= v_now
       FOR UPDATE SKIP LOCKED));

  UPDATE sweep
     SET next_operations = s.next_operations, next_entities = s.next_entities,
         next_rates = s.next_rates, next_duplicates = s.next_duplicates,
         counting = v_counting, counted = s.counted;
  RETURN true;
END
$$;

-- Adds up how often operations were asked for again.
CREATE FUNCTION count_duplicates(
  p_fingerprints bytea[], p_numbers bigint[], p_last bigint[], p_expires bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  INSERT INTO duplicates AS d (fingerprint, number, last, expires)
  SELECT * FROM unnest(p_fingerprints, p_numbers, p_last, p_expires) AS u(f, n, l, e) ORDER BY f
  ON CONFLICT (fingerprint) DO UPDATE
    SET number = CASE WHEN d.expires <= excluded.last THEN 0 ELSE d.number END + excluded.number,
        last = greatest(d.last, excluded.last), expires = greatest(d.expires, excluded.expires);
END
$$;
