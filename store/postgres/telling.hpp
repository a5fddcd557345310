// Telling: the notifications that instances send each other after an outcome, so that calls that
// wait in other instances need not poll. Correctness does not depend on them: a call whose
// notification is lost finds the outcome with its next query.
//
//   text  := kind name       name: 64 hexadecimal digits
//   kind  := "o"             the operation of that fingerprint was settled
//          | "e"             the turn of that entity is free, or its queue has changed
//          | "r"             an operator changed the operation
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "store/postgres/one_query.hpp"

namespace onceproxy::store {

namespace telling {
inline constexpr char outcome = 'o', turn = 'e', changed = 'r';
}

template <typename Tag>
void tell_others(Channel& channel, const PostgresOptions& options, char kind,
                 const Digest<Tag>& name) {
  OneQuery::send(channel, Statement::notify, options.operation_timeout,
                 [where = channel_name(options), text = kind + name.hex()](pq::Params& params) {
                   params.bytes(where);
                   params.bytes(text);
                 });
}

}  // namespace onceproxy::store
