-- Version 1: what operators change. Codes: 1 done, 2 absent, 3 conflict, 12 commits wait for no
-- standby. o_awaited, o_queued, o_entity: as where a reservation ends.

CREATE FUNCTION operator_release(
  p_fingerprint bytea, p_quorum boolean,
  OUT o_code smallint, OUT o_awaited boolean, OUT o_queued boolean, OUT o_entity bytea)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  v record;
BEGIN
  o_awaited := false;
  o_queued := false;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
  IF NOT FOUND OR r.expires <= now_ms() THEN o_code := 2; RETURN; END IF;
  IF r.state = 2 THEN o_code := 3; RETURN; END IF;
  IF r.state = 1 THEN
    SELECT * INTO v FROM release(p_fingerprint, r.nonce, false, now_ms() + 60000, p_quorum);
    o_queued := v.o_queued;
  ELSE
    DELETE FROM operations WHERE fingerprint = p_fingerprint;
  END IF;
  o_code := 1;
  o_awaited := r.awaited;
  o_entity := r.entity;
END
$$;

CREATE FUNCTION operator_resolve(
  p_fingerprint bytea, p_status integer, p_replayable boolean, p_not_kept smallint,
  p_head bytea, p_body bytea, p_quorum boolean,
  OUT o_code smallint, OUT o_awaited boolean, OUT o_queued boolean, OUT o_entity bytea)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  v_now bigint;
BEGIN
  o_awaited := false;
  o_queued := false;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
  v_now := now_ms();
  IF NOT FOUND OR r.expires <= v_now THEN o_code := 2; RETURN; END IF;
  IF r.state = 2 OR (r.state = 1 AND r.lease_ends > v_now) THEN o_code := 3; RETURN; END IF;
  IF r.turn AND r.state = 1 THEN o_queued := turn_is_over(r.entity); END IF;
  -- With another nonce, so that the request which held the reservation cannot take this completion
  -- for its own.
  UPDATE operations
     SET state = 2, nonce = uuid_send(gen_random_uuid()), settled = v_now, expires = v_now + keep, error = '', status = p_status,
         replayable = p_replayable, not_kept = p_not_kept, head = p_head, body = p_body
   WHERE fingerprint = p_fingerprint;
  o_code := 1;
  o_awaited := r.awaited;
  o_entity := r.entity;
END
$$;

CREATE FUNCTION operator_forget(
  p_fingerprint bytea, p_quorum boolean,
  OUT o_code smallint, OUT o_awaited boolean, OUT o_queued boolean, OUT o_entity bytea)
LANGUAGE plpgsql AS $$
DECLARE
  r operations%ROWTYPE;
  v_now bigint;
BEGIN
  o_awaited := false;
  o_queued := false;
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO r FROM operations WHERE fingerprint = p_fingerprint FOR UPDATE;
  v_now := now_ms();
  IF NOT FOUND OR r.expires <= v_now THEN o_code := 2; RETURN; END IF;
  IF r.state = 1 AND r.lease_ends > v_now AND EXISTS
     (SELECT FROM instances WHERE id = r.holder AND seen > v_now - 10000) THEN
    o_code := 3;
    RETURN;
  END IF;
  IF r.turn AND r.state = 1 THEN o_queued := turn_is_over(r.entity); END IF;
  DELETE FROM operations WHERE fingerprint = p_fingerprint;
  o_code := 1;
  o_awaited := r.awaited;
  o_entity := r.entity;
END
$$;

CREATE FUNCTION operator_open(p_entity bytea, p_quorum boolean, OUT o_code smallint)
LANGUAGE plpgsql AS $$
DECLARE
  e entities%ROWTYPE;
BEGIN
  IF p_quorum AND NOT waits_for_standby() THEN o_code := 12; RETURN; END IF;
  SELECT * INTO e FROM entities WHERE key = p_entity FOR UPDATE;
  IF NOT FOUND OR e.expires <= now_ms() THEN o_code := 2; RETURN; END IF;
  IF e.closed_until <= now_ms() THEN o_code := 3; RETURN; END IF;
  UPDATE entities SET closed_until = now_ms() WHERE key = p_entity;
  o_code := 1;
END
$$;
