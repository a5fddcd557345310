// Asking: sends a statement and blocks the calling thread until it is answered; for operators and
// for the reads of the ledger. The statement is sent over the store's own channel, so these
// functions must not be called on that channel's loop. The wait is limited, and ends at once while
// the database does not answer. Thread-safe.
#pragma once

#include <string>

#include "store/postgres/channel.hpp"
#include "store/postgres/one_query.hpp"
#include "store/postgres/work.hpp"

namespace onceproxy::store {

/// The answer. If there was none, a reply that says `lost`, with the reason.
Reply ask(const Work& work, Channel& house, Statement statement, OneQuery::Bind bind);

/// Whether what `reply` says was committed counts. `sent`: when it was sent. If the commit took
/// long, the standbys are asked; they may have been removed from the settings meanwhile.
bool counts(const Work& work, Channel& house, const Reply& reply, BootClock::time_point sent);

/// Why a reply is not good, for operators.
std::string why_not(const Reply& reply);

}  // namespace onceproxy::store
