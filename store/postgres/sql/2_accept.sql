-- Version 2: accept(), which stores an event together with its reservation. It calls reserve(). If
-- that reserves the operation, it calls complete() with the event's acknowledgement, and inserts
-- the event and its deliveries, all in one transaction.
--
-- The record of an event does not expire before its last delivery has ended (tend_events()).
--
-- Sent again after a lost connection, it finds what the first call stored by the nonce.
--
-- Codes: as reserve(); 1: stored. 13: the payloads have reached the size limit. o_queued: somebody
-- waits for the turn of the entity.
CREATE FUNCTION accept(
  p_fingerprint bytea, p_nonce bytea, p_holder bytea, p_payload bytea, p_lease bigint,
  p_slack bigint, p_keep bigint, p_hold boolean, p_policy bytea, p_request_id bytea, p_trace bytea,
  p_path bytea, p_entity bytea, p_entity_type bytea, p_entity_id bytea, p_turn bigint,
  p_queue_max bigint, p_ticket bigint, p_sequence_kind smallint, p_sequence_high bigint,
  p_sequence_low bigint, p_equal_passes boolean, p_closes bigint, p_unless_closed boolean,
  p_rate bytea, p_interval bigint, p_burst bigint, p_waits boolean, p_waited bytea,
  p_not_after bigint, p_quorum boolean,
  p_ack_status integer, p_replayable boolean, p_not_kept smallint, p_ack_head bytea, p_ack_body bytea,
  p_ends bytea[], p_method bytea, p_target bytea, p_head bytea, p_body bytea, p_listeners bytea[],
  p_keep_dead boolean, p_bytes_max bigint,
  OUT o_code smallint, OUT o_now bigint, OUT o_number bigint, OUT o_attempt integer,
  OUT o_nonce bytea, OUT o_flag boolean, OUT o_status integer, OUT o_replayable boolean,
  OUT o_not_kept smallint, OUT o_settled bigint, OUT o_expires bigint, OUT o_trace bytea,
  OUT o_head bytea, OUT o_body bytea, OUT o_lsn pg_lsn, OUT o_confirmed boolean,
  OUT o_payload bytea, OUT o_event bigint, OUT o_queued boolean)
LANGUAGE plpgsql AS $$
DECLARE
  c record;
  v_bytes bigint := length(p_head) + length(p_body);
