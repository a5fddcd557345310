// libpq's values with owners: a connection, a result, the parameters of a statement, and the
// columns of a row, in the binary formats of the protocol (PostgreSQL 15, chapter 55). Not
// thread-safe: each value belongs to one thread at a time. libpq itself is safe as long as no two
// threads use one connection.
#pragma once

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/fingerprint.hpp"
#include "store/permit.hpp"

namespace onceproxy::store::pq {

struct Closer {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using ConnectionPtr = std::unique_ptr<PGconn, Closer>;
using ResultPtr = std::unique_ptr<PGresult, Closer>;

/// The SQLSTATE of an error, five characters; "08006" if the connection broke without one.
inline std::string sqlstate(const PGresult* result) {
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state != nullptr ? state : "08006";
}

/// A message of libpq or the server, without the line end.
inline std::string trimmed(const char* message) {
  std::string out = message != nullptr ? message : "";
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

/// A one-dimensional array in binary format, element by element.
class Array {
 public:
  static constexpr std::uint32_t oid_boolean = 16, oid_bytea = 17, oid_bigint = 20;

  Array(std::uint32_t oid, std::size_t size) {
    append(size == 0 ? 0 : 1, 4);  // dimensions
    append(0, 4);                  // whether an element is null
    append(oid, 4);
    if (size == 0) return;
    append(size, 4);
    append(1, 4);  // the index of the first one
  }
  void add(std::string_view element) {
    append(element.size(), 4);
    bytes_.append(element);
  }
  void add(std::int64_t element) {
    append(8, 4);
    append(static_cast<std::uint64_t>(element), 8);
  }
  void add_null() {
    constexpr std::size_t flags_end = 8;
    bytes_[flags_end - 1] = 1;
    append(~std::uint64_t{0}, 4);
  }
  std::string take() { return std::move(bytes_); }

 private:
  void append(std::uint64_t value, int size) {
    for (int i = size; i-- > 0;) bytes_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
  std::string bytes_;
};

/// The parameters of one statement. Bytes are not copied and must live until the statement was
/// sent.
class Params {
 public:
  void clear() {
    values_.clear();
    lengths_.clear();
    numbers_.clear();
    owned_.clear();
  }
  void null() { add(nullptr, 0); }
  void bytes(std::string_view value) {
    add(value.data() != nullptr ? value.data() : "", value.size());
  }
  void number(std::int64_t value) {
    std::array<char, 8>& out = numbers_.emplace_back();
    put(out.data(), static_cast<std::uint64_t>(value), 8);
    add(out.data(), out.size());
  }
  void flag(bool value) { add(value ? "\1" : "\0", 1); }
  template <typename Tag>
  void digest(const Digest<Tag>& value) {
    bytes(value.view());
  }
  template <typename Tag>
  void digest(const std::optional<Digest<Tag>>& value) {
    value ? bytes(value->view()) : null();
  }
  void nonce(const Nonce& value) {
    bytes({reinterpret_cast<const char*>(value.data()), value.size()});
  }
  void array(const std::vector<std::string_view>& elements) {
    Array out(Array::oid_bytea, elements.size());
    for (const std::string_view element : elements) out.add(element);
    own(out.take());
  }
  void array(const std::vector<std::int64_t>& elements) {
    Array out(Array::oid_bigint, elements.size());
    for (const std::int64_t element : elements) out.add(element);
    own(out.take());
  }
  /// Bytes that are kept here.
  void own(std::string value) {
    owned_.push_back(std::move(value));
    bytes(owned_.back());
  }

  bool is_null(std::size_t at) const { return values_[at] == nullptr; }
  std::string_view value(std::size_t at) const {
    return {values_[at], static_cast<std::size_t>(lengths_[at])};
  }
  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  /// All of them are binary.
  const int* formats() {
    formats_.resize(values_.size(), 1);
    return formats_.data();
  }

 private:
  void add(const char* value, std::size_t length) {
    values_.push_back(value);
    lengths_.push_back(static_cast<int>(length));
  }
  static void put(char* out, std::uint64_t value, int size) {
    for (int i = size; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  }

  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::deque<std::array<char, 8>> numbers_;
  std::deque<std::string> owned_;
};

/// One row of a result in binary format.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}

  bool null(int column) const { return PQgetisnull(result_, row_, column) != 0; }
  std::string_view bytes(int column) const {
    return {PQgetvalue(result_, row_, column),
            static_cast<std::size_t>(PQgetlength(result_, row_, column))};
  }
  std::string text(int column) const { return std::string(bytes(column)); }
  /// For smallint, integer, bigint and pg_lsn; 0 if the column is null.
  std::int64_t number(int column) const {
    const std::string_view value = bytes(column);
    std::uint64_t out = !value.empty() && (value.front() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char byte : value) out = out << 8 | static_cast<std::uint8_t>(byte);
    return static_cast<std::int64_t>(out);
  }
  std::optional<std::int64_t> maybe(int column) const {
    if (null(column)) return std::nullopt;
    return number(column);
  }
  bool flag(int column) const { return !null(column) && bytes(column) == "\1"; }
  /// A digest or a nonce; zeros if the column has another length.
  template <typename Bytes>
  void into(int column, Bytes& out) const {
    const std::string_view value = bytes(column);
    if (value.size() == out.size()) std::copy(value.begin(), value.end(), out.begin());
  }

 private:
  const PGresult* result_;
  int row_;
};

}  // namespace onceproxy::store::pq
