#include "proxy/gate/cors.hpp"

#include <string>

#include "proxy/gate/head_lines.hpp"

namespace onceproxy::gate {

namespace {

using policies::Cors;
using policies::equals_ignoring_case;
using policies::Field;

constexpr std::string_view allow_origin = "Access-Control-Allow-Origin";
constexpr std::string_view allow_credentials = "Access-Control-Allow-Credentials";

void append_permission(const Cors& cors, std::string_view origin, std::string& head) {
  head.append(allow_origin).append(": ").append(origin).append("\r\n");
  if (cors.credentials) head.append(allow_credentials).append(": true\r\n");
}

}  // namespace

void let_read(Answer& answer, const Cors& cors, std::string_view origin) {
  if (!varies_by(answer.head, "Origin")) answer.head += "Vary: Origin\r\n";
  if (!cors.allows(origin)) return;
  drop_lines(answer.head, [&](const Field& field) {
    return equals_ignoring_case(field.name, allow_origin) ||
           (cors.credentials && equals_ignoring_case(field.name, allow_credentials));
  });
  append_permission(cors, origin, answer.head);
  answer.head +=
      "Access-Control-Expose-Headers: Idempotent-Replayed, Retry-After, Onceproxy-Decision, "
      "x-request-id";
  for (const std::string& name : cors.expose) answer.head.append(", ").append(name);
  answer.head += "\r\n";
}

Answer answer_preflight(const Cors& cors, const Preflight& preflight) {
  constexpr std::string_view vary =
      "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n";
  if (!cors.allows(preflight.origin)) {
    Answer refused =
        problem(403, "origin-not-allowed", "Forbidden", "This origin is not one of cors.origins.");
    refused.head += vary;
    return refused;
  }
  Answer answer;
  answer.status = 204;
  answer.head = vary;
  append_permission(cors, preflight.origin, answer.head);
  answer.head.append("Access-Control-Allow-Methods: ").append(preflight.method).append("\r\n");
  if (!preflight.headers.empty()) {
    answer.head.append("Access-Control-Allow-Headers: ").append(preflight.headers).append("\r\n");
  }
  answer.head += "Access-Control-Max-Age: " + std::to_string(cors.max_age.count()) + "\r\n";
  return answer;
}

}  // namespace onceproxy::gate
