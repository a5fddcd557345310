#include "proxy/configuration.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "config/differences.hpp"
#include "config/effective.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/start_failure.hpp"
#include "proxy/telemetry/json_text.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using config::Settings;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;
using telemetry::LogLevel;

/// The sections none of whose keys can change live.
constexpr std::string_view fixed_sections[] = {"listen", "store",   "admin",  "telemetry",
                                               "envoy",  "tracing", "workers"};

/// With `compare(key, before, after)`. Another engine is one difference, in all of it.
void compare_stores(const Settings& started, const Settings& fresh, const auto& compare) {
  if (started.postgres.has_value() != fresh.postgres.has_value()) {
    return compare("store", started.postgres.has_value(), fresh.postgres.has_value());
  }
  if (started.postgres) {
    const store::PostgresOptions& before = *started.postgres;
    const store::PostgresOptions& after = *fresh.postgres;
    compare("store.postgres.url", before.url, after.url);
    compare("store.postgres.password_file", before.password_file, after.password_file);
    compare("store.postgres.connections", before.connections, after.connections);
    compare("store.postgres.schema", before.schema, after.schema);
    compare("store.postgres.durability", before.durability, after.durability);
    compare("store.postgres.cache", before.cache_bytes, after.cache_bytes);
    return;
  }
  compare("store.clock_ahead_max", started.store.clock_ahead_max, fresh.store.clock_ahead_max);
  compare("store.rocksdb.path", started.store.path, fresh.store.path);
  compare("store.rocksdb.sync", started.store.sync, fresh.store.sync);
  compare("store.rocksdb.prepared_log", started.store.prepared_log, fresh.store.prepared_log);
  compare("store.rocksdb.max_bytes", started.store.bytes_max, fresh.store.bytes_max);
}

/// The keys in which `fresh` differs from what the program began with and keeps until it ends:
/// sockets that are bound, a store that is open, threads that run.
std::vector<std::string> fixed_keys(const Settings& started, const Settings& fresh) {
  std::vector<std::string> kept;
  const auto compare = [&kept](std::string_view key, const auto& before, const auto& after) {
    if (before != after) kept.emplace_back(key);
  };
  compare("listen", started.listen, fresh.listen);
  compare_stores(started, fresh, compare);
  compare("admin.listen", started.admin, fresh.admin);
  compare("admin.token_file", started.admin_token_file, fresh.admin_token_file);
  compare("admin.read_token_file", started.admin_read_token_file, fresh.admin_read_token_file);
  compare("admin.hosts", started.admin_hosts, fresh.admin_hosts);
  compare("telemetry.listen", started.telemetry, fresh.telemetry);
  compare("envoy.listen", started.envoy, fresh.envoy);
  compare("limits.pending", started.limits.pending, fresh.limits.pending);
  compare("workers", started.workers, fresh.workers);
  compare("audit", started.audit, fresh.audit);
  compare("tracing", started.tracing, fresh.tracing);
  return kept;
}

Json json_of(const std::vector<std::string>& words) {
  JsonArray out;
  for (const std::string& word : words) out.emplace_back(word);
  return out;
}

/// "a, b, c", no longer than a log line should be.
std::string joined(const std::vector<std::string>& words) {
  constexpr std::size_t words_max = 20;
  std::string all;
  for (std::size_t i = 0; i < std::min(words.size(), words_max); ++i) {
    all += (i > 0 ? ", " : "") + words[i];
  }
  if (words.size() > words_max) all += " and " + std::to_string(words.size() - words_max) + " more";
  return all;
}

}  // namespace

Json Reloaded::json() const {
  if (status == Status::failed) {
    return JsonObject({{"status", "failed"}, {"problems", json_of(problems)}});
  }
  return JsonObject({{"status", status == Status::reloaded ? "reloaded" : "unchanged"},
                     {"changed", json_of(changed)},
                     {"kept", json_of(kept)}});
}

void Overrides::apply_to(Settings& settings) const {
  settings.log.level = log_level.value_or(settings.log.level);
  settings.log.format = log_format.value_or(settings.log.format);
  settings.workers = workers.value_or(settings.workers);
}

Configuration::Configuration(std::string file, std::string text, Settings settings,
                             Overrides overrides)
    : file_(std::move(file)),
      started_with_(std::move(settings)),
      overrides_(overrides),
      watch_(file_),
      text_(std::move(text)),
      last_read_(text_) {}

