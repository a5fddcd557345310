#include "store/postgres/batch.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "store/postgres/failure.hpp"

namespace onceproxy::store {
namespace {

constexpr std::string_view lock_not_available = "55P03";
/// Into how many parts a statement that has waited too long for a lock is divided. Three times that
/// leaves single operations of the largest one.
constexpr std::size_t parts = 8;

std::vector<Query*> in_locking_order(std::vector<Query*> members) {
  std::sort(members.begin(), members.end(),
            [](const Query* a, const Query* b) { return a->locks() < b->locks(); });
  return members;
}

std::uint32_t element_oid(char type) {
  return type == 'b'   ? pq::Array::oid_bytea
         : type == 'o' ? pq::Array::oid_boolean
                       : pq::Array::oid_bigint;
}

/// What a reply says besides its rows.
Reply without_rows(const Reply& reply) {
  Reply out;
  out.sqlstate = reply.sqlstate;
  out.error = reply.error;
  out.lost = reply.lost;
  out.unsent = reply.unsent;
  out.unconfirmed = reply.unconfirmed;
  out.epoch = reply.epoch;
  return out;
}

}  // namespace

Batch::Batch(Owner& owner, std::vector<Query*> members)
    : Query(members.size() == 1 ? members.front()->statement
                                : many(members.front()->statement).statement),
      owner_(owner),
      members_(in_locking_order(std::move(members))),
      of_(members_.front()->statement) {
  for (const Query* const member : members_) deadline = std::max(deadline, member->deadline);
}

void Batch::bind(pq::Params& params, const Server& server) const {
  for (Query* const member : members_) member->sent = sent;
  if (members_.size() == 1) {
    members_.front()->bind(params, server);
    return;
  }
  const ManyCalls calls = many(of_);
  std::vector<pq::Array> arrays;
  for (std::size_t i = 0; i < calls.types.size(); ++i) {
    if (calls.from[i] == 'a') arrays.emplace_back(element_oid(calls.types[i]), members_.size());
  }
  pq::Params one;
  for (const Query* const member : members_) {
    one.clear();
    member->bind(one, server);
    auto array = arrays.begin();
    for (std::size_t i = 0; i < calls.types.size(); ++i) {
      if (calls.from[i] != 'a') continue;
      one.is_null(i) ? array->add_null() : array->add(one.value(i));
      ++array;
    }
  }
  for (pq::Array& array : arrays) params.own(array.take());
  // The same in every member.
  for (std::size_t i = 0; i < calls.types.size(); ++i) {
    if (calls.from[i] == 's') params.own(std::string(one.value(i)));
  }
}

void Batch::end() {
  if (!std::exchange(ended_, true)) owner_.ended(*this);
}

bool Batch::tell_late(SteadyClock::time_point now) {
  bool any = false;
  for (Query* const member : members_) any = member->tell_late(now) || any;
  if (any) {
    is_late = true;
    end();
  }
  return any;
}

void Batch::replied(Reply reply) {
  const std::unique_ptr<Batch> self(this);
  end();
  if (members_.size() == 1) {
    members_.front()->replied(std::move(reply));
    return;
  }
  if (!reply.good() || reply.rows() != static_cast<int>(members_.size())) {
    failed(reply);
    return;
  }
  const int numbers = PQnfields(reply.result.get()) - 1;
  const int left_out = numbers - 1;
  for (int i = 0; i < static_cast<int>(members_.size()); ++i) {
    Reply one = without_rows(reply);
    one.result = reply.result;
    one.only = i;
    Query& member = *members_.at(static_cast<std::size_t>(one.row().number(numbers)) - 1);
    if (one.row().flag(left_out) && !member.is_late) {
      owner_.send_again({&member}, 1);
      continue;
    }
    retry_if_in_time(member, one);
    member.replied(std::move(one));
  }
}

void Batch::failed(const Reply& reply) {
  // What was committed, or may have been, each member finds out by itself.
  const bool undone = !reply.lost && !reply.sqlstate.empty() && !failure_of(reply.sqlstate).leave;
  const auto now = SteadyClock::now();
  if (undone) owner_.undone(reply);
  std::vector<Query*> again;
  for (Query* const member : members_) {
    if (undone && !member->is_late && member->deadline > now) {
      again.push_back(member);
    } else {
      Reply one = without_rows(reply);
      if (one.sqlstate.empty()) one.lost = true;
      member->replied(std::move(one));
    }
  }
  const bool waited = reply.sqlstate == lock_not_available;
  owner_.send_again(again, waited ? std::max<std::size_t>(members_.size() / parts, 1) : 1);
}

}  // namespace onceproxy::store
