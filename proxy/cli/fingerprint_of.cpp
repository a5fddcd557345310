#include "proxy/cli/fingerprint_of.hpp"

#include <ostream>

#include "policies/select.hpp"

namespace onceproxy::cli {

tl::expected<store::Fingerprint, int> fingerprint_of(const RequestArguments& arguments,
                                                     const Streams& streams) {
  auto inputs = read_inputs(arguments, streams);
  if (!inputs) return tl::unexpected(inputs.error());
  const auto certificate = inputs->certificate();
  const auto file = RequestFile::read(inputs->settings, std::move(inputs->request),
                                      certificate ? &*certificate : nullptr);
  if (!file) return tl::unexpected(refuse(streams.err, file.error()));
  const policies::PolicySet policies(inputs->settings.policies);
  const auto policy = (*file)->policy(policies);
  if (!policy) return tl::unexpected(refuse(streams.err, policy.error()));
  if (*policy == nullptr) {
    streams.err << "onceproxy: no policy covers the request, so there is no record of it\n";
    return tl::unexpected(exit_bad);
  }
  const auto operation = policies::select_operation(**policy, (*file)->view(), (*file)->document());
  if (!operation) {
    streams.err << "onceproxy: the request does not name its operation (`onceproxy explain` tells "
                   "more): "
                << operation.error().detail << "\n";
    return tl::unexpected(exit_bad);
  }
  return operation->fingerprint;
}

}  // namespace onceproxy::cli
