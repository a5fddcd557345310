// The columns of the row that the database's function reserve() returns (sql/1_reserve.sql).
#pragma once

namespace onceproxy::store {

/// In the order of the function's result.
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
  o_payload
};

}  // namespace onceproxy::store
