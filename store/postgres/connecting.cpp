#include "store/postgres/connecting.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace onceproxy::store {
namespace {

using SteadyClock = BootClock;

ConnectError error_of(PGconn* connection, std::string state) {
  return {std::move(state), pq::trimmed(PQerrorMessage(connection))};
}

/// The first line of the password file.
std::variant<std::string, ConnectError> read_password(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string password;
  if (!file || !std::getline(file, password)) {
    return ConnectError{"28000", "the password cannot be read from " + path.string()};
  }
  if (!password.empty() && password.back() == '\r') password.pop_back();
  return password;
}

/// Waits until libpq can continue. False: the time is over, or connecting was cancelled.
bool wait_for(PGconn* connection, short events, const Patience& patience) {
  pollfd watched{PQsocket(connection), events, 0};
  while (!patience.cancelled.load() && SteadyClock::now() < patience.end) {
    const int ready = ::poll(&watched, 1, 50);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
  return false;
}

/// One of the URL's hosts; empty texts mean that the URL is used as it is.
struct Target {
  std::string host;
  std::string hostaddr;
  std::string port;
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  if (list.empty()) return out;
  std::size_t begin = 0;
  for (;;) {
    const auto comma = list.find(',', begin);
    out.push_back(list.substr(begin, comma - begin));
    if (comma == std::string::npos) return out;
    begin = comma + 1;
  }
}

std::string value_of(const PQconninfoOption* options, std::string_view keyword) {
  for (const PQconninfoOption* at = options; at != nullptr && at->keyword != nullptr; ++at) {
    if (keyword == at->keyword) return at->val != nullptr ? at->val : "";
  }
  return "";
}

using ConninfoPtr = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

/// The hosts of the URL one by one. libpq also tries them in turn, but a host that accepts the
/// connection and is silent would use up the whole time. One entry if the URL has one host.
std::vector<Target> targets(const std::string& url) {
  const ConninfoPtr parsed(PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  const auto hosts = split(value_of(parsed.get(), "host"));
  const auto addresses = split(value_of(parsed.get(), "hostaddr"));
  const std::size_t count = std::max(hosts.size(), addresses.size());
  if (count < 2) return {Target{}};
  const ConninfoPtr defaults(PQconndefaults(), &PQconninfoFree);
  const std::string default_port = value_of(defaults.get(), "port");
  const std::string given_ports = value_of(parsed.get(), "port");
  const auto ports = split(given_ports.empty() ? default_port : given_ports);
  std::vector<Target> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    // A URL that cannot be split is given to libpq whole.
    if ((!hosts.empty() && (hosts.size() != count || hosts[i].empty())) ||
        (!addresses.empty() && (addresses.size() != count || addresses[i].empty())) ||
        (ports.size() != 1 && ports.size() != count)) {
      return {Target{}};
    }
    if (!hosts.empty()) out[i].host = hosts[i];
    if (!addresses.empty()) out[i].hostaddr = addresses[i];
    out[i].port = ports.size() == 1 ? ports[0] : ports[i];
    if (out[i].port.empty()) out[i].port = default_port;
  }
  return out;
}

std::variant<pq::ConnectionPtr, ConnectError> connect_to(const Target& target,
                                                         const PostgresOptions& options,
                                                         const std::string& password,
                                                         const Patience& patience) {
  // The kernel notices a broken network within the time of an operation.
  const std::string timeout = std::to_string(options.operation_timeout.count());
  const auto idle = std::max<std::int64_t>(options.operation_timeout.count() / 1000, 1);
  const std::string seconds = std::to_string(idle);
  // libpq uses the later one of two values, and ignores an empty value.
  const std::array<std::pair<const char*, const char*>, 13> given{{
      {"dbname", options.url.c_str()},
      {"fallback_application_name", "onceproxy"},
      {"target_session_attrs", "read-write"},
      {"client_encoding", "UTF8"},
      {"tcp_user_timeout", timeout.c_str()},
      {"keepalives", "1"},
      {"keepalives_idle", seconds.c_str()},
      {"keepalives_interval", seconds.c_str()},
      {"keepalives_count", "3"},
      {"host", target.host.c_str()},
      {"hostaddr", target.hostaddr.c_str()},
      {"port", target.port.c_str()},
      {"password", password.c_str()},
  }};
  std::array<const char*, given.size() + 1> keys{};
  std::array<const char*, given.size() + 1> values{};
  for (std::size_t i = 0; i < given.size(); ++i) {
    keys[i] = given[i].first;
    values[i] = given[i].second;
  }
  pq::ConnectionPtr connection(PQconnectStartParams(keys.data(), values.data(), 1));
  if (connection == nullptr) return ConnectError{"53200", "out of memory while connecting"};
  auto what = PGRES_POLLING_WRITING;
  while (PQstatus(connection.get()) != CONNECTION_BAD && what != PGRES_POLLING_OK &&
         what != PGRES_POLLING_FAILED) {
    if (!wait_for(connection.get(), what == PGRES_POLLING_READING ? POLLIN : POLLOUT, patience)) {
      const std::string& at = target.host.empty() ? target.hostaddr : target.host;
      return ConnectError{"08001",
                          "the server" + (at.empty() ? "" : " at " + at) + " does not answer"};
    }
    what = PQconnectPoll(connection.get());
  }
  if (what != PGRES_POLLING_OK) return error_of(connection.get(), "08001");
  // Without a receiver libpq would print notices to standard error.
  PQsetNoticeReceiver(
      connection.get(), [](void*, const PGresult*) {}, nullptr);
  return connection;
}

}  // namespace

std::variant<pq::ConnectionPtr, ConnectError> connect(const PostgresOptions& options,
                                                      const std::atomic<bool>& cancelled,
                                                      std::size_t* first) {
  std::string password;
  if (!options.password_file.empty()) {
    auto read = read_password(options.password_file);
    if (auto* const error = std::get_if<ConnectError>(&read)) return std::move(*error);
    password = std::get<std::string>(std::move(read));
  }
  const std::vector<Target> all = targets(options.url);
  const std::size_t begin = first != nullptr ? *first : 0;
  const auto end = SteadyClock::now() + options.connect_timeout;
  ConnectError error;
  for (std::size_t i = 0; i < all.size() && !cancelled.load(); ++i) {
    const std::size_t number = (begin + i) % all.size();
    // The remaining time is shared among the remaining hosts.
    const auto now = SteadyClock::now();
    const auto share = (end - now) / static_cast<std::int64_t>(all.size() - i);
    auto connected = connect_to(all[number], options, password, {now + share, cancelled});
    if (std::holds_alternative<pq::ConnectionPtr>(connected)) {
      if (first != nullptr) *first = number;
      return connected;
    }
    auto& failed = std::get<ConnectError>(connected);
    error.state = std::move(failed.state);
    error.message += (error.message.empty() ? "" : "; ") + failed.message;
  }
  if (error.state.empty()) return ConnectError{"08001", "connecting was cancelled"};
  return error;
}

pq::ResultPtr answer(PGconn* connection, const Patience& patience) {
  pq::ResultPtr last;
  for (;;) {
    while (PQisBusy(connection) != 0) {
      if (!wait_for(connection, POLLIN, patience)) return nullptr;
      if (PQconsumeInput(connection) != 1) return nullptr;
    }
    pq::ResultPtr result(PQgetResult(connection));
    if (result == nullptr) return last;
    if (last == nullptr || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) {
      last = std::move(result);
    }
  }
}

std::string quoted(PGconn* connection, const std::string& identifier) {
  char* const out = PQescapeIdentifier(connection, identifier.data(), identifier.size());
  if (out == nullptr) {
    throw std::runtime_error("the name \"" + identifier + "\" cannot be used in the database: " +
                             pq::trimmed(PQerrorMessage(connection)));
  }
  std::string text = out;
  PQfreemem(out);
  return text;
}

pq::ResultPtr run(PGconn* connection, const std::string& statement, const std::string& what) {
  pq::ResultPtr result(PQexec(connection, statement.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(what + ": " + pq::trimmed(PQerrorMessage(connection)));
  }
  return result;
}

std::string channel_name(const PostgresOptions& options) {
  // An identifier has at most 63 bytes, and so does the schema's name.
  return "settled_" + options.schema.substr(0, 50);
}

std::string wrong_options(const PostgresOptions& options) {
  if (options.url.empty()) return "store.postgres.url is missing";
  char* error = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(options.url.c_str(), &error);
  if (parsed == nullptr) {
    std::string why = pq::trimmed(error);
    PQfreemem(error);
    // libpq's message may quote any part of the URL, and a password with it.
    const bool secret = why.find(options.url) != std::string::npos ||
                        options.url.find_first_of("@%") != std::string::npos ||
                        options.url.find("password") != std::string::npos;
    return "store.postgres.url cannot be read" + (secret ? std::string() : ": " + why);
  }
  std::string wrong;
  for (const PQconninfoOption* at = parsed; at->keyword != nullptr; ++at) {
    if (std::string_view(at->keyword) == "password" && at->val != nullptr &&
        !options.password_file.empty()) {
      wrong = "store.postgres.url holds a password, and store.postgres.password_file is given too";
    }
  }
  PQconninfoFree(parsed);
  if (wrong.empty() && options.connections == 0) {
    wrong = "store.postgres.connections must be above zero";
  }
  if (wrong.empty() && (options.schema.empty() || options.schema.size() > 50)) {
    wrong = "store.postgres.schema must have 1 to 50 bytes";
  }
  return wrong;
}

}  // namespace onceproxy::store
