#include "proxy/cli/records.hpp"

#include <algorithm>
#include <memory>
#include <ostream>
#include <tl/expected.hpp>

#include "config/scalars.hpp"
#include "policies/json.hpp"
#include "proxy/admin/client.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/records_text.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

/// What one page holds at most.
constexpr std::size_t page_max = 1'000;

/// Why a command ends, and with which code.
struct Ending {
  int code;
  std::string why;
};

class Records {
 public:
  Records(const RecordsArguments& arguments, const Streams& streams)
      : arguments_(arguments), out_(streams.out), err_(streams.err) {}

  tl::expected<void, Ending> run() {
    if (auto set_up = read_options(); !set_up) return set_up;
    if (arguments_.action == "list") return list();
    if (arguments_.action == "show") return show();
    return change();
  }

 private:
  tl::expected<void, Ending> read_options() {
    const auto address = config::parse_address(arguments_.admin);
    if (!address) return tl::unexpected(Ending{exit_bad, "--admin: " + address.error()});
    endpoint_ = {address->host, address->port, address->unix_path};
    if (auto tls = read_tls(); !tls) return tls;
    if (arguments_.token_file.empty()) return {};
    auto token = read_file(arguments_.token_file);
    if (!token) return tl::unexpected(Ending{exit_unreadable, token.error()});
    token->erase(token->find_last_not_of(" \t\r\n") + 1);
    token_ = *std::move(token);
    return {};
  }

  tl::expected<void, Ending> read_tls() {
    const RecordsArguments& given = arguments_;
    const bool any = !given.certificate.empty() || !given.key.empty() || !given.server_name.empty();
    if (given.ca.empty()) {
      if (!any) return {};
      return tl::unexpected(Ending{exit_bad, "TLS needs --ca FILE or --ca system"});
    }
    if (given.certificate.empty() != given.key.empty()) {
      return tl::unexpected(Ending{exit_bad, "--certificate and --key belong together"});
    }
    tls::ClientOptions options{given.ca, given.server_name, given.certificate, given.key};
    if (options.server_name.empty()) options.server_name = endpoint_.host;
    if (options.server_name.empty()) {
      return tl::unexpected(Ending{exit_bad, "a unix socket has no name: give --server-name"});
    }
    tls::Credentials read = tls::read_credentials(options, std::chrono::system_clock::now());
    if (!read.usable()) return tl::unexpected(Ending{exit_unreadable, "--" + read.complaint()});
    auto context = tls::ClientContext::make(options, std::move(read));
    if (!context) return tl::unexpected(Ending{exit_unreadable, context.error()});
    tls_ = *std::move(context);
    return {};
  }

  /// The body of a 200; everything else ends the command.
  tl::expected<std::string, Ending> ask(const std::string& method, const std::string& target) {
    auto response = admin::ask(endpoint_, {method, target, token_, tls_});
    if (!response) return tl::unexpected(Ending{exit_unreadable, response.error()});
    if (response->status == 200) return std::move(response->body);
    const auto tree = JsonTree::parse(response->body);
    const JsonTree::Index* error = nullptr;
    if (tree && tree->kind(0) == JsonTree::Kind::object) error = tree->member(0, "error");
    const bool told = error != nullptr && tree->kind(*error) == JsonTree::Kind::string;
    return tl::unexpected(
        Ending{exit_bad, told ? std::string(tree->text(*error))
                              : "the admin port answered " + std::to_string(response->status)});
  }

  std::string record_target() const { return "/records/" + arguments_.fingerprint; }

  std::string page_target(std::size_t limit, const std::string& cursor) const {
    std::string target = "/records?limit=" + std::to_string(limit);
    if (!arguments_.policy.empty()) {
      target += "&policy=" + admin::encode_segment(arguments_.policy);
    }
    if (!arguments_.state.empty()) target += "&state=" + admin::encode_segment(arguments_.state);
    if (!cursor.empty()) target += "&cursor=" + admin::encode_segment(cursor);
    return target;
  }

  /// Page after page, each printed before the next is asked for.
  tl::expected<void, Ending> list() {
    std::size_t printed = 0;
    std::string cursor;
    RecordTable table(out_);
    do {
      const std::size_t wanted =
          arguments_.limit == 0 ? page_max : std::min(page_max, arguments_.limit - printed);
      const auto body = ask("GET", page_target(wanted, cursor));
      if (!body) return tl::unexpected(body.error());
      const auto tree = JsonTree::parse(*body);
      const JsonTree::Index* items =
          tree && tree->kind(0) == JsonTree::Kind::object ? tree->member(0, "items") : nullptr;
      if (items == nullptr || tree->kind(*items) != JsonTree::Kind::array) {
        return tl::unexpected(Ending{exit_bad, "the admin port's answer is not a list of records"});
      }
      for (const JsonTree::Index item : tree->children(*items)) {
        if (arguments_.json) {
          out_ << json_text(*tree, item) << "\n";
        } else {
          table.add(*tree, item);
        }
        ++printed;
      }
      const JsonTree::Index* next = tree->member(0, "next");
      cursor = next == nullptr ? "" : std::string(tree->text(*next));
    } while (!cursor.empty() && (arguments_.limit == 0 || printed < arguments_.limit));
    if (!arguments_.json) table.finish();
    if (!cursor.empty()) err_ << "There are more records; --limit 0 lists all.\n";
    return {};
  }

  tl::expected<void, Ending> show() {
    const auto body = ask("GET", record_target());
    if (!body) return tl::unexpected(body.error());
    print_record(*body);
    return {};
  }

  void print_record(const std::string& body) {
    const auto tree = JsonTree::parse(body);
    if (arguments_.json || !tree) {
      out_ << body;
    } else {
      print_fields(*tree, 0, out_);
    }
  }

  tl::expected<void, Ending> change() {
    if (arguments_.dry_run) return rehearse();
    const bool forget = arguments_.action == "forget";
    const std::string target = forget ? record_target() : record_target() + "/" + arguments_.action;
    const auto body = ask(forget ? "DELETE" : "POST", target);
    if (!body) return tl::unexpected(body.error());
    if (arguments_.json) {
      out_ << *body;
    } else {
      out_ << arguments_.fingerprint << ": " << done_word(arguments_.action) << "\n";
    }
    return {};
  }

  /// Shows the record, and whether its state allows what was asked for.
  tl::expected<void, Ending> rehearse() {
    const auto body = ask("GET", record_target());
    if (!body) return tl::unexpected(body.error());
    print_record(*body);
    const auto tree = JsonTree::parse(*body);
    const std::string forbidden =
        tree ? why_forbidden(arguments_.action, *tree) : "the answer is not a record";
    if (!forbidden.empty()) return tl::unexpected(Ending{exit_bad, forbidden});
    err_ << "Nothing was changed: without --dry-run the record would be "
         << done_word(arguments_.action) << ".\n";
    return {};
  }

  const RecordsArguments& arguments_;
  std::ostream& out_;
  std::ostream& err_;
  admin::Endpoint endpoint_;
  std::string token_;
  std::shared_ptr<const tls::ClientContext> tls_;
};

}  // namespace

int records(const RecordsArguments& arguments, const Streams& streams) {
  const auto ended = Records(arguments, streams).run();
  if (ended) return exit_good;
  streams.err << "onceproxy: " << ended.error().why << "\n";
  return ended.error().code;
}

}  // namespace onceproxy::cli
