// Formats of the access log, and values in them: a format is taken or refused at a place inside it,
// and whatever the values are, a line of text is one line and a line of JSON is valid JSON.
#include <boost/json/parse.hpp>
#include <string>
#include <string_view>

#include "claim.hpp"
#include "proxy/telemetry/access_format_line.hpp"

using namespace onceproxy::telemetry;

namespace {

class AnyField final : public AccessFields {
 public:
  explicit AnyField(std::string_view value) : value_(value) {}
  std::optional<std::string_view> find(std::string_view) const override { return value_; }

 private:
  std::string_view value_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\n');
  std::string_view format = input.substr(0, end);
  // As the end of a line is.
  while (format.ends_with('\r')) format.remove_suffix(1);
  const std::string_view value = end == std::string_view::npos ? "" : input.substr(end + 1);
  const auto made = AccessFormat::text(format);
  if (!made) {
    claim(made.error().offset <= format.size(), "the place is inside the format");
    claim(!made.error().message.empty(), "an error says something");
    return 0;
  }
  const AnyField fields(value);
  AccessRecord record;
  record.client = record.policy = record.request_id = record.error = value;
  AccessDetails details;
  details.request = &fields;
  details.answer_head = details.target = details.upstream_host = details.code_details = value;
  const std::chrono::system_clock::time_point now{std::chrono::seconds(1'767'355'384)};
  std::string line;
  append_formatted_line(line, *made, record, details, now);
  claim(line.find('\n') == line.size() - 1, "a line is one line");
  AccessFormat::Json json;
  claim(!json.member("a", format) && !json.member("b", format), "what is a text is a member");
  line.clear();
  append_formatted_line(line, json.finish(), record, details, now);
  claim(line.find('\n') == line.size() - 1, "a line of JSON is one line");
  boost::json::error_code error;
  boost::json::parse(line, error);
  claim(!error, "a line of JSON is JSON");
  return 0;
}
