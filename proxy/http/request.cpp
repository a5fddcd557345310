#include "proxy/http/request.hpp"

#include <algorithm>
#include <iterator>

#include "proxy/http/guarded_fields.hpp"
#include "proxy/http/request_path.hpp"
#include "store/random.hpp"

namespace onceproxy::http {

using policies::equals_ignoring_case;

Request::Request(RequestMemory& memory, Client& client, const Options& options)
    : head_(memory.head), path_memory_(memory.path), client_(client), options_(options) {
  if (!client_gave_id()) made_id_ = store::random_uuid();
  show_head();
}

bool Request::client_gave_id() const {
  if (head_.request_id < 0) return false;
  const std::string_view id = head_.fields[static_cast<std::size_t>(head_.request_id)].value;
  return !id.empty() && id.size() <= request_id_bytes_max;
}

/// Sets the views of the head's bytes, but for the path's.
void Request::show_head() {
  view_.method = head_.method;
  view_.target = head_.target;
  view_.query = head_.query;
  view_.headers = delivered_fields(head_, delivered_);
  if (options_.identifies_clients) hide_certificate_claims();
  view_.certificate = client_.certificate();
  id_ = made_id_.empty() ? head_.fields[static_cast<std::size_t>(head_.request_id)].value
                         : std::string_view(made_id_);
}

/// What a client says of its certificate goes no further if certificates are verified here, and
/// what the service does not get no policy reads.
void Request::hide_certificate_claims() {
  if (std::ranges::count(head_.known, Known::client_certificate) == 0) return;
  std::vector<Field> others;
  std::ranges::copy_if(view_.headers, std::back_inserter(others), [](const Field& field) {
    return known_field(field.name) != Known::client_certificate;
  });
  delivered_ = std::move(others);
  view_.headers = delivered_;
}

bool Request::wants_websocket() const {
  if (head_.upgrade < 0 || head_.minor_version == 0) return false;
  const auto at = static_cast<std::size_t>(head_.upgrade);
  return head_.dropped(at) && equals_ignoring_case(head_.fields[at].value, "websocket");
}

std::string_view Request::origin() const {
  std::string_view origin;
  for (const Field& field : view_.headers) {
    if (!equals_ignoring_case(field.name, "origin")) continue;
    if (!origin.empty()) return {};
    origin = field.value;
  }
  return origin;
}

ForwardedFields Request::forwarded_fields() const {
  return {id_, client_.address(), client_.secure()};
}

CertificateField Request::certificate_field() const {
  return {options_.identifies_clients, client_.forwarded_certificate()};
}

std::optional<BadHead> Request::read_path() {
  return http::read_path(head_, options_.limits.pass_encoded_slashes, path_memory_, view_.path);
}

void Request::begin_body() {
  head_begin_ = client_.buffer.view().data();
  client_.buffer.consume(head_.size);
}

void Request::keep_head() {
  if (!kept_head_.empty()) return;
  kept_head_.assign(head_begin_, head_.size);
  // A path that was not in normal form is a copy already.
  const bool path_in_head = view_.path.data() == head_.path.data();
  head_.move_views(head_begin_, kept_head_.data());
  show_head();
  if (path_in_head) view_.path = head_.path;
}

}  // namespace onceproxy::http
