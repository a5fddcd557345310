// The columns of the row that the database's functions reserve() and accept() return
// (sql/2_reserve.sql, sql/2_accept.sql).
#pragma once

namespace onceproxy::store {

/// In the order of the functions' results; the last two are accept()'s alone.
enum Column {
  o_code,
  o_now,
  o_number,
  o_attempt,
  o_nonce,
  o_flag,
  o_status,
  o_replayable,
  o_not_kept,
  o_settled,
  o_expires,
  o_trace,
  o_head,
  o_body,
  o_lsn,
  o_confirmed,
  o_payload,
  o_event,
  o_turn_wanted
};

}  // namespace onceproxy::store
