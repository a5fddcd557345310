#include "config/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <map>
#include <optional>
#include <streambuf>

#include "config/environment.hpp"
#include "config/indentation.hpp"
#include "config/text.hpp"

namespace onceproxy::config {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{1} << 20;
constexpr std::size_t depth_max = 32;
/// Aliases followed: what keeps ten lines of anchors from growing into a billion values.
constexpr std::size_t values_max = 100'000;

/// Ends the parsing; the problem has been reported.
struct Stop {};

Place place_of(const YAML::Mark& mark) {
  // yaml-cpp counts from 0, and its columns are bytes.
  return mark.is_null() ? Place{}
                        : Place{static_cast<std::size_t>(mark.line) + 1,
                                static_cast<std::size_t>(mark.column)};
}

class Builder : public YAML::EventHandler {
 public:
  Builder(const Environment& environment, Reading& reading)
      : environment_(environment), reading_(reading) {}

  std::shared_ptr<const YamlItem> take() { return std::move(root_); }

  /// Where the list or map stands that is still open.
  std::optional<Place> open_place() const {
    return frames_.empty() ? std::nullopt : std::optional(frames_.back().place);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!root_) return;
    stop(place_of(mark),
         wrong_indentation(reading_, place_of(mark).line)
             .value_or("a second document begins here; the configuration is one document"));
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlValue value;
    // The mark of a value that is not there is the next token's.
    const bool missing = !frames_.empty() && frames_.back().key;
    const Place place = missing ? frames_.back().key->second : place_of(mark);
    finish(place, std::make_shared<const YamlValue>(std::move(value)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      stop(place_of(mark), "this alias stands inside the value that it names");
    }
    finish(place_of(mark), found->second, YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    YamlValue value;
    value.kind = YamlValue::Kind::scalar;
    const bool tagged = tag != "?" && tag != "!" && !tag.empty();
    if (tagged) refuse_tag(place_of(mark));
    auto substituted = substitute(text, environment_);
    if (substituted) {
      value.text = std::move(substituted->text);
      value.plain = tag == "?" || substituted->changed;
    } else {
      reading_.problem(place_of(mark), path(), std::move(substituted.error()));
    }
    value.broken = tagged || !substituted;
    finish(place_of(mark), std::make_shared<const YamlValue>(std::move(value)), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlValue::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlValue::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Place place;
    YAML::anchor_t anchor = YAML::NullAnchor;
    YamlValue value;
    /// In a map, between a key and its value.
    std::optional<std::pair<std::string, Place>> key;
    /// The key has been reported: its value is read and dropped.
    bool key_broken = false;
    std::map<std::string, Place> keys_seen;
  };

  [[noreturn]] void stop(Place place, std::string message) {
    reading_.problem(place, path(), std::move(message));
    throw Stop{};
  }

  void refuse_tag(Place place) {
    reading_.problem(place, path(), "tags are not supported; remove the word that begins with '!'");
  }

  void open(YamlValue::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    if (tag != "?" && !tag.empty()) refuse_tag(place);
    if (!frames_.empty() && frames_.back().value.kind == YamlValue::Kind::map &&
        !frames_.back().key) {
      stop(place, "a key must be a word");
    }
    if (frames_.size() == depth_max) {
      stop(place, "nested deeper than " + std::to_string(depth_max) + " levels");
    }
    Frame frame;
    frame.place = place;
    frame.anchor = anchor;
    frame.value.kind = kind;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    finish(frame.place, std::make_shared<const YamlValue>(std::move(frame.value)), frame.anchor);
  }

  void finish(Place place, std::shared_ptr<const YamlValue> value, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = value;
    if (frames_.empty()) {
      root_ = std::make_shared<const YamlItem>(YamlItem{place, std::move(value)});
      return;
    }
    Frame& frame = frames_.back();
    if (frame.value.kind == YamlValue::Kind::map && !frame.key) {
      begin_entry(frame, place, *value);
      return;
    }
    frame.value.size += value->size;
    if (frame.value.size > values_max) {
      stop(place, "more than " + std::to_string(values_max) + " values, aliases followed");
    }
    if (frame.value.kind == YamlValue::Kind::list) {
      frame.value.items.push_back({place, std::move(value)});
      return;
    }
    auto [key, key_place] = std::move(*frame.key);
    frame.key.reset();
    if (frame.key_broken) return;
    const auto [first, is_first] = frame.keys_seen.emplace(key, key_place);
    if (is_first) {
      frame.value.entries.push_back({std::move(key), key_place, {place, std::move(value)}});
      return;
    }
    reading_.problem(key_place, join(path(), key),
                     "given twice; the first stands at " + reading_.place_text(first->second));
  }

  void begin_entry(Frame& frame, Place place, const YamlValue& key) {
    if (key.kind != YamlValue::Kind::scalar) stop(place, "a key must be a word");
    if (key.plain && key.text == "<<") {
      stop(place,
           "merge keys are not supported; give every key, or use an alias for a whole value");
    }
    frame.key = {key.text, place};
    frame.key_broken = key.broken;
  }

  static std::string join(std::string path, const std::string& key) {
    return path.empty() ? key : std::move(path) + "." + key;
  }

  std::string path() const {
    std::string out;
    for (const Frame& frame : frames_) {
      if (frame.value.kind == YamlValue::Kind::list) {
        out += '[' + std::to_string(frame.value.items.size()) + ']';
      } else if (frame.key) {
        out = join(std::move(out), frame.key->first);
      }
    }
    return out;
  }

  const Environment& environment_;
  Reading& reading_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, std::shared_ptr<const YamlValue>> anchors_;
  std::shared_ptr<const YamlItem> root_;
};

/// The message for an operator if yaml-cpp cannot parse the document.
void report(const YAML::Exception& error, std::size_t text_size, const Builder& builder,
            Reading& reading) {
  Place place = place_of(error.mark);
  std::string message = "not valid YAML: " + error.msg;
  // At the end of the input yaml-cpp gives no place, or the end's.
  const bool at_end =
      builder.open_place() &&
      (error.msg == YAML::ErrorMsg::END_OF_MAP_FLOW ||
       error.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW) &&
      (error.mark.pos <= 0 || static_cast<std::size_t>(error.mark.pos) >= text_size);
  if (at_end) place = *builder.open_place();
  const std::string_view line = reading.line(place.line);
  const std::string_view indentation = line.substr(0, line.find_first_not_of(" \t"));
  const auto wrong = wrong_indentation(reading, place.line);
  const bool of_blocks = error.msg == YAML::ErrorMsg::MAP_VALUE ||
                         error.msg == YAML::ErrorMsg::END_OF_MAP ||
                         error.msg == YAML::ErrorMsg::END_OF_SEQ;
  if (of_blocks && wrong && indentation.find('\t') == std::string_view::npos) {
    place.offset = indentation.size();
    message = *wrong;
  } else if (at_end) {
    message = "not valid YAML: a quote or bracket that is opened here is not closed";
  } else if (indentation.find('\t') != std::string_view::npos) {
    message += "; the line is indented with a tab, and YAML wants spaces";
  } else if (place.offset < line.size() && line[place.offset] == '{' && place.offset > 0 &&
             line[place.offset - 1] != ' ') {
    message += "; inside [ ] and { }, a value with braces must be quoted";
  } else if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
    message += "; a quote is not closed";
  } else if (error.msg == YAML::ErrorMsg::MAP_VALUE) {
    message += "; quote a value that holds ': ', and check the indentation";
  }
  reading.problem(place, "", std::move(message));
}

/// Reads a view in place: std::istringstream would copy the file.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

std::shared_ptr<const YamlItem> parse_yaml(std::string_view text, const Environment& environment,
                                           Reading& reading) {
  if (text.size() > file_bytes_max) {
    reading.problem({}, "", "the file is larger than 1MiB");
    return nullptr;
  }
  if (!reading.is_clean(text)) return nullptr;
  Builder builder(environment, reading);
  try {
    ViewBuffer buffer(text);
    std::istream in(&buffer);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
    return nullptr;
  } catch (const YAML::Exception& error) {
    report(error, text.size(), builder, reading);
    return nullptr;
  }
  std::shared_ptr<const YamlItem> root = builder.take();
  if (!root || root->value->kind == YamlValue::Kind::nothing) {
    reading.problem({}, "", "the file is empty");
    return nullptr;
  }
  return root;
}

}  // namespace onceproxy::config
