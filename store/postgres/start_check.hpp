// check_at_start: the one connection that the store makes before anything else.
#pragma once

#include <string>

#include "store/note_table.hpp"
#include "store/postgres/nonce.hpp"
#include "store/postgres/options.hpp"

namespace onceproxy::store {

/// Connects as every later connection will, so that the start fails where they would, reads the
/// notes, and gives the first sign of life of `instance`: without one, others would take its
/// reservations for those of a process that has ended. Blocks for the connect timeout at most.
/// Throws std::runtime_error with a message for an operator. Returns what an operator should know
/// about the standbys (promotion_advice()); empty: nothing.
std::string check_at_start(const PostgresOptions& options, NoteTable& notes, const Nonce& instance);

}  // namespace onceproxy::store
