#include "policies/multipart.hpp"

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/json_string.hpp"
#include "policies/media_type.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::size_t boundary_size_max = 70;
constexpr std::string_view line_end = "\r\n";

class MultipartReader {
 public:
  MultipartReader(std::string_view body, std::string_view boundary)
      : body_(body), delimiter_("--" + std::string(boundary)) {}

  bool read(std::vector<Part>& parts) {
    // Some clients end a line before the first part.
    if (body_.starts_with(line_end)) at_ = line_end.size();
    if (!body_.substr(at_).starts_with(delimiter_)) return fail("the first boundary is missing");
    at_ += delimiter_.size();
    while (!take("--")) {
      if (!end_line()) return false;
      if (!read_part(parts.emplace_back())) return false;
    }
    skip_padding();
    while (take(line_end)) continue;
    return at_ == body_.size() || fail("something follows the last part");
  }

  const Fault& fault() const { return fault_; }

 private:
  bool fail_at(std::size_t at, std::string_view what) {
    fault_ = {at, what};
    return false;
  }
  bool fail(std::string_view what) { return fail_at(at_, what); }

  bool take(std::string_view text) {
    if (!body_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }

  void skip_padding() {
    while (at_ < body_.size() && (body_[at_] == ' ' || body_[at_] == '\t')) ++at_;
  }

  /// Behind a boundary (RFC 2046 5.1.1, transport-padding).
  bool end_line() {
    skip_padding();
    return take(line_end) || fail("a boundary does not end its line");
  }

  /// From behind its boundary's line to behind the next boundary.
  bool read_part(Part& part) {
    const std::size_t begin = at_;
    bool named = false;
    while (!take(line_end)) {
      const std::size_t end = body_.find_first_of(line_end, at_);
      if (end == std::string_view::npos || body_.substr(end, 2) != line_end) {
        return fail("a line of a part's head does not end with CR LF");
      }
      if (!read_field(body_.substr(at_, end - at_), part, named)) return false;
      at_ = end + line_end.size();
    }
    if (!named) return fail_at(begin, "a part has no name");
    return read_content(part);
  }

  bool read_field(std::string_view line, Part& part, bool& named) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || is_space(line.front())) {
      return fail("a line of a part's head is not a field");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1), optional_space);
    if (equals_ignoring_case(name, "content-disposition"))
      return read_disposition(value, part, named);
    if (equals_ignoring_case(name, "content-type")) return set_once(value, part.content_type);
    if (equals_ignoring_case(name, "content-transfer-encoding")) {
      return set_once(value, part.transfer_encoding);
    }
    return true;
  }

  static bool is_space(char c) { return c == ' ' || c == '\t'; }

  bool set_once(std::string_view value, std::optional<std::string_view>& field) {
    if (field) return fail("a part has a field twice");
    field = value;
    return true;
  }

  bool read_disposition(std::string_view value, Part& part, bool& named) {
    if (named) return fail("a part has a field twice");
    if (!equals_ignoring_case(trimmed(value.substr(0, value.find(';')), optional_space),
                              "form-data")) {
      return fail("a part is not form-data");
    }
    const std::vector<Parameter> all = parameters(value);
    const bool twice = std::ranges::any_of(
        all, [&](const Parameter& one) { return !only_parameter(all, one.name); });
    if (twice) return fail("a part's Content-Disposition has a parameter twice");
    auto name = only_parameter(all, "name");
    if (!name) return fail("a part has no name");
    named = true;
    part.name = *std::move(name);
    part.filename = only_parameter(all, "filename");
    part.extended_filename = only_parameter(all, "filename*");
    return true;
  }

  /// To behind the next boundary. A line that begins with it and is no delimiter is one to some
  /// readers.
  bool read_content(Part& part) {
    const std::size_t begin = at_;
    for (std::size_t found = body_.find(delimiter_, begin);;
         found = body_.find(delimiter_, found + 1)) {
      if (found == std::string_view::npos) {
        return fail_at(body_.size(), "the last boundary is missing");
      }
      const char before = body_[found - 1];
      if (before != '\n' && before != '\r') continue;
      // An empty part's boundary follows its head's empty line, which is then not the content's.
      const bool whole = found >= begin + 2 && body_.substr(found - 2, 2) == line_end;
      if (!whole) return fail_at(found, "a boundary does not begin a line of its own");
      part.content = body_.substr(begin, found - 2 - begin);
      at_ = found + delimiter_.size();
      return true;
    }
  }

  const std::string_view body_;
  const std::string delimiter_;
  std::size_t at_ = 0;
  Fault fault_;
};

void append_member(std::string_view name, std::string_view text, std::string& out) {
  append_json_string(name, out);
  out += ':';
  append_json_string(text, out);
  out += ',';
}

}  // namespace

tl::expected<std::vector<Part>, Fault> read_multipart(std::string_view body,
                                                      std::string_view content_type) {
  const auto boundary = only_parameter(parameters(content_type), "boundary");
  if (!boundary || boundary->empty() || boundary->size() > boundary_size_max) {
    return tl::unexpected(Fault{0, "Content-Type names no boundary"});
  }
  std::vector<Part> parts;
  MultipartReader reader(body, *boundary);
  if (!reader.read(parts)) return tl::unexpected(reader.fault());
  return parts;
}

void append_parts(const std::vector<Part>& parts, std::string& out) {
  for (const Part& part : parts) {
    out += '{';
    if (part.transfer_encoding) {
      append_member("content-transfer-encoding", *part.transfer_encoding, out);
    }
    if (part.content_type) append_member("content-type", *part.content_type, out);
    if (part.filename) append_member("filename", *part.filename, out);
    if (part.extended_filename) append_member("filename*", *part.extended_filename, out);
    append_member("name", part.name, out);
    out.append("\"size\":").append(std::to_string(part.content.size())).append("}\n");
    out.append(part.content) += '\n';
  }
}

}  // namespace onceproxy::policies
