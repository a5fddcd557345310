// check_at_start: the one connection that the store makes before anything else.
#pragma once

#include "store/postgres/options.hpp"
#include "store/postgres/shared_notes.hpp"

namespace onceproxy::store {

/// Connects as every later connection will, so that the start fails where they would, and reads the
/// notes. Blocks for the connect timeout at most. Throws std::runtime_error with a message for an
/// operator.
void check_at_start(const PostgresOptions& options, SharedNotes& notes);

}  // namespace onceproxy::store
