#include "store/audit/search.hpp"

#include <algorithm>
#include <utility>

#include "store/audit/walk.hpp"

namespace onceproxy::store {
namespace {

/// Between the times of entries and of files: they are appended a little after they happened.
constexpr std::chrono::minutes slack{1};
/// There are never more, but for forwards that were lost.
constexpr std::size_t endings_max = 500'000;

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
                         AuditCursor::Place from, std::uint64_t& bytes_left)
    : series_(series),
      query_(query),
      since_(std::max(query.since.value_or(oldest), oldest)),
      bytes_left_(bytes_left),
      place_(from),
      files_(series.files()) {
  // Of a file that was read down to its beginning nothing is left.
  const std::uint64_t end = from.offset > 0 ? from.number : from.number - 1;
  if (from.number > 0) {
    while (left_ < files_.size() && files_[left_].number <= end) ++left_;
  }
  while (left_ > 0 && query.until && files_[left_ - 1].begun - slack >= *query.until) --left_;
  ahead_ = left_;
}

bool AuditSearch::seek() {
  while (matches_.empty() && left_ > 0) {
    // Files are in order: whatever is older ended earlier.
    if (files_[left_ - 1].ended + slack < since_) {
      left_ = 0;
      break;
    }
    // Each page gets on, however little it may read.
    if (bytes_left_ == 0 && loaded_) return false;
    load(left_ - 1);
  }
  return !matches_.empty();
}

AuditItem AuditSearch::item() const {
  const Match& match = matches_.back();
  const auto found = frame(std::string_view(bytes_).substr(match.offset));
  return {*decode(*found), match.end};
}

void AuditSearch::pop() {
  place_.offset = matches_.back().offset;
  matches_.pop_back();
  if (!matches_.empty()) place_.offset = matches_.back().offset + 1;
}

void AuditSearch::load(std::size_t index) {
  const std::uint64_t number = files_[index].number;
  const std::uint64_t end = place_.number == number ? place_.offset : ~std::uint64_t{0};
  place_ = {number, 0};
  left_ = index;
  loaded_ = true;
  Reading reading;
  auto bytes = series_.read(number);
  bytes_ = bytes ? std::move(*bytes) : std::string();
  bytes_left_ -= std::min<std::uint64_t>(bytes_left_, bytes_.size());
  read(bytes_, end, reading);
  settle(reading);
  started_ = started_ || reading.started;
  matches_ = std::move(reading.matches);
  if (!query_.outcomes.empty()) {
    std::erase_if(matches_, [this](const Match& match) {
      return std::ranges::find(query_.outcomes, match.end.outcome) == query_.outcomes.end();
    });
  }
  if (!matches_.empty()) place_.offset = matches_.back().offset + 1;
}

bool AuditSearch::asks_for(const AuditFrame& frame) const {
  const WallTime time = frame.time();
  if (time < since_ || (query_.until && time >= *query_.until)) return false;
  const bool action = frame.kind == AuditKind::action;  // only its content tells of what it is
  if (query_.fingerprint && !action && !frame.is_of(*query_.fingerprint)) return false;
  const bool forward = frame.kind == AuditKind::forward;
  const bool of_request = forward || frame.kind == AuditKind::refusal;
  if (!forward && !query_.outcomes.empty()) return false;
  if (!of_request && !query_.policy.empty()) return false;
  if (query_.decision.empty()) return true;
  switch (frame.kind) {
    case AuditKind::forward:
      return query_.decision == audit_forwarded;
    case AuditKind::action:
      return query_.decision == audit_operator;
    case AuditKind::start:
      return query_.decision == audit_started;
    default:
      return true;  // only its content tells
  }
}

bool AuditSearch::asks_for(const AuditEntry& entry) const {
  if (const auto* const forward = std::get_if<AuditForward>(&entry)) {
    return query_.policy.empty() || forward->policy == query_.policy;
  }
  if (const auto* const refusal = std::get_if<AuditRefusal>(&entry)) {
    return (query_.policy.empty() || refusal->policy == query_.policy) &&
           (query_.decision.empty() || refusal->decision == query_.decision) &&
           (!query_.fingerprint || refusal->fingerprint == query_.fingerprint);
  }
  if (const auto* const action = std::get_if<AuditAction>(&entry)) {
    return !query_.fingerprint ||
           action->target.find(query_.fingerprint->hex()) != std::string_view::npos;
  }
  return !query_.fingerprint;
}

/// Notes what lies before `end` and is asked for, and ties endings to forwards in all of it.
void AuditSearch::read(std::string_view bytes, std::uint64_t end, Reading& reading) {
  AuditWalk walk(bytes);
  while (const auto frame = walk.next()) {
    std::optional<std::size_t> match;
    if (walk.offset() < end && frame->kind != AuditKind::ending && asks_for(*frame)) {
      const auto entry = walk.entry();
      if (!entry) continue;
      if (asks_for(*entry)) {
        match = reading.matches.size();
        reading.matches.push_back({walk.offset(), frame->time(), {}});
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

/// A process began: what is open belongs to one that is no more, and nobody will end it.
void AuditSearch::orphan(Reading& reading) {
  for (const auto& [fence, match] : reading.open) {
    if (match) reading.matches[*match].end = orphaned();
  }
  reading.open.clear();
  reading.started = true;
}

/// Finds in later files what became of the forwards that are open at the end of this one.
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
    const auto bytes = series_.read(files_[ahead_++].number);
    if (!bytes) continue;
    read(*bytes, 0, later);
    started_ = later.started;
  }
}

}  // namespace onceproxy::store
