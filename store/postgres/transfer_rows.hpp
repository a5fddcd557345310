// The rows of the shared store as values that are carried, and back: the statements of
// transfer.cpp, their parameters, and what is in the columns. Private to this folder. Pure;
// thread-safe.
#pragma once

#include "store/carried.hpp"
#include "store/postgres/pq.hpp"

namespace onceproxy::store::transfer {

/// Answers may be large, and a page is in memory as a whole.
inline constexpr int page_rows = 100;

// One page of what has not expired, behind the key that is the parameter, in the order of the keys.
extern const char* const select_records;
extern const char* const select_entities;
extern const char* const select_rates;

// A row that has expired only takes up the place. No instance holds what is written.
extern const char* const insert_record;
extern const char* const insert_entity;
extern const char* const insert_rate;

Record record_of(const pq::Row& row);
Entity entity_of(const pq::Row& row);

/// The parameters of the statement that inserts it. They refer to `one`.
void add(pq::Params& params, const CarriedRecord& one);
void add(pq::Params& params, const CarriedEntity& one);
void add(pq::Params& params, const CarriedRate& one);

}  // namespace onceproxy::store::transfer
