#include "policies/multipart.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;

namespace {

const std::string type = "multipart/form-data; boundary=X";
const std::string title = "Content-Disposition: form-data; name=\"title\"\r\n\r\nreport\r\n";

/// What the parts are compared by, or the fault.
std::string read(const std::string& body, const std::string& content_type = type) {
  const auto parts = read_multipart(body, content_type);
  if (!parts) return parts.error().text();
  std::string out;
  append_parts(*parts, out);
  return out;
}

}  // namespace

TEST_CASE("parts are compared by name, file name, type and bytes, and not by the boundary") {
  const auto form = [](const std::string& boundary) {
    return "--" + boundary + "\r\n" + title + "--" + boundary +
           " \t\r\ncontent-type:  text/plain \r\nX-Other: a\r\n"
           "Content-Disposition: FORM-DATA; filename=\"a\\\"b.txt\"; name=file\r\n\r\n"
           "one\r\n\n--two\r\n\r\n--" +
           boundary + "--\r\n";
  };
  const std::string parts =
      "{\"name\":\"title\",\"size\":6}\nreport\n"
      "{\"content-type\":\"text/"
      "plain\",\"filename\":\"a\\\"b.txt\",\"name\":\"file\",\"size\":13}\n"
      "one\r\n\n--two\r\n\n";
  CHECK(read(form("X")) == parts);
  CHECK(read(form("-a'b c"), "multipart/form-data; charset=utf-8; boundary=\"-a'b c\"") == parts);
  CHECK(read("\r\n" + form("X") + "\r\n") == parts);
}

TEST_CASE("bodies with different parts are compared as different") {
  std::vector<std::string> all;
  for (const char* head :
       {"Content-Disposition: form-data; name=a", "Content-Disposition: form-data; name=b",
        "Content-Disposition: form-data; name=a; filename=c",
        "Content-Disposition: form-data; name=a; filename*=c",
        "Content-Disposition: form-data; name=a; filename=\"\"",
        "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain",
        "Content-Disposition: form-data; name=a\r\nContent-Type: ",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"}) {
    for (const char* content : {"", "x", "\r\n"}) {
      all.push_back(read("--X\r\n" + std::string(head) + "\r\n\r\n" + content + "\r\n--X--"));
      CHECK(all.back().starts_with('{'));
    }
  }
  all.push_back(read("--X--"));
  all.push_back(read("--X\r\n" + title + "--X\r\n" + title + "--X--"));
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE("a form that two readers may read as two forms is not read") {
  const std::string begin = "--X\r\n" + title;
  const std::string named = "--X\r\nContent-Disposition: form-data; name=a";
  const std::pair<std::string, std::string> cases[] = {
      {"", "the first boundary is missing at byte 0"},
      {"preamble\r\n" + begin + "--X--", "the first boundary is missing at byte 0"},
      {begin, "the last boundary is missing at byte 61"},
      {begin + "--X", "a boundary does not end its line at byte 64"},
      {begin + "--Xtra\r\n", "a boundary does not end its line at byte 64"},
      {begin + "--X--\r\nepilogue", "something follows the last part at byte 68"},
      {"--X\nContent-Disposition: form-data; name=a\n\nb\n--X--",
       "a boundary does not end its line at byte 3"},
      {named + "\r\n\r\nb\n--X--", "a boundary does not begin a line of its own at byte 49"},
      {named + "\r\n\r\nb\r--X--", "a boundary does not begin a line of its own at byte 49"},
      {named + "\r\n\r\n--X--", "a boundary does not begin a line of its own at byte 47"},
      {named + "\n\r\nb\r\n--X--", "a line of a part's head does not end with CR LF at byte 5"},
      {named + "\r\n\tb\r\n\r\n\r\n--X--", "a line of a part's head is not a field at byte 45"},
      {"--X\r\nA\r\n\r\n\r\n--X--", "a line of a part's head is not a field at byte 5"},
      {"--X\r\n\r\nb\r\n--X--", "a part has no name at byte 5"},
      {"--X\r\nContent-Disposition: form-data\r\n\r\nb\r\n--X--", "a part has no name at byte 5"},
      {"--X\r\nContent-Disposition: attachment; name=a\r\n\r\nb\r\n--X--",
       "a part is not form-data at byte 5"},
      {named + "; name=b\r\n\r\nb\r\n--X--",
       "a part's Content-Disposition has a parameter twice at byte 5"},
      {named + "\r\ncontent-disposition: form-data; name=a\r\n\r\nb\r\n--X--",
       "a part has a field twice at byte 45"},
  };
  for (const auto& [body, fault] : cases) {
    INFO(body);
    CHECK(read(body) == fault);
  }
  for (const char* without : {"multipart/form-data", "multipart/form-data; boundary=",
                              "multipart/form-data; boundary=X; boundary=Y"}) {
    CHECK(read(begin + "--X--", without) == "Content-Type names no boundary at byte 0");
  }
  const std::string long_boundary(71, 'b');
  CHECK(read("--" + long_boundary + "--", "multipart/form-data; boundary=" + long_boundary) ==
        "Content-Type names no boundary at byte 0");
}
