#include "config/admin_reader.hpp"

#include "config/scalars.hpp"
#include "config/tls_reader.hpp"

namespace onceproxy::config {
namespace {

struct AdminListener {
  ListenSettings listen;
  std::string token_file;
  std::string read_token_file;
  std::vector<std::string> hosts;
};

std::optional<std::string> wrong_host(std::string_view host) {
  static constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  if (host.empty()) return "is empty; it is a host name or an address";
  // An IPv6 address, without brackets as elsewhere inside.
  if (host.find(':') != host.rfind(':')) {
    if (host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos) {
      return std::nullopt;
    }
    return "is not an address; write an IPv6 address without brackets and port";
  }
  if (host.find(':') != std::string_view::npos) {
    return "has a port; leave it out, since every port is accepted";
  }
  if (host.find_first_not_of(allowed) != std::string_view::npos) {
    return "is not a host name; list each name, without wildcards";
  }
  return std::nullopt;
}

Kind<AdminListener> admin_listener() {
  using A = AdminListener;
  return section<A>(
      {"admin",
       {key<A>(
            "listen", [](A& admin) -> ListenSettings& { return admin.listen; }, listen_address(),
            "The address of the admin API. The API has full control, so the address must be local "
            "or unix:/path, unless token_file is set or clients must present a certificate.",
            Need::required),
        key<A>("token_file", &A::token_file, file_path(),
               "A file with the bearer token that each request to the admin API must carry. It is "
               "read for each request, so a new token applies at once."),
        key<A>(
            "read_token_file", &A::read_token_file, file_path(),
            "A file with a token that allows only GET and HEAD. Other requests with it get 403."),
        key<A>("hosts", &A::hosts, list("host names", text("a host name", wrong_host)),
               "Without a token and without TLS: values of Host that are accepted besides "
               "localhost, a loopback address and the bound address. Other requests get 421. Names "
               "and addresses without a port.")},
       {},
       {},
       "listen"});
}

}  // namespace

Key<Settings> admin_row() {
  const Kind<AdminListener> kind = admin_listener();
  Key<Settings> row;
  row.name = "admin";
  row.names = kind.names;
  row.schema = [kind] {
    Json schema = kind.schema();
    set_member(schema, "description",
               "The admin API. If this key is absent, there is no admin port.");
    return schema;
  };
  row.read = [kind](const Node& node, Settings& settings) {
    auto value = kind.read(node);
    // An address that could not be read has been reported.
    if (!value || value->listen == ListenSettings{}) return;
    settings.admin = std::move(value->listen);
    settings.admin_token_file = std::move(value->token_file);
    settings.admin_hosts = std::move(value->hosts);
    settings.admin_read_token_file = std::move(value->read_token_file);
  };
  return row;
}

}  // namespace onceproxy::config
