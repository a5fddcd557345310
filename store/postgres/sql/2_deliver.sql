-- Version 2: attempts of deliveries. An instance claims a delivery with a nonce, and the claim is
-- valid as long as the instance sends heartbeats (beat()). Ending the attempt requires the nonce,
-- so an instance whose delivery was taken over cannot end it.
--
-- Locks are taken in the order event, record, entity, delivery.
--
-- Codes: 1 done, 2 the delivery does not exist or is not in the required state, 3 another instance
-- or operation has it, 6 stale, 7 the entity is closed, 11 too late, 12 commits wait for no
-- standby, 14 not now. o_queued: somebody waits for the turn of o_entity. o_lsn, o_confirmed: as in
-- reserve().

-- Whether the claim of a delivery holds. p_takeover: false if this instance could not reach the
-- database a moment ago, and therefore cannot know whether the others are alive.
CREATE FUNCTION is_claimed(p_claimant bytea, p_holder bytea, p_takeover boolean, p_now bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN p_claimant IS NOT NULL AND p_claimant <> p_holder AND EXISTS
    (SELECT FROM instances WHERE id = p_claimant AND (seen > p_now - 10000 OR NOT p_takeover));
END
$$;

-- Whether no instance has had the route for p_orphaned ms, so that pending deliveries must end as
-- removed. An instance that was killed counts as having its routes for another day. An event that
-- is younger is not
-- orphaned: its instance may not have said yet that it has the route.
CREATE FUNCTION is_orphaned(
  p_event bigint, p_policy bytea, p_listener bytea, p_orphaned bigint, p_now bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN NOT EXISTS
      (SELECT FROM routes
        WHERE policy = p_policy AND listener = p_listener
          AND (seen > p_now - p_orphaned OR (kept AND seen > p_now - 86400000)))
    AND EXISTS (SELECT FROM events WHERE number = p_event AND created <= p_now - p_orphaned);
END
$$;

-- p_policies: those whose events go to the listener in the configuration of this instance. p_early:
-- whatever its due time. 14: o_due says when to ask again, and o_held whether it waits for an operator.
CREATE FUNCTION begin_delivery(
  p_event bigint, p_listener bytea, p_nonce bytea, p_holder bytea, p_policies bytea[],
  p_early boolean, p_takeover boolean, p_orphaned bigint, p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_queued boolean, OUT o_entity bytea, OUT o_lsn pg_lsn,
  OUT o_confirmed boolean, OUT o_attempts integer, OUT o_due bigint, OUT o_held boolean,
  OUT o_orphaned boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v events%ROWTYPE;
  d deliveries%ROWTYPE;
  e entities%ROWTYPE;
  v_holds boolean;
  v_locked boolean := false;
  v_before record;
BEGIN
  o_queued := false;
  o_held := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO v FROM events WHERE number = p_event;
  IF NOT FOUND THEN o_code := 2; RETURN; END IF;
  v_holds := v.unless_closed AND v.entity IS NOT NULL;

  -- Looked at first, and locked only where it may be claimed: a look costs no flush of the log.
  LOOP
    IF v_locked THEN
      SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener FOR UPDATE;
    ELSE
      SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener;
    END IF;
    o_now := now_ms();
    IF NOT FOUND OR d.state > 2 THEN
      o_code := 2;
      RETURN;
    END IF;
    o_orphaned := d.policy <> ALL (p_policies);
    IF o_orphaned AND NOT is_orphaned(p_event, d.policy, p_listener, p_orphaned, o_now) THEN
      o_code := 2;
      RETURN;
    END IF;
    IF is_claimed(d.claimant, p_holder, p_takeover, o_now) THEN
      o_code := 14;
      o_due := o_now + 1000;
    ELSIF NOT p_early AND (d.held OR d.due > o_now) THEN
      o_code := 14;
      o_due := d.due;
      o_held := d.held;
    ELSIF d.entity IS NOT NULL THEN
      SELECT b.due, b.held INTO v_before FROM deliveries AS b
       WHERE b.listener = p_listener AND b.entity = d.entity AND b.state <= 2 AND b.event < p_event
       ORDER BY b.event LIMIT 1;
      IF FOUND AND (v_before.held OR v_before.due > o_now) THEN
        -- Asked again now and then: an operator may end the earlier one.
        o_code := 14;
        o_due := o_now + CASE WHEN v_before.held THEN 5000 ELSE least(v_before.due - o_now, 5000) END;
      ELSIF FOUND THEN
        o_code := 3;
      ELSIF d.attempts = 0 AND (d.last_attempt IS NOT NULL OR d.error <> '') AND EXISTS
        -- It was redriven, perhaps with others: another instance may be attempting a later one.
        (SELECT FROM deliveries AS b
          WHERE b.listener = p_listener AND b.entity = d.entity AND b.state <= 2
            AND b.event > p_event AND is_claimed(b.claimant, p_holder, p_takeover, o_now)) THEN
        o_code := 14;
        o_due := o_now + 1000;
      END IF;
    END IF;
    IF o_code IS NOT NULL THEN
      o_attempts := d.attempts;
      RETURN;
    END IF;
    EXIT WHEN v_locked;
    v_locked := true;
    CONTINUE WHEN NOT v_holds;
    -- An operation that closes the entity locks this row, so it either precedes the claim or sees
    -- it.
    LOOP
      SELECT * INTO e FROM entities WHERE key = v.entity FOR SHARE;
      EXIT WHEN FOUND;
      INSERT INTO entities (key, type, id, expires)
      VALUES (v.entity, v.entity_type, v.entity_id, now_ms() + 60000) ON CONFLICT DO NOTHING;
    END LOOP;
    o_now := now_ms();
    CONTINUE WHEN e.closed_until > o_now;
    -- An operation that has the turn, or is queued for it, may close the entity.
    -- A place of more than a minute is from before the clock was set back.
    IF EXISTS (SELECT FROM unnest(e.queue_until) AS q(until)
                WHERE until > o_now AND until <= o_now + 60000) OR EXISTS
       (SELECT FROM operations WHERE fingerprint = e.holder AND nonce = e.holder_nonce
           AND state = 1 AND lease_ends > o_now) THEN
      -- A claim of this instance whose answer was lost must not block that operation, because both
      -- would wait for each other. If this change is lost in a failover, it is repeated.
      PERFORM set_config('synchronous_commit', 'local', true);
      UPDATE deliveries SET claimant = NULL, nonce = NULL, holding = false
       WHERE event = p_event AND listener = p_listener AND claimant = p_holder AND holding;
      IF FOUND THEN
        o_queued := true;
        o_entity := v.entity;
      END IF;
      o_code := 3;
      o_attempts := d.attempts;
      RETURN;
    END IF;
  END LOOP;

  o_attempts := d.attempts;
  IF v_holds AND e.closed_until > o_now THEN
    o_code := 7;
    UPDATE deliveries
       SET state = 5, ended = o_now, held = false, claimant = NULL, nonce = NULL, holding = false,
           error = 'the entity is closed'
     WHERE event = p_event AND listener = p_listener;
    INSERT INTO looks (event) VALUES (p_event);
  ELSE
    o_code := 1;
    IF v_holds THEN o_entity := v.entity; END IF;
    UPDATE deliveries SET claimant = p_holder, nonce = p_nonce, holding = v_holds
     WHERE event = p_event AND listener = p_listener;
    -- The claim is valid at once, before the next heartbeat.
    IF NOT EXISTS (SELECT FROM instances WHERE id = p_holder AND seen > o_now - 5000) THEN
      INSERT INTO instances (id, seen) VALUES (p_holder, o_now)
      ON CONFLICT (id) DO UPDATE SET seen = greatest(instances.seen, excluded.seen);
    END IF;
  END IF;
  IF now_ms() > p_not_after THEN
    RAISE EXCEPTION 'the attempt waited too long for a lock' USING ERRCODE = '57014';
  END IF;
END
$$;

-- Records the end of an attempt. p_wait: the pause before the next attempt, if there is one.
-- p_error: NULL if there is no error. If it is sent again, it finds that the first call has ended
-- the attempt.
CREATE FUNCTION end_delivery(
  p_event bigint, p_listener bytea, p_nonce bytea, p_state smallint, p_wait bigint, p_held boolean,
  p_status integer, p_error bytea, p_attempted boolean, p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_queued boolean, OUT o_entity bytea, OUT o_lsn pg_lsn,
  OUT o_confirmed boolean)
LANGUAGE plpgsql AS $$
DECLARE
  d deliveries%ROWTYPE;
BEGIN
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener FOR UPDATE;
  o_now := now_ms();
  IF NOT FOUND OR d.nonce IS DISTINCT FROM p_nonce THEN o_code := 2; RETURN; END IF;
  o_code := 1;
  IF d.claimant IS NULL THEN
    IF p_quorum THEN
      o_lsn := pg_current_wal_flush_lsn();
      o_confirmed := coalesce(o_lsn <= confirmed_lsn(), false);
    ELSE
      o_confirmed := true;
    END IF;
    RETURN;
  END IF;
  IF p_attempted THEN
    d.attempts := d.attempts + 1;
    d.last_attempt := o_now;
    d.status := p_status;
    d.error := coalesce(p_error, '');
  ELSE
    d.error := coalesce(p_error, d.error);
  END IF;
  IF p_state > 2 THEN
    d.state := p_state;
    d.ended := o_now;
    d.held := false;
    INSERT INTO looks (event) VALUES (p_event);
  ELSE
    d.state := CASE WHEN d.attempts = 0 THEN 1 ELSE 2 END;
    d.due := o_now + p_wait;
    d.held := p_held;
  END IF;
  UPDATE deliveries
     SET state = d.state, attempts = d.attempts, due = d.due, held = d.held, claimant = NULL,
         holding = false, last_attempt = d.last_attempt, ended = d.ended, status = d.status,
         error = d.error
   WHERE event = p_event AND listener = p_listener;
  IF d.holding THEN
    o_entity := d.entity;
    o_queued := EXISTS (SELECT FROM entities WHERE key = d.entity AND cardinality(queue) > 0);
  END IF;
END
$$;

-- The request of an attempt was sent, so its entity may be closed from now on; or the attempt is
-- given up (p_whole), and the delivery is as before. The commit does not wait for a standby: if it
-- is lost in a failover, the hold ends with the claim.
CREATE FUNCTION leave_delivery(
  p_event bigint, p_listener bytea, p_nonce bytea, p_whole boolean,
  OUT o_queued boolean, OUT o_entity bytea)
LANGUAGE plpgsql AS $$
DECLARE
  d deliveries%ROWTYPE;
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  o_queued := false;
  SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener FOR UPDATE;
  IF NOT FOUND OR d.nonce IS DISTINCT FROM p_nonce OR d.claimant IS NULL THEN RETURN; END IF;
  UPDATE deliveries
     SET holding = false, claimant = CASE WHEN p_whole THEN NULL ELSE claimant END,
         nonce = CASE WHEN p_whole THEN NULL ELSE nonce END
   WHERE event = p_event AND listener = p_listener;
  IF d.holding THEN
    o_entity := d.entity;
    o_queued := EXISTS (SELECT FROM entities WHERE key = d.entity AND cardinality(queue) > 0);
  END IF;
END
$$;

-- Redrives a dead letter, or a delivery that waits for an operator. The checks are those of a new
-- request (closed, stale). Another instance may begin a later delivery of the entity at the same
-- time: the lock of that delivery orders the two, and the lock of the entity prevents a new event.
CREATE FUNCTION redrive_delivery(
  p_event bigint, p_listener bytea, p_holder bytea, p_takeover boolean, p_not_after bigint,
  p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_queued boolean, OUT o_entity bytea, OUT o_lsn pg_lsn,
  OUT o_confirmed boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v events%ROWTYPE;
  d deliveries%ROWTYPE;
  e entities%ROWTYPE;
BEGIN
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO v FROM events WHERE number = p_event FOR UPDATE;
  IF NOT FOUND THEN o_code := 2; RETURN; END IF;
  PERFORM 1 FROM operations WHERE fingerprint = v.fingerprint FOR UPDATE;
  WHILE v.entity IS NOT NULL LOOP
    PERFORM 1 FROM entities WHERE key = v.entity FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO entities (key, type, id, expires)
    VALUES (v.entity, v.entity_type, v.entity_id, now_ms() + 60000) ON CONFLICT DO NOTHING;
  END LOOP;
  SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener FOR UPDATE;
  IF NOT FOUND THEN o_code := 2; RETURN; END IF;
  o_now := now_ms();
  IF is_claimed(d.claimant, p_holder, p_takeover, o_now)
     OR NOT (d.state = 4 OR (d.state <= 2 AND d.held)) THEN
    o_code := 3;
    RETURN;
  END IF;
  IF NOT v.payload_kept THEN o_code := 2; RETURN; END IF;
  -- If the first one has ended while its lock was waited for, the next one is the first.
  LOOP
    PERFORM 1 FROM deliveries AS b
     WHERE b.listener = p_listener AND b.entity = v.entity AND b.state <= 2 AND b.event > p_event
     ORDER BY b.event LIMIT 1 FOR UPDATE;
    EXIT WHEN FOUND OR NOT EXISTS
      (SELECT FROM deliveries AS b
        WHERE b.listener = p_listener AND b.entity = v.entity AND b.state <= 2
          AND b.event > p_event);
  END LOOP;
  o_now := now_ms();
  SELECT * INTO e FROM entities WHERE key = v.entity AND expires > o_now;
  IF FOUND AND v.unless_closed AND e.closed_until > o_now THEN
    o_code := 7;
  ELSIF FOUND AND e.sequence_until > o_now AND e.sequence_kind = v.sequence_kind AND
     (v.sequence_high, v.sequence_low) < (e.sequence_high, e.sequence_low) THEN
    o_code := 6;
  END IF;
  IF o_code IS NOT NULL THEN
    -- Only locks were taken, which need not be held until a standby knows of them.
    PERFORM set_config('synchronous_commit', 'local', true);
    RETURN;
  END IF;
  UPDATE deliveries
     SET state = 1, attempts = 0, held = false, due = o_now, ended = NULL, claimant = NULL,
         nonce = NULL, holding = false
   WHERE event = p_event AND listener = p_listener;
  UPDATE events SET ended = NULL, purge_at = NULL WHERE number = p_event AND ended IS NOT NULL;
  UPDATE operations SET expires = open_event_expiry()
   WHERE fingerprint = v.fingerprint AND nonce = v.nonce AND state = 2;
  IF now_ms() > p_not_after THEN
    RAISE EXCEPTION 'the redrive waited too long for a lock' USING ERRCODE = '57014';
  END IF;
  o_code := 1;
END
$$;

-- Ends a pending delivery, or a dead one, as removed.
CREATE FUNCTION drop_delivery(
  p_event bigint, p_listener bytea, p_holder bytea, p_takeover boolean, p_why bytea,
  p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_queued boolean, OUT o_entity bytea, OUT o_lsn pg_lsn,
  OUT o_confirmed boolean)
LANGUAGE plpgsql AS $$
DECLARE
  d deliveries%ROWTYPE;
BEGIN
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO d FROM deliveries WHERE event = p_event AND listener = p_listener FOR UPDATE;
  IF NOT FOUND THEN o_code := 2; RETURN; END IF;
  o_now := now_ms();
  IF is_claimed(d.claimant, p_holder, p_takeover, o_now) OR d.state NOT IN (1, 2, 4) THEN
    o_code := 3;
    RETURN;
  END IF;
  UPDATE deliveries
     SET state = 6, ended = o_now, held = false, claimant = NULL, nonce = NULL, holding = false,
         error = p_why
   WHERE event = p_event AND listener = p_listener;
  INSERT INTO looks (event) VALUES (p_event);
  o_code := 1;
END
$$;
