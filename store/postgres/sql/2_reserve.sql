-- Version 2: reserve() of version 1 with three changes: an operation that closes its entity waits
-- until no attempt of a delivery prevents the entity from being closed, a call above its rate limit
-- neither takes a lock nor waits for a standby, and the clock may be set back.

-- Whether an attempt under way must be sent before the entity may be closed. An attempt of an instance
-- that gave no sign of life for ten seconds is not sent any more.
CREATE FUNCTION is_kept_open(p_entity bytea) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (SELECT FROM deliveries d JOIN instances i ON i.id = d.claimant
                  WHERE d.entity = p_entity AND d.holding AND i.seen > now_ms() - 10000)
$$;

-- One call decides about the record, its entity and its rate limit. Locks are taken in the order
-- record, entity, rate limit, so that there are no deadlocks. A refusal is decided on rows that are
-- locked or cannot change, with the time that is read after the locks were taken.
--
-- A call that only reads takes no lock and writes nothing, so that a duplicate causes no flush of
-- the log. A refusal for the rate limit is decided without its lock if possible: otherwise each of
-- many calls above one limit would wait for the commits of all before it. An answer that repeats a row (completed, mismatch, stale, closed, or this call's own
-- reservation from an earlier execution) has o_lsn. It is valid when the standbys have confirmed
-- this position: o_confirmed, or a later call of confirmed_lsn().
--
-- Codes: 1 reserved, 2 completed, 3 mismatch, 4 in flight, 5 held, 6 stale, 7 closed, 8 over the rate
-- limit, 9 queued for the turn, 10 no turn, 11 too late, 12 commits wait for no standby.
CREATE OR REPLACE FUNCTION reserve(
  p_fingerprint bytea, p_nonce bytea, p_holder bytea, p_payload bytea,
  p_lease bigint, p_slack bigint, p_keep bigint, p_hold boolean,
  p_policy bytea, p_request_id bytea, p_trace bytea, p_path bytea,
  p_entity bytea, p_entity_type bytea, p_entity_id bytea,
  p_turn bigint,          -- how long the call still waits for its turn; NULL: it takes none
  p_queue_max bigint, p_ticket bigint,  -- how long a place in the queue is kept
  p_sequence_kind smallint, p_sequence_high bigint, p_sequence_low bigint, p_equal_passes boolean,
  p_closes bigint, p_unless_closed boolean,
  p_rate bytea, p_interval bigint, p_burst bigint,
  p_waits boolean,        -- the call waits for the outcome of another's reservation
  p_waited bytea,         -- the nonce of the one that it has waited for
  p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_number bigint, OUT o_attempt integer,
  OUT o_nonce bytea, OUT o_flag boolean, OUT o_status integer, OUT o_replayable boolean,
  OUT o_not_kept smallint, OUT o_settled bigint, OUT o_expires bigint, OUT o_trace bytea,
  OUT o_head bytea, OUT o_body bytea, OUT o_lsn pg_lsn, OUT o_confirmed boolean,
  OUT o_payload bytea)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  e entities%ROWTYPE;
  v_present boolean;
  v_live boolean;
  v_locking boolean := false;
  v_queued boolean := false;
  v_judged boolean;     -- the entity is judged on a row that is locked
  v_until bigint;
  v_queue bytea[];
  v_queue_until bigint[];
  v_arrival bigint;
  v_next bigint;
  v_taken bigint;
  v_now_ns bigint;
  c_set_back CONSTANT bigint := 1000000000;
