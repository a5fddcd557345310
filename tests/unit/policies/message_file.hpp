// The messages in tests/integration/payloads, as their README says they are written.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "request.hpp"

namespace onceproxy::policies::test {

inline Request message(const std::string& name) {
  std::ifstream file(PAYLOADS_DIR "/" + name + ".http");
  INFO(name);
  REQUIRE(file);
  Request request;
  std::string line;
  std::getline(file, line);
  std::istringstream first(line);
  first >> request.method >> request.target;
  while (std::getline(file, line) && !line.empty()) {
    const std::size_t colon = line.find(": ");
    REQUIRE(colon != std::string::npos);
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  std::ostringstream body;
  body << file.rdbuf();
  request.body = body.str();
  return request;
}

}  // namespace onceproxy::policies::test
