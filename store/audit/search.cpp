#include "store/audit/search.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "store/audit/walk.hpp"

namespace onceproxy::store {
namespace {

/// Between the times of entries and of files: they are appended a little after they happened.
constexpr std::chrono::minutes slack{1};
/// There are never more, but for forwards that were lost.
constexpr std::size_t endings_max = 500'000;
/// Of files that hold what is to be shown.
constexpr std::size_t kept_bytes_max = std::size_t{32} << 20;

WallTime time_of(const AuditCursor::Position& position) {
  return WallTime(std::chrono::milliseconds(position.time));
}

AuditEnd end_of(const AuditEnding& ending) {
  AuditEnd end;
  end.time = ending.time;
  end.status = ending.status;
  end.error = ending.error;
  switch (ending.how) {
    case AuditEnding::How::completed:
      end.outcome = AuditOutcome::completed;
      break;
    case AuditEnding::How::released:
      end.outcome = ending.status != 0 ? AuditOutcome::released : AuditOutcome::failed;
      break;
    case AuditEnding::How::unknown:
      end.outcome = AuditOutcome::unknown;
      break;
  }
  return end;
}

AuditEnd orphaned() {
  AuditEnd end;
  end.outcome = AuditOutcome::unknown;
  end.error = "the process ended before the outcome was known";
  return end;
}

}  // namespace

AuditSearch::AuditSearch(const AuditSeries& series, const AuditQuery& query, WallTime oldest,
                         const AuditCursor::Place& from, std::uint64_t& bytes_left)
    : series_(series),
      query_(query),
      since_(std::max(query.since.value_or(oldest), oldest)),
      bytes_left_(bytes_left),
      from_(from),
      before_(from.before),
      files_(series.files()) {
  while (left_ < files_.size() && files_[left_].number <= from.file) ++left_;
  while (left_ > 0 && query.until && files_[left_ - 1].begun - slack >= *query.until) --left_;
  ahead_ = left_;
}

/// Nothing that is still to be read can come before it.
bool AuditSearch::is_next(const Match& match) const {
  return left_ == 0 || time_of(match.position) >= older_until_;
}

std::size_t AuditSearch::bytes_kept() {
  std::erase_if(kept_, [](const Bytes& bytes) { return bytes.use_count() == 1; });
  std::size_t sum = 0;
  for (const Bytes& bytes : kept_) sum += bytes->size();
  return sum;
}

bool AuditSearch::seek() {
  while (left_ > 0) {
    // Files of an earlier version do not say how new what is older may be: their times may make it
    // seem that all of them are to be read.
    if (!matches_.empty() && (is_next(matches_.back()) || bytes_kept() > kept_bytes_max)) break;
    // Files are in order: whatever is older ended earlier.
    if (files_[left_ - 1].ended + slack < since_) {
      left_ = 0;
      break;
    }
    // Each page gets on, however little it may read.
    if (bytes_left_ == 0 && place() != from_) return false;
    load(left_ - 1);
  }
  return !matches_.empty();
}

WallTime AuditSearch::time() const {
  return time_of(matches_.back().position);
}

AuditItem AuditSearch::item() const {
  const Match& match = matches_.back();
  const auto found = frame(std::string_view(*match.bytes).substr(match.position.offset));
  return {*decode(*found), match.end};
}

void AuditSearch::pop() {
  before_ = matches_.back().position;
  matches_.pop_back();
}

AuditCursor::Place AuditSearch::place() const {
  AuditCursor::Place place{left_ > 0 ? files_[left_ - 1].number : 0, before_};
  for (const Match& match : matches_) place.file = std::max(place.file, match.position.file);
  return place;
}

void AuditSearch::load(std::size_t index) {
  const AuditSeries::File& file = files_[index];
  left_ = index;
  Reading reading;
  auto found = series_.read(file.number);
  const auto bytes = std::make_shared<const std::string>(found ? *std::move(found) : std::string());
  bytes_left_ -= std::min<std::uint64_t>(bytes_left_, bytes->size());
  read(file.number, bytes, true, reading);
  older_until_ = reading.older_until.value_or(file.begun);
  settle(reading);
  started_ = started_ || reading.started;
  if (!query_.outcomes.empty()) {
    std::erase_if(reading.matches, [this](const Match& match) {
      return std::ranges::find(query_.outcomes, match.end.outcome) == query_.outcomes.end();
    });
  }
  if (reading.matches.empty()) return;
  kept_.push_back(bytes);
  std::ranges::move(reading.matches, std::back_inserter(matches_));
  std::ranges::sort(matches_, {}, &Match::position);
}

bool AuditSearch::asks_for(const AuditFrame& frame) const {
  const WallTime time = frame.time();
  if (time < since_ || (query_.until && time >= *query_.until)) return false;
  const bool action = frame.kind == AuditKind::action;  // only its content tells of what it is
  if (query_.fingerprint && !action && !frame.is_of(*query_.fingerprint)) return false;
  const bool forward = frame.kind == AuditKind::forward;
  if (!forward && !query_.outcomes.empty()) return false;
  const std::string_view decision = query_.decision;
  switch (frame.kind) {
    case AuditKind::forward:
      return decision.empty() || decision == audit_forwarded;
    case AuditKind::action:
      return decision.empty() || decision == audit_operator;
    case AuditKind::start:
      return (decision.empty() || decision == audit_started) && query_.policy.empty() &&
             query_.subject.any();
    case AuditKind::refusal:
      return true;  // only its content tells
    case AuditKind::ending:
    case AuditKind::file:
    case AuditKind::other:
      break;
  }
  return false;
}

bool AuditSearch::asks_for(const AuditEntry& entry) const {
  const auto is_of = [this](const auto& one) {
    return (query_.policy.empty() || one.policy == query_.policy) &&
           query_.subject.admits(one.subject);
  };
  if (const auto* const forward = std::get_if<AuditForward>(&entry)) return is_of(*forward);
  if (const auto* const refusal = std::get_if<AuditRefusal>(&entry)) {
    return is_of(*refusal) && (query_.decision.empty() || refusal->decision == query_.decision) &&
           (!query_.fingerprint || refusal->fingerprint == query_.fingerprint);
  }
  if (const auto* const action = std::get_if<AuditAction>(&entry)) {
    const auto names = [&](const Fingerprint& fingerprint) {
      return action->target.find(fingerprint.hex()) != std::string_view::npos;
    };
    return is_of(*action) && (!query_.fingerprint || names(*query_.fingerprint));
  }
  return !query_.fingerprint;
}

/// Notes what is asked for and was not shown yet, if it is `wanted`, and ties endings to
/// forwards in all of it.
void AuditSearch::read(std::uint64_t file, const Bytes& bytes, bool wanted, Reading& reading) {
  AuditWalk walk(*bytes);
  while (const auto frame = walk.next()) {
    std::optional<std::size_t> match;
    const Position position{frame->time().time_since_epoch().count(), file, walk.offset()};
    if (wanted && position < before_ && asks_for(*frame)) {
      const auto entry = walk.entry();
      if (!entry) continue;
      if (asks_for(*entry)) {
        match = reading.matches.size();
        reading.matches.push_back({position, bytes, {}});
      }
    }
    switch (frame->kind) {
      case AuditKind::forward:
        reading.open.insert_or_assign(frame->fence(), match);
        break;
      case AuditKind::ending:
        if (const auto entry = walk.entry()) tie(std::get<AuditEnding>(*entry), reading);
        break;
      case AuditKind::start:
        if (walk.entry()) orphan(reading);
        break;
      case AuditKind::file:
        if (walk.offset() == 0 && walk.entry()) reading.older_until = frame->time();
        break;
      default:
        break;
    }
  }
}

void AuditSearch::tie(const AuditEnding& ending, Reading& reading) {
  const auto forward = reading.open.find(ending.fence);
  if (forward == reading.open.end()) {
    if (handover_.size() < endings_max) handover_.emplace(ending.fence, end_of(ending));
    return;
  }
  if (forward->second) reading.matches[*forward->second].end = end_of(ending);
  reading.open.erase(forward);
}

/// A process has started: forwards that are open belong to an earlier process and get no outcome
/// any more.
void AuditSearch::orphan(Reading& reading) {
  for (const auto& [fence, match] : reading.open) {
    if (match) reading.matches[*match].end = orphaned();
  }
  reading.open.clear();
  reading.started = true;
}

/// Finds the outcomes of forwards that are open at the end of this file in later files.
void AuditSearch::settle(Reading& reading) {
  for (;;) {
    std::erase_if(reading.open, [&](const auto& forward) {
      const auto ending = handover_.find(forward.first);
      if (ending == handover_.end()) return !forward.second;  // nobody asks
      if (forward.second) reading.matches[*forward.second].end = std::move(ending->second);
      handover_.erase(ending);
      return true;
    });
    if (reading.open.empty()) return;
    if (started_) {
      const bool started = reading.started;
      orphan(reading);
      reading.started = started;
      return;
    }
    if (ahead_ == files_.size()) return;
    Reading later;
    const std::uint64_t number = files_[ahead_++].number;
    auto bytes = series_.read(number);
    if (!bytes) continue;
    read(number, std::make_shared<const std::string>(*std::move(bytes)), false, later);
    started_ = later.started;
  }
}

}  // namespace onceproxy::store
