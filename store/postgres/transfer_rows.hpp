// Converts rows of the shared store to the values that a move carries, and back: the statements of
// transfer.cpp, their parameters, and their columns. Private to this folder. Pure; thread-safe.
#pragma once

#include "store/carried.hpp"
#include "store/postgres/pq.hpp"

namespace onceproxy::store::transfer {

/// The number of rows of a page. Answers may be large, and a whole page is in memory.
inline constexpr int page_rows = 100;

// One page of rows that have not expired, after the key that is the parameter, in the order of the
// keys.
extern const char* const select_records;
extern const char* const select_entities;
extern const char* const select_rates;

// A row with this key that has expired is replaced. The new row belongs to no instance.
extern const char* const insert_record;
extern const char* const insert_entity;
extern const char* const insert_rate;

Record record_of(const pq::Row& row);
Entity entity_of(const pq::Row& row);

/// The parameters of the statement that inserts `one`, which must outlive them.
void add(pq::Params& params, const CarriedRecord& one);
void add(pq::Params& params, const CarriedEntity& one);
void add(pq::Params& params, const CarriedRate& one);

}  // namespace onceproxy::store::transfer
