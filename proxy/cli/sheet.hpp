// Sheet: what a command tells about one thing, label by label, as lines for people or as one JSON
// object for programs. Not thread-safe.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "proxy/telemetry/json.hpp"

namespace onceproxy::cli {

/// The text with control characters and bytes that are not UTF-8 as \x1b, cut after 200 bytes.
std::string printable(std::string_view text);

class Sheet {
 public:
  virtual ~Sheet() = default;
  /// `text` may be empty if fields follow.
  virtual void line(std::string_view label, std::string_view text) = 0;
  // What belongs to the last line; texts as the request has them.
  virtual void field(std::string_view selector, std::string_view value) = 0;
  /// `why`: "is missing".
  virtual void no_field(std::string_view selector, std::string_view why) = 0;
  /// `test`: "is a or b".
  virtual void condition(std::string_view selector, std::string_view test) = 0;
  /// What stands at `place` becomes what the selector `by` finds.
  virtual void change(std::string_view place, std::string_view by) = 0;
};

/// "label         text", and what belongs to it indented below. The content of a
/// request cannot control a terminal.
class TextSheet final : public Sheet {
 public:
  explicit TextSheet(std::ostream& out) : out_(out) {}
  void line(std::string_view label, std::string_view text) override;
  void field(std::string_view selector, std::string_view value) override;
  void no_field(std::string_view selector, std::string_view why) override;
  void condition(std::string_view selector, std::string_view test) override;
  void change(std::string_view place, std::string_view by) override;

 private:
  std::ostream& out_;
};

/// {"label":"text",…,"fields":{"label":[{"selector":…,"value":…}]}}. A field without a value has
/// "problem" instead, a condition "test", a change "becomes". Values are whole.
class JsonSheet final : public Sheet {
 public:
  void line(std::string_view label, std::string_view text) override;
  void field(std::string_view selector, std::string_view value) override;
  void no_field(std::string_view selector, std::string_view why) override;
  void condition(std::string_view selector, std::string_view test) override;
  void change(std::string_view place, std::string_view by) override;

  telemetry::Json json() const;

 private:
  void add(std::string_view selector, const char* name, std::string_view text);

  telemetry::Json lines_ = telemetry::JsonObject();
  telemetry::Json fields_ = telemetry::JsonObject();
  std::string label_;
};

}  // namespace onceproxy::cli
