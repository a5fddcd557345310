-- Version 1: what instances do beside the requests: show that they live, and remove what expired.

-- Called by every instance about once a second. It waits for no standby: lost with a failover, it is
-- done again.
CREATE FUNCTION beat(p_instance bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  INSERT INTO instances (id, seen) VALUES (p_instance, now_ms())
  ON CONFLICT (id) DO UPDATE SET seen = excluded.seen;
  DELETE FROM instances WHERE id IN
    (SELECT id FROM instances WHERE seen < now_ms() - 3600000 FOR UPDATE SKIP LOCKED);
END
$$;

-- An instance ends in good order.
CREATE FUNCTION leave(p_instance bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  DELETE FROM instances WHERE id = p_instance;
END
$$;

-- Looks at so many pages of the operations, removes what has expired there, and counts the rest; one
-- instance at a time, the others get false. It walks over the table in the order of its pages, since
-- an index on the time of expiry would cost every completion another index entry. When it has been
-- everywhere, the small tables are tidied and it begins again.
CREATE FUNCTION sweep_some(p_pages integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  s sweep%ROWTYPE;
  v_now bigint := now_ms();
  v_pages bigint;
  v_first tid;
  v_end tid;
  v_counting jsonb;
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  SELECT * INTO s FROM sweep FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN false; END IF;
  v_pages := pg_relation_size('operations') / current_setting('block_size')::bigint;
  v_first := format('(%s,0)', least(s.next_block, v_pages))::tid;
  v_end := format('(%s,0)', least(s.next_block + p_pages, v_pages))::tid;

  -- A record that another call has locked is left for the next pass.
  DELETE FROM operations WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM operations WHERE ctid >= v_first AND ctid < v_end AND expires <= v_now
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

  IF s.next_block + p_pages < v_pages THEN
    UPDATE sweep SET next_block = s.next_block + p_pages, counting = v_counting;
    RETURN true;
  END IF;
  UPDATE sweep SET next_block = 0, counting = '{}', counted = v_counting;
  DELETE FROM entities WHERE key = ANY (ARRAY(
    SELECT key FROM entities AS e
     WHERE expires <= v_now
       -- Renewing a lease does not touch the entity; whoever has the turn needs its row all the same.
       AND NOT EXISTS (SELECT FROM operations o
                        WHERE o.fingerprint = e.holder AND o.nonce = e.holder_nonce
                          AND o.state = 1 AND o.lease_ends > v_now)
     LIMIT 10000 FOR UPDATE OF e SKIP LOCKED));
  DELETE FROM rates WHERE key = ANY (ARRAY(
    SELECT key FROM rates WHERE arrival <= (v_now - 60000) * 1000000
     LIMIT 10000 FOR UPDATE SKIP LOCKED));
  DELETE FROM duplicates WHERE fingerprint = ANY (ARRAY(
    SELECT fingerprint FROM duplicates WHERE expires <= v_now LIMIT 10000 FOR UPDATE SKIP LOCKED));
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
