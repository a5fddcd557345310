#include "policies/xpath_rules.hpp"

#include <algorithm>
#include <array>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

/// As XPath 1.0 section 3.7 cuts them, as far as the rules need to tell them apart.
struct Token {
  enum class Kind { end, name, literal, number, symbol } kind = Kind::end;
  std::string_view text;

  bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
  bool is_fixed() const { return kind == Kind::literal || kind == Kind::number; }
  bool compares() const {
    return is("=") || is("!=") || is("<") || is("<=") || is(">") || is(">=");
  }
  /// Whether a path can continue after it.
  bool ends_step() const {
    return kind == Kind::name || is("*") || is(".") || is("..") || is(")") || is("]");
  }
};

bool begins_name(char c) {
  return is_alpha(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool continues_name(char c) {
  return begins_name(c) || is_digit(c) || c == '-' || c == '.';
}

class Tokens {
 public:
  explicit Tokens(std::string_view expression) : rest_(trimmed(expression, space)) {}

  Token next() {
    if (rest_.empty()) return {};
    const char first = rest_.front();
    if (first == '"' || first == '\'') {
      return cut(Token::Kind::literal, std::min(rest_.find(first, 1), rest_.size() - 1) + 1);
    }
    if (begins_name(first)) return cut_while(Token::Kind::name, continues_name);
    if (is_digit(first) || (first == '.' && rest_.size() > 1 && is_digit(rest_[1]))) {
      return cut_while(Token::Kind::number, [](char c) { return is_digit(c) || c == '.'; });
    }
    static constexpr std::array<std::string_view, 6> pairs{"//", "..", "::", "!=", "<=", ">="};
    const bool pair = std::ranges::find(pairs, rest_.substr(0, 2)) != pairs.end();
    return cut(Token::Kind::symbol, pair ? 2 : 1);
  }

 private:
  static constexpr std::string_view space = " \t\r\n";

  template <typename Belongs>
  Token cut_while(Token::Kind kind, Belongs belongs) {
    const auto end = std::ranges::find_if_not(rest_, belongs);
    return cut(kind, static_cast<std::size_t>(end - rest_.begin()));
  }

  Token cut(Token::Kind kind, std::size_t size) {
    const Token token{kind, rest_.substr(0, size)};
    rest_.remove_prefix(size);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(space), rest_.size()));
    return token;
  }

  std::string_view rest_;
};

bool is_refused_function(const Token& name) {
  return name.text == "namespace-uri" || name.text == "id" || name.text == "lang";
}

/// Of a token inside a predicate, with the one before it.
std::optional<std::string> wrong_in_predicate(const Token& before, const Token& token) {
  if (token.is("[")) return "has a predicate inside a predicate";
  if (token.is("//") || token.is("..")) {
    return "has `" + std::string(token.text) +
           "` inside [ ], where a path goes down by names alone";
  }
  if (token.is("/") && !before.ends_step()) {
    return "has a path inside [ ] that begins at the document; begin it at the element that the "
           "predicate belongs to";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> wrong_xpath(std::string_view expression) {
  if (expression.size() > xpath_bytes_max) {
    return "is longer than " + std::to_string(xpath_bytes_max) + " bytes";
  }
  Tokens tokens(expression);
  Token before;
  bool in_predicate = false;
  for (Token token = tokens.next(), next; token.kind != Token::Kind::end;
       before = token, token = next) {
    next = tokens.next();
    if (token.is("::")) return "names an axis; write paths with /, //, @, . and ..";
    if (token.is(":")) {
      return "has a name with a prefix; write the name alone, which matches in every namespace";
    }
    if (token.kind == Token::Kind::name && next.is("(") && is_refused_function(token)) {
      return "calls " + std::string(token.text) +
             "(); names match in every namespace, and ids "
             "and languages are not known";
    }
    if (token.compares() && !before.is_fixed() && !next.is_fixed()) {
      return "compares something other than with a text or a number; write one at a side of `" +
             std::string(token.text) + "`";
    }
    if (in_predicate) {
      if (auto wrong = wrong_in_predicate(before, token)) return wrong;
    }
    if (token.is("[")) in_predicate = true;
    if (token.is("]")) in_predicate = false;
  }
  return std::nullopt;
}

}  // namespace onceproxy::policies