void Configuration::apply_with(std::function<void(const Settings&)> apply,
                               telemetry::Metrics& metrics) {
  apply_ = std::move(apply);
  metrics_ = &metrics;
}

tl::expected<std::string, std::string> Configuration::read() const {
  struct stat found {};
  // A pipe gave what it had at the start, and would now keep its reader waiting.
  if (::stat(file_.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    return tl::unexpected("cannot read " + file_ + " again: it is not a regular file");
  }
  return cli::read_file(file_);
}

Reloaded Configuration::refused(std::string message) const {
  Reloaded reloaded;
  reloaded.problems.push_back({file_, 0, 0, "", std::move(message), ""});
  return reloaded;
}

Reloaded Configuration::reload(std::string_view trigger) {
  const std::lock_guard lock(mutex_);
  tl::expected<std::string, std::string> text = read();
  if (text) return reload_text(*std::move(text), trigger);
  const Reloaded reloaded = refused(text.error());
  tell(reloaded, trigger);
  return reloaded;
}

void Configuration::look() {
  switch (watch_.look()) {
    case FileWatch::Seen::nothing:
      if (!unread_) return;
      break;
    case FileWatch::Seen::gone:
      telemetry::log(LogLevel::warn,
                     "the configuration file is missing or cannot be watched; the configuration in "
                     "force is kept",
                     {{"config", file_}});
      gone_ = true;
      return;
    case FileWatch::Seen::changed:
      break;
  }
  const std::lock_guard lock(mutex_);
  tl::expected<std::string, std::string> text = read();
  const bool was_unread = std::exchange(unread_, !text);
  if (!text) {
    if (!was_unread) tell(refused(text.error()), "file");
  } else if (*text != last_read_) {
    reload_text(*std::move(text), "file");
  } else if (gone_) {
    telemetry::log(LogLevel::info, "the configuration file is back with the same content",
                   {{"config", file_}});
  }
  gone_ = false;
}

Reloaded Configuration::reload_text(std::string text, std::string_view trigger) {
  last_read_ = std::move(text);
  Reloaded reloaded = put_in_force(last_read_);
  tell(reloaded, trigger);
  return reloaded;
}

Reloaded Configuration::put_in_force(const std::string& text) {
  const config::Environment environment = config::process_environment();
  auto settings = config::load(text, file_, environment);
  Reloaded reloaded;
  if (!settings) {
    reloaded.problems = std::move(settings.error());
    return reloaded;
  }
  overrides_.apply_to(*settings);
  try {
    apply_(*settings);
  } catch (const std::exception& error) {
    return refused(error.what());
  }
  reloaded.changed = config::differences(text_, text, environment);
  std::erase_if(reloaded.changed, [](const std::string& section) {
    return std::ranges::find(fixed_sections, section) != std::end(fixed_sections);
  });
  reloaded.kept = fixed_keys(started_with_, *settings);
  reloaded.status =
      reloaded.changed.empty() ? Reloaded::Status::unchanged : Reloaded::Status::reloaded;
  text_ = text;
  kept_ = reloaded.kept;
  loaded_at_ = std::chrono::system_clock::now();
  return reloaded;
}

void Configuration::tell(const Reloaded& reloaded, std::string_view trigger) {
  const bool good = reloaded.status != Reloaded::Status::failed;
  metrics_->reloaded(good);
  if (!good) {
    const auto count = static_cast<std::int64_t>(reloaded.problems.size());
    log_problems(reloaded.problems);
    telemetry::log(LogLevel::error,
                   "configuration not reloaded; the configuration in force is kept",
                   {{"config", file_}, {"trigger", trigger}, {"problems", count}});
    return;
  }
  for (const std::string& key : reloaded.kept) {
    telemetry::log(LogLevel::warn, "a changed key waits for a restart",
                   {{"key", key}, {"config", file_}});
  }
  const std::string changed = joined(reloaded.changed);
  telemetry::log(LogLevel::info,
                 changed.empty() ? "configuration unchanged" : "configuration reloaded",
                 {{"config", file_}, {"trigger", trigger}, {"changed", changed}});
}

std::string Configuration::dump() const {
  const std::lock_guard lock(mutex_);
  telemetry::Timestamp timestamp;
  return telemetry::json_text(
             JsonObject({{"file", file_},
                         {"loaded_at", timestamp.text(loaded_at_)},
                         {"waiting_for_restart", json_of(kept_)},
                         {"config", config::effective(text_, config::process_environment())}}),
             2) +
         "\n";
}

}  // namespace onceproxy
