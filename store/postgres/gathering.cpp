#include "store/postgres/gathering.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

namespace onceproxy::store {

void Gathering::add(Query& query) {
  Kind& kind = of(query.statement);
  kind.waiting.push_back(query);
  ++kind.count;
  ++size_;
}

void Gathering::ended(const Batch& batch) {
  --of(batch.of()).under_way;
  // Not after a late one: the channel is looking through its sessions.
  if (!batch.is_late) sender_.pump();
}

bool Gathering::send_one(bool together) {
  if (size_ == 0 || !sender_.has_room()) return false;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    Kind& kind = kinds_[next_];
    next_ = (next_ + 1) % kinds_.size();
    if (together ? may_send(kind) && send_batch(kind) : send_first_alone(kind)) return true;
  }
  return false;
}

/// A full batch gains nothing from waiting.
bool Gathering::may_send(const Kind& kind) const {
  if (kind.count == 0) return false;
  return kind.under_way == 0 || kind.count >= tuning_.batch_max ||
         Query::SteadyClock::now() - kind.sent >= tuning_.gather_max;
}

bool Gathering::send_batch(Kind& kind) {
  std::vector<Query*> members;
  members.reserve(std::min(kind.count, tuning_.batch_max));
  while (!kind.waiting.empty() && members.size() < tuning_.batch_max) {
    members.push_back(&kind.waiting.front());
    kind.waiting.pop_front();
  }
  kind.count -= members.size();
  size_ -= members.size();
  ++kind.under_way;
  Batch::Owner& owner = *this;
  auto batch = std::make_unique<Batch>(owner, std::move(members));
  if (sender_.send_now(*batch)) {
    kind.sent = batch->sent;
    static_cast<void>(batch.release());  // owns itself
    return true;
  }
  --kind.under_way;
  for (Query* const member : batch->members()) kind.waiting.push_front(*member);
  kind.count += batch->members().size();
  size_ += batch->members().size();
  return false;
}

bool Gathering::send_first_alone(Kind& kind) {
  if (kind.count == 0) return false;
  Query& query = kind.waiting.front();
  kind.waiting.pop_front();
  if (!sender_.send_now(query)) {
    kind.waiting.push_front(query);
    return false;
  }
  --kind.count;
  --size_;
  return true;
}

void Gathering::send_again(const std::vector<Query*>& members, std::size_t at_most) {
  for (auto at = members.begin(); at != members.end();) {
    const auto end =
        at + std::min<std::ptrdiff_t>(members.end() - at, static_cast<std::ptrdiff_t>(at_most));
    std::vector<Query*> part(at, end);
    at = end;
    if (part.size() > 1) {
      Batch::Owner& owner = *this;
      auto batch = std::make_unique<Batch>(owner, part);
      if (sender_.send_now(*batch)) {
        ++of(batch->of()).under_way;
        static_cast<void>(batch.release());  // owns itself
        continue;
      }
    }
    for (Query* const member : part) sender_.send_alone(*member);
  }
}

QueryList Gathering::take_overdue(Query::SteadyClock::time_point now) {
  QueryList out;
  for (Kind& kind : kinds_) {
    for (auto at = kind.waiting.begin(); at != kind.waiting.end();) {
      Query& query = *at;
      if (query.deadline > now) {
        ++at;
        continue;
      }
      at = kind.waiting.erase(at);
      --kind.count;
      --size_;
      out.push_back(query);
    }
  }
  return out;
}

QueryList Gathering::take_all() {
  QueryList out;
  for (Kind& kind : kinds_) {
    out.splice(out.end(), kind.waiting);
    kind.count = 0;
  }
  size_ = 0;
  return out;
}

}  // namespace onceproxy::store
