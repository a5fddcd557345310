#include "proxy/http/listeners_wait.hpp"

#include <utility>

#include "proxy/io/awaited_call.hpp"

namespace onceproxy::http {

io::Task<gate::Answer> ListenersWait::answer(const policies::Policy& policy,
                                             const store::Fingerprint& fingerprint,
                                             gate::Answer stored) const {
  if (acknowledger_ == nullptr || !waits(policy)) co_return stored;
  const policies::Acknowledge how = policy.delivery->acknowledge;
  io::AwaitedCall<gate::Acknowledged> call(home_);
  io::Finished<gate::Acknowledged> finished{call, acknowledger_->wait(fingerprint, how, call)};
  gate::Acknowledged acknowledged = co_await finished;
  if (!acknowledged.answer) co_return stored;
  co_return gate::Answer{acknowledged.answer->status, std::move(acknowledged.answer->head),
                         std::move(acknowledged.answer->body), false};
}

}  // namespace onceproxy::http
