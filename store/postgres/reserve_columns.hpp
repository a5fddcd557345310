// The columns of the row that reserve(), a function in the database, answers (sql/1_reserve.sql).
#pragma once

namespace onceproxy::store {

/// The columns of what the function reserve() answers, in their order (sql/1_reserve.sql).
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
