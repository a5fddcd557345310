-- Version 1: how a reservation ends, and how it is renewed. This requires the nonce of the
-- reservation, and its lease must not have ended. Locks: records in the order of their
-- fingerprints, then the entity, then the rate limit.
--
-- Each may be sent again after a lost connection (p_again): the nonce shows what the first call has
-- done, and the answer is "done" with o_lsn, as in reserve().
--
-- Codes: 1 done, 2 refused, 11 too late, 12 commits wait for no standby. o_awaited: somebody waits
-- for the outcome. o_queued: somebody waits for the turn of o_entity.

-- Ends the turn of a record's entity. It locks the entity, so that a call that is being queued is
-- either visible here or finds the turn free. Returns true if a call waits.
CREATE FUNCTION turn_is_over(p_entity bytea) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_waiting boolean;
BEGIN
  SELECT cardinality(queue) > 0 INTO v_waiting FROM entities WHERE key = p_entity FOR UPDATE;
  RETURN coalesce(v_waiting, false);
END
$$;

-- Forgets the operations that another one ended. The caller has locked them. An operation that is
-- under way continues and is not remembered. One with an unknown outcome blocks new reservations
-- until its lease ends.
CREATE FUNCTION end_operations(p_ends bytea[], p_now bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE operations SET ended = true
   WHERE fingerprint = ANY (p_ends) AND state = 1 AND lease_ends > p_now;
  DELETE FROM operations
   WHERE fingerprint = ANY (p_ends) AND (state = 2 OR lease_ends <= p_now);
END
$$;

CREATE FUNCTION complete(
  p_fingerprint bytea, p_nonce bytea, p_keep bigint, p_status integer, p_replayable boolean,
  p_not_kept smallint, p_head bytea, p_body bytea, p_ends bytea[], p_again boolean,
  p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_awaited boolean, OUT o_queued boolean,
  OUT o_entity bytea, OUT o_lsn pg_lsn, OUT o_confirmed boolean,
  OUT o_settled bigint, OUT o_expires bigint, OUT o_flag boolean, OUT o_payload bytea)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  e entities%ROWTYPE;
  v_ends bytea[];
BEGIN
  o_awaited := false;
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  IF p_ends IS NOT NULL THEN
    -- An operation that is reserved after this point is a new one: it is not ended, and this call
    -- does not wait for it.
    SELECT array_agg(fingerprint) INTO v_ends FROM (
      SELECT fingerprint FROM operations
       WHERE fingerprint = ANY (p_ends || p_fingerprint) ORDER BY fingerprint FOR UPDATE) AS locked;
  END IF;
  SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
  o_now := now_ms();
  IF NOT FOUND OR r.nonce <> p_nonce THEN o_code := 2; RETURN; END IF;
  o_flag := r.ended;
  o_payload := r.payload;
  o_entity := r.entity;
  IF r.state = 2 THEN
    o_code := 1;
    o_awaited := r.awaited;
    o_queued := r.turn;
    o_settled := r.settled;
    o_expires := r.expires;
    IF p_quorum THEN
      o_lsn := pg_current_wal_flush_lsn();
      o_confirmed := coalesce(o_lsn <= confirmed_lsn(), false);
    ELSE
      o_confirmed := true;
    END IF;
    RETURN;
  END IF;
  IF r.state <> 1 OR r.lease_ends <= o_now THEN o_code := 2; RETURN; END IF;

  IF r.entity IS NOT NULL THEN
    LOOP
      SELECT * INTO e FROM entities WHERE key = r.entity FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO entities (key, type, id, expires)
      VALUES (r.entity, r.entity_type, r.entity_id, o_now + p_keep) ON CONFLICT DO NOTHING;
    END LOOP;
    o_now := now_ms();
    -- An operation of the list was reserved while this call waited for the entity. It must be ended
    -- too, and its row must be locked before the entity, so the call is retried.
    IF EXISTS (SELECT FROM operations
                WHERE fingerprint = ANY (p_ends) AND fingerprint <> ALL (v_ends)) THEN
      RAISE EXCEPTION 'an operation to be ended was reserved meanwhile' USING ERRCODE = '40001';
    END IF;
    IF e.sequence_until <= o_now THEN e.sequence_kind := NULL; END IF;
    IF r.sequence_kind IS NOT NULL AND
       (e.sequence_kind IS DISTINCT FROM r.sequence_kind OR
        (r.sequence_high, r.sequence_low) > (e.sequence_high, e.sequence_low)) THEN
      e.sequence_kind := r.sequence_kind;
      e.sequence_high := r.sequence_high;
      e.sequence_low := r.sequence_low;
    END IF;
    e.sequence_until := greatest(e.sequence_until, o_now + p_keep);
    e.closed_until := greatest(e.closed_until, o_now + r.closes);
    UPDATE entities
       SET type = r.entity_type, id = r.entity_id, sequence_kind = e.sequence_kind,
           sequence_high = e.sequence_high, sequence_low = e.sequence_low,
           sequence_until = e.sequence_until, closed_until = e.closed_until,
           expires = greatest(expires, e.sequence_until, e.closed_until)
     WHERE key = r.entity;
    o_queued := r.turn AND cardinality(e.queue) > 0;
  END IF;

  o_code := 1;
  o_awaited := r.awaited;
  o_settled := o_now;
  -- An operation that was ended in the meantime is kept for one minute, only for the calls that
  -- wait for it.
  o_expires := o_now + CASE WHEN r.ended THEN 60000 ELSE p_keep END;
  UPDATE operations
     SET state = 2, settled = o_settled, expires = o_expires, keep = p_keep, status = p_status,
         replayable = p_replayable, not_kept = p_not_kept, head = p_head, body = p_body
   WHERE fingerprint = p_fingerprint;
  IF cardinality(v_ends) > 1 THEN
    PERFORM end_operations(array_remove(v_ends, p_fingerprint), o_now);
  END IF;
END
$$;

-- p_again: the row may be missing because an earlier call succeeded, or because its commit is not
-- visible yet. If this is sent after p_not_after of a lost reserve(), it finds the reservation of
-- that call.
CREATE FUNCTION release(
  p_fingerprint bytea, p_nonce bytea, p_again boolean, p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_awaited boolean, OUT o_queued boolean,
  OUT o_entity bytea, OUT o_lsn pg_lsn, OUT o_confirmed boolean)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  v_last bigint;
  v_arrival bigint;
BEGIN
  o_awaited := false;
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  LOOP
    SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
    EXIT WHEN FOUND OR NOT p_again;
    -- A reservation whose commit still waits for the standby cannot be seen. Inserting a row with
    -- the same fingerprint waits for that commit. If the insert succeeds, there is no reservation.
    -- The inserted row is deleted in this transaction. Its commit waits for the standby like every
    -- other commit, which also confirms a removal by an earlier call.
    INSERT INTO operations (fingerprint, state, nonce, holder, fence, attempt, created, settled,
                            lease_ends, expires, keep, hold)
    VALUES (p_fingerprint, 1, p_nonce, '', 0, 0, 0, 0, 0, 0, 0, false)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
      DELETE FROM operations WHERE fingerprint = p_fingerprint;
      o_code := 1;
      RETURN;
    END IF;
  END LOOP;
  IF NOT FOUND OR r.nonce <> p_nonce OR r.state <> 1 THEN
    o_code := CASE WHEN p_again THEN 1 ELSE 2 END;
    RETURN;
  END IF;
  IF r.turn THEN o_queued := turn_is_over(r.entity); END IF;
  IF r.rate IS NOT NULL THEN
    -- Tokens that the limit has regained by time are not returned a second time. This is exact for
    -- the last two tokens; for more it may return slightly too much.
    SELECT arrival, last INTO v_arrival, v_last FROM rates WHERE key = r.rate FOR UPDATE;
    IF FOUND AND r.rate_taken = v_last THEN
      UPDATE rates SET arrival = v_arrival - r.rate_interval, last = 0 WHERE key = r.rate;
    ELSIF FOUND THEN
      UPDATE rates
         SET arrival = least(v_arrival, greatest(v_arrival - r.rate_interval, v_last + r.rate_interval))
       WHERE key = r.rate;
    END IF;
  END IF;
  DELETE FROM operations WHERE fingerprint = p_fingerprint;
  o_code := 1;
  o_awaited := r.awaited;
  o_entity := r.entity;
END
$$;

CREATE FUNCTION mark_unknown(
  p_fingerprint bytea, p_nonce bytea, p_lease bigint, p_keep bigint, p_error bytea,
  p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_awaited boolean, OUT o_queued boolean,
  OUT o_entity bytea, OUT o_lsn pg_lsn, OUT o_confirmed boolean)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
BEGIN
  o_awaited := false;
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
  o_now := now_ms();
  IF NOT FOUND OR r.nonce <> p_nonce OR r.state = 2 OR r.lease_ends <= o_now THEN
    o_code := 2;
    RETURN;
  END IF;
  o_code := 1;
  o_awaited := r.awaited;
  o_entity := r.entity;
  IF r.state = 3 THEN
    o_queued := r.turn;
    IF p_quorum THEN
      o_lsn := pg_current_wal_flush_lsn();
      o_confirmed := coalesce(o_lsn <= confirmed_lsn(), false);
    ELSE
      o_confirmed := true;
    END IF;
    RETURN;
  END IF;
  IF r.turn THEN o_queued := turn_is_over(r.entity); END IF;
  UPDATE operations
     SET state = 3, settled = o_now, lease_ends = o_now + p_lease,
         expires = o_now + greatest(p_keep, p_lease), error = p_error
   WHERE fingerprint = p_fingerprint;
END
$$;

-- Renews leases. Returns which were renewed (o_renewed) and which are lost. A row that another
-- transaction has locked is left out: it is tried again, and does not delay the others.
CREATE FUNCTION renew(
  p_fingerprints bytea[], p_nonces bytea[], p_leases bigint[], p_slacks bigint[],
  p_not_after bigint, p_quorum boolean)
RETURNS TABLE (o_fingerprint bytea, o_renewed boolean) LANGUAGE plpgsql AS $$
DECLARE
  v_locked bytea[];
  v_now bigint;
BEGIN
  IF now_ms() > p_not_after THEN
    RAISE EXCEPTION 'the renewal came too late' USING ERRCODE = '57014';
  END IF;
  IF p_quorum AND NOT waits_for_standby() THEN
    RAISE EXCEPTION 'commits wait for no standby' USING ERRCODE = '55000';
  END IF;
  v_locked := ARRAY(
    SELECT fingerprint FROM operations WHERE fingerprint = ANY (p_fingerprints)
       FOR UPDATE SKIP LOCKED);
  v_now := now_ms();
  RETURN QUERY
    UPDATE operations AS o
       SET settled = v_now, lease_ends = v_now + u.lease + u.slack,
           expires = v_now + u.lease + u.slack + o.keep
      FROM unnest(p_fingerprints, p_nonces, p_leases, p_slacks) AS u(fingerprint, nonce, lease, slack)
     WHERE o.fingerprint = u.fingerprint AND o.nonce = u.nonce AND o.state = 1
       AND o.lease_ends > v_now AND o.fingerprint = ANY (v_locked)
    RETURNING o.fingerprint, true;
  -- A row that is locked by another transaction is lost only if it belongs to another reservation
  -- already, or exists no more. The rows that were renewed are still the caller's, too.
  RETURN QUERY
    SELECT u.fingerprint, false FROM unnest(p_fingerprints, p_nonces) AS u(fingerprint, nonce)
     WHERE NOT EXISTS
       (SELECT FROM operations AS o
         WHERE o.fingerprint = u.fingerprint AND o.nonce = u.nonce AND o.state = 1
           AND (o.lease_ends > v_now OR o.fingerprint <> ALL (v_locked)));
END
$$;
