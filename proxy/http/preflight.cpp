#include "proxy/http/preflight.hpp"

#include <string_view>

#include "proxy/gate/cors.hpp"

namespace onceproxy::http {

namespace {

constexpr std::string_view method_field = "access-control-request-method";
constexpr std::string_view names_field = "access-control-request-headers";

}  // namespace

const policies::Cors* cors_of(const Options& options, const policies::Policy* policy) {
  if (policy != nullptr && policy->cors) return &*policy->cors;
  return options.cors ? &*options.cors : nullptr;
}

const policies::Policy* preflighted(const Request& request, const Setup& setup) {
  const policies::RequestView& view = request.view();
  if (view.method != "OPTIONS" || request.head().framing.kind != Framing::Kind::none) {
    return nullptr;
  }
  const Field* const method = view.header(method_field);
  if (method == nullptr || !valid_token(method->value) || request.origin().empty()) return nullptr;
  const gate::Rules& rules = *setup.rules;
  for (const policies::Policy* one : rules.policies().on_path(method->value, view.path)) {
    const bool enforced = rules.enforcement(*one).mode == policies::Enforcement::Mode::enforce;
    if (enforced && cors_of(setup.options, one) != nullptr) return one;
    // What it covers, none behind it does.
    const policies::Match& match = one->match;
    if (match.headers.empty() && match.where.empty() && !match.method_override) return nullptr;
  }
  return nullptr;
}

gate::Answer answer_preflight(const Request& request, const Setup& setup,
                              const policies::Policy& covering) {
  const Field* const method = request.view().header(method_field);
  const Field* const names = request.view().header(names_field);
  return gate::answer_preflight(
      *cors_of(setup.options, &covering),
      {request.origin(), method->value, names != nullptr ? names->value : std::string_view()});
}

}  // namespace onceproxy::http
