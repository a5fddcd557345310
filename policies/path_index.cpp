#include "policies/path_index.hpp"

#include <algorithm>

namespace onceproxy::policies {
namespace {

void append(const std::vector<std::uint32_t>& from, std::vector<std::uint32_t>& out) {
  out.insert(out.end(), from.begin(), from.end());
}

bool same_options(const re2::RE2& a, const re2::RE2& b) {
  return a.options().ParseFlags() == b.options().ParseFlags() &&
         a.options().longest_match() == b.options().longest_match();
}

}  // namespace

PathIndex::PathIndex(const std::vector<Policy>& policies) : policies_(policies), nodes_(1) {
  for (std::uint32_t i = 0; i < policies.size(); ++i) {
    const Match& match = policies[i].match;
    if (match.path_regex) {
      with_expression_.push_back(i);
    } else if (match.has_path) {
      add_template(match.path, i);
    } else {
      any_path_.push_back(i);
    }
  }
  build_set();
}

void PathIndex::add_template(const std::vector<PathSegment>& path, std::uint32_t policy) {
  std::uint32_t node = 0;
  for (const PathSegment& segment : path) {
    if (segment.kind == PathSegment::Kind::rest) {
      nodes_[node].takes_rest.push_back(policy);
      return;
    }
    node = child(node, segment);
  }
  // A template without segments is "/", whose one segment is empty.
  if (path.empty()) node = child(node, {PathSegment::Kind::literal, {}});
  nodes_[node].ends_here.push_back(policy);
}

std::uint32_t PathIndex::child(std::uint32_t node, const PathSegment& segment) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  if (segment.kind == PathSegment::Kind::capture) {
    if (nodes_[node].capture == 0) {
      nodes_[node].capture = next;
      nodes_.emplace_back();
    }
    return nodes_[node].capture;
  }
  auto& literals = nodes_[node].literals;
  const auto at = std::lower_bound(
      literals.begin(), literals.end(), segment.text,
      [](const auto& entry, const std::string& text) { return entry.first < text; });
  if (at != literals.end() && at->first == segment.text) return at->second;
  literals.emplace(at, segment.text, next);
  nodes_.emplace_back();
  return next;
}

// One expression alone is quicker than a set of one; expressions with unlike options cannot share
// one; and a configuration is not refused because a set does not compile.
void PathIndex::build_set() {
  if (with_expression_.size() < 2) return;
  const re2::RE2& first = *policies_[with_expression_.front()].match.path_regex;
  re2::RE2::Options options = first.options();
  options.set_log_errors(false);
  auto set = std::make_unique<re2::RE2::Set>(options, re2::RE2::ANCHOR_BOTH);
  for (const std::uint32_t policy : with_expression_) {
    const re2::RE2& expression = *policies_[policy].match.path_regex;
    if (!same_options(first, expression) || set->Add(expression.pattern(), nullptr) < 0) return;
  }
  if (set->Compile()) set_ = std::move(set);
}

void PathIndex::find(std::string_view path, std::vector<std::uint32_t>& out) const {
  append(any_path_, out);
  const Segments segments(path);
  if (!segments.done()) walk(nodes_.front(), segments, out);
  if (!with_expression_.empty()) find_expressions(path, out);
}

// Recursion is bounded by the longest template; each node has one way to it and is met once.
void PathIndex::walk(const Node& node, Segments rest, std::vector<std::uint32_t>& out) const {
  append(node.takes_rest, out);
  if (rest.done()) {
    append(node.ends_here, out);
    return;
  }
  if (node.literals.empty() && node.capture == 0) return;
  const std::string_view segment = rest.next();
  const auto at =
      std::lower_bound(node.literals.begin(), node.literals.end(), segment,
                       [](const auto& entry, std::string_view text) { return entry.first < text; });
  if (at != node.literals.end() && at->first == segment) walk(nodes_[at->second], rest, out);
  if (node.capture != 0 && !segment.empty()) walk(nodes_[node.capture], rest, out);
}

void PathIndex::find_expressions(std::string_view path, std::vector<std::uint32_t>& out) const {
  if (!set_) return try_each_expression(path, out);
  const re2::StringPiece text(path.data(), path.size());
  re2::RE2::Set::ErrorInfo error;
  // Whether any matches at all is asked first: it is cheaper, and needs no memory.
  bool matched = set_->Match(text, nullptr, &error);
  if (!matched && error.kind == re2::RE2::Set::kNoError) return;
  std::vector<int> found;
  matched = matched && set_->Match(text, &found, &error);
  if (!matched) return try_each_expression(path, out);
  for (const int i : found) out.push_back(with_expression_[static_cast<std::size_t>(i)]);
}

void PathIndex::try_each_expression(std::string_view path, std::vector<std::uint32_t>& out) const {
  for (const std::uint32_t policy : with_expression_) {
    if (re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()),
                            *policies_[policy].match.path_regex)) {
      out.push_back(policy);
    }
  }
}

}  // namespace onceproxy::policies