BEGIN
  o_flag := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;

  <<again>>
  LOOP
    -- 1. The record. It is read first, and locked only if this call may write it.
    v_live := false;
    LOOP
      IF v_locking THEN
        SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
      ELSE
        SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint;
      END IF;
      v_present := FOUND;
      o_now := now_ms();
      -- A record that another operation has ended is kept for a while, for the calls that waited
      -- for it.
      v_live := v_present AND r.expires > o_now
        AND NOT (r.ended AND r.state = 2 AND r.nonce IS DISTINCT FROM p_waited);
      IF v_live THEN
        IF r.nonce = p_nonce AND r.state = 1 AND r.lease_ends > o_now THEN
          o_code := 1;
        ELSIF r.payload IS NOT NULL AND p_payload IS NOT NULL AND r.payload <> p_payload THEN
          o_code := 3;
        ELSIF r.state = 2 THEN
          o_code := 2;
        ELSIF r.state = 1 AND r.lease_ends > o_now AND EXISTS
              (SELECT FROM instances WHERE id = r.holder AND seen > o_now - 10000) THEN
          o_code := 4;
        ELSIF p_hold THEN
          o_code := 5;
        ELSIF r.lease_ends > o_now THEN
          o_code := 5;
          o_number := r.lease_ends - o_now;
        END IF;
        EXIT again WHEN o_code IN (1, 2, 3);
        IF o_code = 5 THEN RETURN; END IF;
        IF o_code = 4 THEN
          o_nonce := r.nonce;
          o_flag := r.ended;
          IF NOT p_waits OR r.awaited THEN RETURN; END IF;
          IF v_locking THEN
            -- If this change is lost in a failover, the call sets it again. Therefore the commit
            -- does not wait for a standby.
            PERFORM set_config('synchronous_commit', 'local', true);
            UPDATE operations SET awaited = true WHERE fingerprint = p_fingerprint;
            RETURN;
          END IF;
          o_code := NULL;
        END IF;
      END IF;
      EXIT WHEN v_locking OR NOT v_present;
      v_locking := true;
    END LOOP;

    -- 2. The entity: the turn, whether it is closed, the sequence.
    IF p_entity IS NOT NULL THEN
      IF p_turn IS NULL THEN
        SELECT * INTO e FROM entities WHERE key = p_entity;
        IF NOT FOUND THEN
          e.closed_until := 0;
          e.sequence_until := 0;
        END IF;
        o_now := now_ms();
      ELSE
        LOOP
          SELECT * INTO e FROM entities WHERE key = p_entity FOR UPDATE;
          EXIT WHEN FOUND;
          INSERT INTO entities (key, type, id, expires)
          VALUES (p_entity, p_entity_type, p_entity_id, now_ms() + p_lease + p_slack)
          ON CONFLICT DO NOTHING;
        END LOOP;
        o_now := now_ms();
        -- Removes places in the queue whose calls did not ask again in time.
        SELECT coalesce(array_agg(q.nonce ORDER BY q.at), '{}'),
               coalesce(array_agg(q.until ORDER BY q.at), '{}')
          INTO v_queue, v_queue_until
          FROM unnest(e.queue, e.queue_until) WITH ORDINALITY AS q(nonce, until, at)
         WHERE q.until > o_now
           -- No place is kept longer: the clock was set back.
           AND q.until <= o_now + p_ticket;
        v_queued := p_nonce = ANY (v_queue);
        IF (cardinality(v_queue) > 0 AND v_queue[1] <> p_nonce) OR EXISTS
           (SELECT FROM operations WHERE fingerprint = e.holder AND nonce = e.holder_nonce
               AND state = 1 AND lease_ends > o_now) OR
           (p_closes IS NOT NULL AND is_kept_open(p_entity)) THEN
          v_until := o_now + least(p_turn, p_ticket);
          IF p_turn <= 0 OR (NOT v_queued AND cardinality(v_queue) >= p_queue_max) THEN
            -- Nothing was changed that could be lost in a failover.
            PERFORM set_config('synchronous_commit', 'local', true);
            o_code := 10;
            RETURN;
          END IF;
          IF v_queued THEN
            v_queue_until[array_position(v_queue, p_nonce)] := v_until;
          ELSE
            v_queue := v_queue || p_nonce;
            v_queue_until := v_queue_until || v_until;
          END IF;
          PERFORM set_config('synchronous_commit', 'local', true);
          UPDATE entities
             SET queue = v_queue, queue_until = v_queue_until, expires = greatest(expires, v_until)
           WHERE key = p_entity;
          o_code := 9;
          RETURN;
        END IF;
      END IF;
      v_judged := p_turn IS NOT NULL;
      LOOP
        IF p_unless_closed AND e.closed_until > o_now THEN
          o_code := 7;
          o_number := e.closed_until - o_now;
          EXIT again;
        END IF;
        -- A sequence of another kind is ignored: the policy was changed in the meantime.
        IF e.sequence_until > o_now AND e.sequence_kind = p_sequence_kind AND
           ((p_sequence_high, p_sequence_low) < (e.sequence_high, e.sequence_low) OR
            ((p_sequence_high, p_sequence_low) = (e.sequence_high, e.sequence_low)
             AND NOT p_equal_passes)) THEN
          o_code := 6;
          EXIT again;
        END IF;
        EXIT WHEN v_judged OR NOT (p_unless_closed OR p_sequence_kind IS NOT NULL);
        -- By the row that was read, the request is allowed. Check again on a locked row, so that a
        -- completion that closes the entity comes either before this check or after the
        -- reservation.
        LOOP
          SELECT * INTO e FROM entities WHERE key = p_entity FOR SHARE;
          EXIT WHEN FOUND;
          INSERT INTO entities (key, type, id, expires)
          VALUES (p_entity, p_entity_type, p_entity_id, now_ms() + p_lease + p_slack)
          ON CONFLICT DO NOTHING;
        END LOOP;
        o_now := now_ms();
        v_judged := true;
      END LOOP;
    END IF;

    -- 3. The rate limit: the generic cell rate algorithm (ITU-T I.371).
    IF p_rate IS NOT NULL THEN
      SELECT arrival INTO v_arrival FROM rates WHERE key = p_rate;
      v_now_ns := now_ns();
      v_next := greatest(v_arrival, v_now_ns) + p_interval;
      IF v_next - v_now_ns <= p_burst OR v_arrival - v_now_ns > p_burst + c_set_back THEN
        INSERT INTO rates (key, arrival, last) VALUES (p_rate, 0, 0) ON CONFLICT DO NOTHING;
        SELECT arrival INTO v_arrival FROM rates WHERE key = p_rate FOR UPDATE;
        IF NOT FOUND THEN  -- removed by the sweep between the two statements
          RAISE EXCEPTION 'a rate limit was removed meanwhile' USING ERRCODE = '40001';
        END IF;
        v_now_ns := now_ns();
        -- No request leaves it so far in the future: the clock was set back. From now on it is as
        -- after the last token.
        IF v_arrival - v_now_ns > p_burst + c_set_back THEN
          v_arrival := v_now_ns + p_burst;
          UPDATE rates SET arrival = v_arrival, last = 0 WHERE key = p_rate;
        END IF;
        v_next := greatest(v_arrival, v_now_ns) + p_interval;
      END IF;
      IF v_next - v_now_ns > p_burst THEN
        -- Whatever was written is written again if it is lost in a failover.
        PERFORM set_config('synchronous_commit', 'local', true);
        o_code := 8;
        o_number := (v_next - v_now_ns - p_burst + 999999) / 1000000;
        RETURN;
      END IF;
      v_taken := v_now_ns;
    END IF;

    -- 4. The reservation.
    o_now := now_ms();
    o_number := nextval('fences');
    o_attempt := 1;
    IF v_present THEN
      -- A call without a payload digest keeps the stored one, so that the next call is still
      -- compared with it.
      IF v_live THEN o_attempt := r.attempt + 1; END IF;
      UPDATE operations SET
        state = 1, nonce = p_nonce, holder = p_holder, fence = o_number, attempt = o_attempt,
        payload = CASE WHEN v_live THEN coalesce(p_payload, r.payload) ELSE p_payload END,
        created = CASE WHEN v_live THEN r.created ELSE o_now END,
        settled = o_now, lease_ends = o_now + p_lease + p_slack,
        expires = o_now + p_lease + p_slack + p_keep, keep = p_keep, hold = p_hold,
        ended = false, awaited = false, policy = p_policy, request_id = p_request_id,
        trace = p_trace, path = p_path, entity_type = coalesce(p_entity_type, ''),
        entity_id = coalesce(p_entity_id, ''), error = '', entity = p_entity,
        turn = p_turn IS NOT NULL, sequence_kind = p_sequence_kind,
        sequence_high = p_sequence_high, sequence_low = p_sequence_low, closes = p_closes,
        rate = p_rate, rate_interval = p_interval, rate_taken = v_taken,
        status = 0, replayable = false, not_kept = 0, head = NULL, body = NULL
      WHERE fingerprint = p_fingerprint;
    ELSE
      INSERT INTO operations (
        fingerprint, state, nonce, holder, fence, attempt, payload, created, settled, lease_ends,
        expires, keep, hold, policy, request_id, trace, path, entity_type, entity_id, entity, turn,
        sequence_kind, sequence_high, sequence_low, closes, rate, rate_interval, rate_taken)
      VALUES (
        p_fingerprint, 1, p_nonce, p_holder, o_number, 1, p_payload, o_now, o_now,
        o_now + p_lease + p_slack, o_now + p_lease + p_slack + p_keep, p_keep, p_hold, p_policy,
        p_request_id, p_trace, p_path, coalesce(p_entity_type, ''), coalesce(p_entity_id, ''),
        p_entity, p_turn IS NOT NULL, p_sequence_kind, p_sequence_high, p_sequence_low, p_closes,
        p_rate, p_interval, v_taken)
      ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        -- Another call has reserved first. Before its record is read again, this call must release
        -- all locks for which the other one may wait.
        IF p_entity IS NOT NULL OR p_rate IS NOT NULL THEN
          RAISE EXCEPTION 'another call reserved the operation first' USING ERRCODE = '40001';
        END IF;
        v_locking := false;
        CONTINUE again;
      END IF;
      -- The fence was drawn before the row was inserted. A reservation that was made and released
      -- in between may have a higher fence. If no fence was drawn since, there is none.
      IF (SELECT last_value FROM fences) <> o_number THEN
        o_number := nextval('fences');
        UPDATE operations SET fence = o_number WHERE fingerprint = p_fingerprint;
      END IF;
    END IF;
    IF p_turn IS NOT NULL THEN
      UPDATE entities
         SET holder = p_fingerprint, holder_nonce = p_nonce,
             type = p_entity_type, id = p_entity_id,
             queue = array_remove(v_queue, p_nonce),
             queue_until = CASE WHEN v_queued THEN v_queue_until[2:] ELSE v_queue_until END,
             expires = greatest(expires, o_now + p_lease + p_slack)
       WHERE key = p_entity;
    END IF;
    IF p_rate IS NOT NULL THEN
      UPDATE rates SET arrival = v_next, last = v_taken WHERE key = p_rate;
    END IF;
    -- If the call waited for a lock until its caller gave up, the transaction is rolled back. From
    -- that time on a release() may arrive, which must see the final state.
    IF now_ms() > p_not_after THEN
      RAISE EXCEPTION 'the operation waited too long for a lock' USING ERRCODE = '57014';
    END IF;
    o_code := 1;
    RETURN;
  END LOOP again;

  -- An answer that repeats a row.
  IF o_code = 1 THEN
    o_number := r.fence;
    o_attempt := r.attempt;
  ELSIF o_code = 2 THEN
    o_nonce := r.nonce;
    o_flag := r.ended;
    o_status := r.status;
    o_replayable := r.replayable;
    o_not_kept := r.not_kept;
    o_settled := r.settled;
    o_expires := r.expires;
    o_trace := r.trace;
    o_payload := r.payload;
    o_head := r.head;
    o_body := r.body;
  END IF;
  IF p_quorum THEN
    o_lsn := pg_current_wal_flush_lsn();
    o_confirmed := coalesce(o_lsn <= confirmed_lsn(), false);
  ELSE
    o_confirmed := true;
  END IF;
END
$$;
