// The answer that an operator gives with a resolve, and that duplicates get from then on: POST
// /records/{fingerprint}/resolve?status=201&header=Content-Type:+application/json with the body of
// the answer. Private to this folder. Pure, except for the time of day.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/admin/server.hpp"
#include "store/answer.hpp"

namespace onceproxy::admin {

/// The reason why an answer cannot have this header field; nothing if it can.
using WrongField =
    std::function<std::optional<std::string>(std::string_view name, std::string_view value)>;

/// Nothing if the request gives no answer. The error describes what is wrong. Date is added if it
/// is missing.
tl::expected<std::optional<store::StoredAnswer>, std::string> read_resolved_answer(
    const Request& request, const WrongField& wrong_field);

}  // namespace onceproxy::admin
