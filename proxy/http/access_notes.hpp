// AccessNotes: values for log.access_format that are not kept elsewhere. It exists only if a format
// is configured. Not thread-safe: used on its worker's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/client.hpp"
#include "proxy/http/forward_record.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/telemetry/access_log.hpp"

namespace onceproxy::http {

class AccessNotes final : private telemetry::AccessFields {
 public:
  /// All arguments must outlive it.
  AccessNotes(const telemetry::AccessFormat& format, const RequestHead& head, const Client& client)
      : format_(format), head_(head), client_(client) {}

  /// The client closed the connection before the exchange was complete.
  bool client_left = false;
  /// onceproxy made the answer itself.
  bool answered_here = false;
  /// `written` begins with the head of the final answer. It is copied if the format needs it.
  void keep_answer_head(std::string_view written);

  /// The views are valid as long as the notes and `forward`.
  telemetry::AccessDetails details(const telemetry::AccessRecord& record,
                                   const ForwardRecord& forward) const;

 private:
  std::optional<std::string_view> find(std::string_view name) const override;

  const telemetry::AccessFormat& format_;
  const RequestHead& head_;
  const Client& client_;
  std::string answer_head_;
};

}  // namespace onceproxy::http
