#include <istream>
#include <iterator>
#include <ostream>

#include "proxy/cli/commands.hpp"
#include "proxy/cli/explain_policy.hpp"
#include "proxy/cli/message_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/request_file.hpp"

namespace onceproxy::cli {

int explain(const config::Settings& settings, std::string request, std::ostream& out,
            std::ostream& err, const Beside& beside) {
  std::optional<AnswerMessage> answer;
  if (beside.answer) {
    auto read = read_answer(*beside.answer, settings);
    if (!read) {
      err << "bad answer: " << read.error() << "\n";
      return exit_bad;
    }
    answer.emplace(*std::move(read));
  }
  const auto file = RequestFile::read(settings, std::move(request), beside.certificate);
  if (!file) return refuse(err, file.error());
  const policies::PolicySet policies(settings.policies);
  const auto policy = (*file)->policy(policies);
  if (!policy) return refuse(err, policy.error());
  const policies::RequestView& view = (*file)->view();
  print_line(out, "request", printable(view.method) + " " + printable(view.path));
  if (*policy == nullptr) {
    print_line(out, "policy", "none: the request passes through untouched");
    return exit_good;
  }
  print_policy(out, **policy, view, (*file)->document(), answer ? &*answer : nullptr);
  return exit_good;
}

int explain(const ExplainArguments& arguments, const Streams& streams) {
  auto inputs = read_inputs({arguments.config, arguments.request, arguments.certificate}, streams);
  if (!inputs) return inputs.error();
  const auto certificate = inputs->certificate();
  Beside beside;
  beside.certificate = certificate ? &*certificate : nullptr;
  if (!arguments.answer.empty()) {
    auto answer = arguments.answer == "-" ? tl::expected<std::string, std::string>(std::string(
                                                std::istreambuf_iterator<char>(streams.in), {}))
                                          : read_file(arguments.answer);
    if (!answer) {
      streams.err << "onceproxy: " << answer.error() << "\n";
      return exit_unreadable;
    }
    beside.answer = *std::move(answer);
  }
  return explain(inputs->settings, std::move(inputs->request), streams.out, streams.err, beside);
}

}  // namespace onceproxy::cli