BEGIN
  o_queued := false;
  o_now := now_ms();
  IF NOT EXISTS (SELECT FROM operations WHERE fingerprint = p_fingerprint AND expires > o_now) THEN
    -- Its record may have been ended meanwhile by another operation.
    SELECT number INTO o_event FROM events WHERE fingerprint = p_fingerprint AND nonce = p_nonce;
    IF FOUND THEN
      o_code := 1;
      o_number := 0;
      o_attempt := 1;
      IF p_quorum THEN
        o_lsn := pg_current_wal_flush_lsn();
        o_confirmed := coalesce(o_lsn <= confirmed_lsn(), false);
      ELSE
        o_confirmed := true;
      END IF;
      RETURN;
    END IF;
    -- What is being stored at this moment is not counted yet.
    IF (SELECT sum(bytes) FROM payload_bytes) + v_bytes > p_bytes_max THEN
      o_code := 13;
      RETURN;
    END IF;
    -- The locks of records come before the entity's, which reserve() takes.
    IF p_ends IS NOT NULL THEN
      PERFORM 1 FROM operations
        WHERE fingerprint = ANY (p_ends || p_fingerprint) ORDER BY fingerprint FOR UPDATE;
    END IF;
  END IF;
  SELECT * INTO o_code, o_now, o_number, o_attempt, o_nonce, o_flag, o_status, o_replayable,
                o_not_kept, o_settled, o_expires, o_trace, o_head, o_body, o_lsn, o_confirmed,
                o_payload
    FROM reserve(
      p_fingerprint, p_nonce, p_holder, p_payload, p_lease, p_slack, p_keep, p_hold, p_policy,
      p_request_id, p_trace, p_path, p_entity, p_entity_type, p_entity_id, p_turn, p_queue_max,
      p_ticket, p_sequence_kind, p_sequence_high, p_sequence_low, p_equal_passes, p_closes,
      p_unless_closed, p_rate, p_interval, p_burst, p_waits, p_waited, p_not_after, p_quorum);
  IF o_code = 2 AND o_nonce = p_nonce THEN
    o_code := 1;
    o_event := (SELECT number FROM events WHERE fingerprint = p_fingerprint AND nonce = p_nonce);
    SELECT fence, attempt INTO o_number, o_attempt FROM operations WHERE fingerprint = p_fingerprint;
    RETURN;
  END IF;
  IF o_code <> 1 THEN RETURN; END IF;
  SELECT * INTO c FROM complete(
    p_fingerprint, p_nonce, p_keep, p_ack_status, p_replayable, p_not_kept, p_ack_head, p_ack_body,
    p_ends, false, p_not_after, p_quorum);
  IF c.o_code <> 1 THEN
    RAISE EXCEPTION 'the operation waited too long for a lock' USING ERRCODE = '57014';
  END IF;
  o_queued := c.o_queued;
  o_now := now_ms();
  UPDATE operations SET expires = open_event_expiry() WHERE fingerprint = p_fingerprint;
  -- complete() has locked the entity, so the numbers of its events rise.
  o_event := nextval('event_numbers');
  INSERT INTO events (
    number, fingerprint, nonce, origin, created, keep, keep_dead, unless_closed, payload_bytes, policy,
    request_id, trace, entity, entity_type, entity_id, sequence_kind, sequence_high, sequence_low,
    method, target)
  VALUES (
    o_event, p_fingerprint, p_nonce, p_holder, o_now, p_keep, p_keep_dead, p_unless_closed, v_bytes,
    p_policy, p_request_id, p_trace, p_entity, coalesce(p_entity_type, ''), coalesce(p_entity_id, ''),
    p_sequence_kind, p_sequence_high, p_sequence_low, p_method, p_target);
  INSERT INTO payloads (event, head, body) VALUES (o_event, p_head, p_body);
  -- Sorted, so that two calls with the same new listeners cannot deadlock.
  INSERT INTO listeners (name)
  SELECT l FROM unnest(p_listeners) AS l WHERE NOT EXISTS (SELECT FROM listeners WHERE name = l)
   ORDER BY l
  ON CONFLICT DO NOTHING;
  INSERT INTO deliveries (event, listener, due, entity, policy)
  SELECT o_event, l, o_now, p_entity, p_policy FROM unnest(p_listeners) AS l;
  PERFORM add_payload_bytes(v_bytes);
  IF now_ms() > p_not_after THEN
    RAISE EXCEPTION 'the operation waited too long for a lock' USING ERRCODE = '57014';
  END IF;
END
$$;

-- Another acknowledgement for the duplicates of an event. Codes: 1 done, 2 its record is gone or is
-- another's.
CREATE FUNCTION acknowledge(
  p_event bigint, p_status integer, p_replayable boolean, p_not_kept smallint, p_head bytea,
  p_body bytea, p_not_after bigint, p_quorum boolean,
  OUT o_code smallint, OUT o_now bigint, OUT o_queued boolean, OUT o_entity bytea, OUT o_lsn pg_lsn,
  OUT o_confirmed boolean, OUT o_fingerprint bytea)
LANGUAGE plpgsql AS $$
BEGIN
  o_queued := false;
  o_now := now_ms();
  IF o_now > p_not_after THEN o_code := 11; RETURN; END IF;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  UPDATE operations AS o
     SET status = p_status, replayable = p_replayable, not_kept = p_not_kept, head = p_head,
         body = p_body
    FROM events AS e
   WHERE e.number = p_event AND o.fingerprint = e.fingerprint AND o.nonce = e.nonce AND o.state = 2
  RETURNING o.fingerprint INTO o_fingerprint;
  o_code := CASE WHEN FOUND THEN 1 ELSE 2 END;
END
$$;
