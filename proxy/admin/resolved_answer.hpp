// The answer that an operator gives when resolving a record: what duplicates get from then on.
// POST /records/{fingerprint}/resolve?status=201&header=Content-Type:+application/json with the
// answer's body as the request's. Private to this folder. Pure, but for the time of day.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/admin/server.hpp"
#include "store/answer.hpp"

namespace onceproxy::admin {

/// What keeps a header field from being one of an answer's; nothing: it may be.
using WrongField =
    std::function<std::optional<std::string>(std::string_view name, std::string_view value)>;

/// Nothing where the request gives no answer. The error says what is wrong with it. A Date is added
/// where none is given.
tl::expected<std::optional<store::StoredAnswer>, std::string> read_resolved_answer(
    const Request& request, const WrongField& wrong_field);

}  // namespace onceproxy::admin
