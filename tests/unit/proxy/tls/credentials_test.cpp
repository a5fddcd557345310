#include "proxy/tls/credentials.hpp"

#include "authority.hpp"

namespace onceproxy::tls {
namespace {

using namespace testing;
using std::chrono::system_clock;
using Gravity = Fault::Gravity;

struct Files {
  Directory directory;
  Issued root = Issued::make({.name = "Root", .authority = true});
  Issued middle = Issued::make({.name = "Middle", .authority = true}, &root);
  Issued own = Issued::make({.name = "own"}, &middle);

  Credentials read(const std::string& certificate, const std::string& key,
                   const std::string& client_ca = "") {
    ServerOptions options;
    options.certificate = directory.write("tls.crt", certificate);
    options.key = directory.write("tls.key", key);
    if (!client_ca.empty()) options.client_ca = directory.write("ca.crt", client_ca);
    return read_credentials(options, system_clock::now());
  }
  std::string chain() const { return own.pem() + middle.pem() + root.pem(); }
  std::string certificate() const { return directory.path("tls.crt"); }
  std::string key() const { return directory.path("tls.key"); }
};

std::string only_fault(const Credentials& read, Gravity gravity = Gravity::unusable) {
  REQUIRE(read.faults.size() == 1);
  CHECK(read.faults[0].gravity == gravity);
  return read.faults[0].key + ": " + read.faults[0].message;
}

TEST_CASE_METHOD(Files, "a whole chain with its key has no fault and tells its end") {
  const Credentials read = this->read(chain(), own.key_pem());
  CHECK(read.faults.empty());
  CHECK(read.chain.size() == 3);
  CHECK(read.good());
  CHECK(read.expires > system_clock::now() + 23h);
  CHECK(read.expires < system_clock::now() + 25h);
}

TEST_CASE_METHOD(Files, "a file that is not there is named with the reason") {
  ServerOptions options;
  options.certificate = directory.path("none.crt");
  options.key = directory.path("none.key");
  const Credentials read = read_credentials(options, system_clock::now());
  REQUIRE(read.faults.size() == 2);
  CHECK(read.faults[0].message ==
        options.certificate + " cannot be read: No such file or directory");
  CHECK_FALSE(read.usable());
}

TEST_CASE_METHOD(Files, "a directory is no file") {
  ServerOptions options;
  options.certificate = directory.path("");
  options.key = directory.write("tls.key", own.key_pem());
  CHECK(only_fault(read_credentials(options, system_clock::now())) ==
        "certificate: " + options.certificate + " cannot be read: it is not a regular file");
}

TEST_CASE_METHOD(Files, "a file that is not PEM is reported as such") {
  CHECK(only_fault(read("hello", own.key_pem())) ==
        "certificate: " + certificate() + " holds no certificate in PEM form");
  CHECK(only_fault(read("", own.key_pem())) == "certificate: " + certificate() + " is empty");
  CHECK(only_fault(read("\x30\x82\x01\x02 and so on", own.key_pem())) ==
        "certificate: " + certificate() +
            " holds no certificate in PEM form; it is in DER form, which `openssl x509 -inform "
            "der` converts");
  CHECK(only_fault(read(chain(), "hello")) ==
        "key: " + key() + " holds no private key in PEM form");
}

TEST_CASE_METHOD(Files, "a certificate that is cut short is named by its number") {
  const std::string text = chain();
  const Credentials read = this->read(text.substr(0, text.size() - 200), own.key_pem());
  CHECK_THAT(only_fault(read), Catch::Contains("certificate 3 in it"));
}

TEST_CASE_METHOD(Files, "an encrypted key is an error that says what to do") {
  CHECK_THAT(only_fault(read(chain(), pem_of(*own.key, "secret"))),
             Catch::Contains("is encrypted") && Catch::Contains("openssl pkey"));
}

TEST_CASE_METHOD(Files, "a key of another certificate does not fit") {
  CHECK(only_fault(read(chain(), root.key_pem())).find("tls.crt is in the wrong order") !=
        std::string::npos);
  CHECK(only_fault(read(chain(), pem_of(*make_key()))) ==
        "key: " + key() + " does not fit the certificate in " + certificate());
}

TEST_CASE_METHOD(Files, "expired and not yet valid are told with their times, and usable") {
  const Issued old = Issued::make({.name = "old", .begins = -48h, .ends = -24h}, &root);
  const Credentials expired = read(old.pem() + root.pem(), old.key_pem());
  CHECK_THAT(only_fault(expired, Gravity::bad), Catch::Contains("expired on 20"));
  CHECK(expired.usable());
  CHECK_FALSE(expired.good());
  const Issued early = Issued::make({.name = "early", .begins = 24h, .ends = 48h}, &root);
  CHECK_THAT(only_fault(read(early.pem() + root.pem(), early.key_pem()), Gravity::bad),
             Catch::Contains("is not valid before 20"));
}

TEST_CASE_METHOD(Files, "an expired certificate further up the chain is found") {
  const Issued old =
      Issued::make({.name = "Old", .authority = true, .begins = -48h, .ends = -24h}, &root);
  const Issued below = Issued::make({.name = "below"}, &old);
  const Credentials read = this->read(below.pem() + old.pem() + root.pem(), below.key_pem());
  CHECK_THAT(only_fault(read, Gravity::bad), Catch::Contains("certificate 2 of it expired on"));
  CHECK(read.expires < system_clock::now());
}

TEST_CASE_METHOD(Files, "a chain in the wrong order says what comes where") {
  CHECK_THAT(only_fault(read(own.pem() + root.pem() + middle.pem(), own.key_pem()), Gravity::bad),
             Catch::Contains("behind certificate 1 must come number 3, which issued it"));
}

TEST_CASE_METHOD(Files, "a chain with a gap is incomplete") {
  CHECK_THAT(only_fault(read(own.pem() + root.pem(), own.key_pem()), Gravity::bad),
             Catch::Contains("holds an incomplete chain: behind certificate 1 must come the one "
                             "that issued it, \"CN=Middle\""));
}

TEST_CASE_METHOD(Files, "a missing issuer that can be fetched is a gap, another may be a root") {
  const Issued from_public = Issued::make(
      {.name = "site", .access = "caIssuers;URI:http://ca.example/middle.der"}, &middle);
  CHECK_THAT(only_fault(read(from_public.pem(), from_public.key_pem()), Gravity::bad),
             Catch::Contains("holds an incomplete chain") && Catch::Contains("\"CN=Middle\""));
  const Credentials of_private = read(own.pem(), own.key_pem());
  CHECK_THAT(only_fault(of_private, Gravity::note), Catch::Contains("\"CN=Middle\""));
  CHECK(of_private.good());
  CHECK(of_private.complaint().empty());
}

TEST_CASE_METHOD(Files, "a CA file holds at least one certificate that is not expired") {
  CHECK_THAT(only_fault(read(chain(), own.key_pem(), own.key_pem())),
             Catch::StartsWith("client_ca: ") && Catch::Contains("holds no certificate"));
  const Issued old = Issued::make({.name = "Old", .authority = true, .begins = -48h, .ends = -24h});
  CHECK_THAT(only_fault(read(chain(), own.key_pem(), old.pem()), Gravity::bad),
             Catch::Contains("holds only certificates that are expired"));
  CHECK(read(chain(), own.key_pem(), old.pem() + root.pem()).faults.empty());
}

TEST_CASE_METHOD(Files, "a certificate without an end in sight is not expired") {
  const Issued for_ever =
      Issued::make({.name = "Root", .authority = true, .ends = thousands_of_years});
  const Issued below = Issued::make({.name = "own", .ends = thousands_of_years}, &for_ever);
  const Credentials read =
      this->read(below.pem() + for_ever.pem(), below.key_pem(), for_ever.pem());
  CHECK(read.faults.empty());
  CHECK(read.expires > system_clock::now() + 24h * 365 * 200);
}

TEST_CASE_METHOD(Files, "a certificate for clients is not one for servers, and the reverse") {
  const Issued caller = Issued::make({.name = "caller", .usage = "clientAuth"}, &root);
  const Issued server = Issued::make({.name = "server", .usage = "serverAuth"}, &root);
  const Issued both = Issued::make({.name = "both", .usage = "serverAuth,clientAuth"}, &root);
  CHECK_THAT(only_fault(read(caller.pem() + root.pem(), caller.key_pem()), Gravity::bad),
             Catch::Contains("tls.crt is not for TLS servers"));
  CHECK(read(both.pem() + root.pem(), both.key_pem()).faults.empty());
  ClientOptions options;
  const auto shown = [&](const Issued& own) {
    options.certificate = directory.write("own.crt", own.pem() + root.pem());
    options.key = directory.write("own.key", own.key_pem());
    return read_credentials(options, system_clock::now());
  };
  CHECK_THAT(only_fault(shown(server), Gravity::bad), Catch::Contains("is not for TLS clients"));
  CHECK(shown(caller).faults.empty());
  CHECK(shown(both).faults.empty());
}

TEST_CASE_METHOD(Files, "a complaint leaves out what the previous files had as well") {
  const auto with_access = [&](const std::string& name) {
    return Issued::make({.name = name, .access = "caIssuers;URI:http://ca.example/middle.der"},
                        &middle);
  };
  const Issued first = with_access("first");
  const Issued second = with_access("second");
  const Credentials running = read(first.pem(), first.key_pem());
  const Credentials renewed = read(second.pem(), second.key_pem());
  CHECK_FALSE(renewed.complaint().empty());
  CHECK(renewed.complaint(running.faults).empty());
  // Another fault is a reason, and so is one that makes handshakes impossible.
  const Issued old = Issued::make({.name = "old", .begins = -48h, .ends = -24h}, &root);
  CHECK_FALSE(read(old.pem() + root.pem(), old.key_pem()).complaint(running.faults).empty());
  const Credentials unusable = read(second.pem(), "hello");
  CHECK_FALSE(read(second.pem(), "hello").complaint(unusable.faults).empty());
}

TEST_CASE_METHOD(Files, "a fault behind the own certificate does not excuse one of its own") {
  const bool over = GENERATE(true, false);
  const std::chrono::seconds begins = over ? -48h : 24h;
  const std::chrono::seconds ends = over ? -24h : 48h;
  const Issued useless =
      Issued::make({.name = "Useless", .authority = true, .begins = begins, .ends = ends}, &root);
  const Issued first = Issued::make({.name = "first"}, &useless);
  const Issued second = Issued::make({.name = "second"}, &useless);
  const Issued bad = Issued::make({.name = "bad", .begins = begins, .ends = ends}, &root);
  const Credentials behind = read(first.pem() + useless.pem() + root.pem(), first.key_pem());
  const Credentials again = read(second.pem() + useless.pem() + root.pem(), second.key_pem());
  const Credentials own_one = read(bad.pem() + root.pem(), bad.key_pem());
  CHECK_FALSE(own_one.complaint(behind.faults).empty());
  CHECK(again.complaint(behind.faults).empty());
  // Who refuses the own certificate does not get as far as to what is behind it.
  CHECK(again.complaint(own_one.faults).empty());
}

TEST_CASE_METHOD(Files, "a missing root does not excuse that what is below it is missing as well") {
  const std::string place = "caIssuers;URI:http://ca.example/above.der";
  const Issued below = Issued::make({.name = "Below", .access = place, .authority = true}, &root);
  const Issued site = Issued::make({.name = "site", .access = place}, &below);
  const Credentials both = read(site.pem() + below.pem(), site.key_pem());
  const Credentials alone = read(site.pem(), site.key_pem());
  CHECK_THAT(alone.complaint(both.faults), Catch::Contains("holds an incomplete chain"));
  CHECK(both.complaint(alone.faults).empty());
}

TEST_CASE_METHOD(Files, "a wrong order does not excuse a gap") {
  const Credentials turned = read(own.pem() + root.pem() + middle.pem(), own.key_pem());
  const Credentials gap = read(own.pem() + root.pem(), own.key_pem());
  CHECK_THAT(gap.complaint(turned.faults), Catch::Contains("holds an incomplete chain"));
  CHECK(turned.complaint(turned.faults).empty());
}

TEST_CASE_METHOD(Files, "a gap at the end does not excuse one nearer to the own certificate") {
  const Issued other = Issued::make({.name = "Other", .authority = true});
  const Credentials at_end = read(own.pem() + middle.pem() + other.pem(), own.key_pem());
  const Credentials nearer = read(own.pem() + root.pem(), own.key_pem());
  CHECK_THAT(nearer.complaint(at_end.faults), Catch::Contains("behind certificate 1"));
  CHECK(at_end.complaint(nearer.faults).empty());
}

TEST_CASE_METHOD(Files, "a note excuses nothing") {
  const Credentials direct = read(own.pem(), own.key_pem());
  only_fault(direct, Gravity::note);
  const Issued forgot = Issued::make(
      {.name = "forgot", .access = "caIssuers;URI:http://ca.example/middle.der"}, &middle);
  CHECK_THAT(read(forgot.pem(), forgot.key_pem()).complaint(direct.faults),
             Catch::Contains("holds an incomplete chain"));
}

TEST_CASE_METHOD(Files, "what has expired since it was read has this fault then") {
  const Issued lasting = Issued::make({.name = "Root", .authority = true, .ends = 96h});
  const Issued one = Issued::make({.name = "one", .ends = 72h}, &lasting);
  const std::string key = one.key_pem();
  const auto later = system_clock::now() + 48h;
  ServerOptions server;
  server.certificate = directory.write("one.crt", one.pem() + lasting.pem());
  server.key = directory.write("one.key", key);
  server.client_ca = directory.write("clients.crt", root.pem());
  const Credentials running = read_credentials(server, system_clock::now());
  CHECK(running.faults.empty());
  CHECK(faults_at(server, running, system_clock::now()).empty());
  CHECK_FALSE(read_credentials(server, later).complaint(running.faults).empty());
  CHECK(read_credentials(server, later).complaint(faults_at(server, running, later)).empty());
  ClientOptions client;
  client.ca = server.client_ca;
  const Credentials calling = read_credentials(client, system_clock::now());
  CHECK(faults_at(client, calling, system_clock::now()).empty());
  CHECK(read_credentials(client, later).complaint(faults_at(client, calling, later)).empty());
}

TEST_CASE_METHOD(Files, "what has become valid since it was read has no fault any more") {
  const Issued lasting = Issued::make({.name = "Root", .authority = true, .ends = 96h});
  const Issued early = Issued::make({.name = "early", .begins = 24h, .ends = 96h}, &lasting);
  const Issued next = Issued::make({.name = "next", .begins = 72h, .ends = 96h}, &lasting);
  ServerOptions options;
  options.certificate = directory.write("one.crt", early.pem() + lasting.pem());
  options.key = directory.write("one.key", early.key_pem());
  const Credentials running = read_credentials(options, system_clock::now());
  only_fault(running, Gravity::bad);
  const auto later = system_clock::now() + 48h;
  CHECK(faults_at(options, running, later).empty());
  options.certificate = directory.write("one.crt", next.pem() + lasting.pem());
  options.key = directory.write("one.key", next.key_pem());
  CHECK_THAT(read_credentials(options, later).complaint(faults_at(options, running, later)),
             Catch::Contains("is not valid before"));
}

TEST_CASE_METHOD(Files, "a client needs no certificate of its own") {
  ClientOptions options;
  options.server_name = "localhost";
  CHECK(read_credentials(options, system_clock::now()).faults.empty());
  options.ca = directory.path("none.crt");
  CHECK_THAT(only_fault(read_credentials(options, system_clock::now())),
             Catch::StartsWith("ca: ") && Catch::Contains("cannot be read"));
}

}  // namespace
}  // namespace onceproxy::tls
