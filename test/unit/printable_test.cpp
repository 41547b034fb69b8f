#include "shim/cni/protocol/printable.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/protocol/json_text.hpp"
#include "test/unit/catch.hpp"

using shim::cut;
using shim::go_quoted;
using shim::printable_line;

namespace {

struct Hidden {
  std::string text;
  std::string escape;
};

/// What steers a terminal, turns the direction of writing, or cannot be seen.
const std::vector<Hidden>& hidden() {
  static const std::vector<Hidden> all = {
      {"\u0080", "\\u0080"}, {"\u0085", "\\u0085"}, {"\u009b", "\\u009b"}, {"\u009f", "\\u009f"},
      {"\u00ad", "\\u00ad"}, {"\u061c", "\\u061c"}, {"\u180e", "\\u180e"}, {"\u200b", "\\u200b"},
      {"\u200d", "\\u200d"}, {"\u200e", "\\u200e"}, {"\u200f", "\\u200f"}, {"\u2028", "\\u2028"},
      {"\u2029", "\\u2029"}, {"\u202a", "\\u202a"}, {"\u202e", "\\u202e"}, {"\u2060", "\\u2060"},
      {"\u2066", "\\u2066"}, {"\u2069", "\\u2069"}, {"\ufeff", "\\ufeff"}, {"\ufff9", "\\ufff9"}};
  return all;
}

std::string through_stream(const std::string& text, std::size_t piece) {
  shim::PrintableStream stream;
  std::string shown;
  for (std::size_t at = 0; at < text.size(); at += piece)
    shown += stream.next(text.substr(at, piece));
  return shown + stream.finish();
}

}  // namespace

TEST_CASE("what cannot be seen is shown as an escape, on every way out", "[printable]") {
  for (const auto& [text, escape] : hidden()) {
    INFO(escape);
    CHECK(printable_line("a" + text + "b") == "a" + escape + "b");
    CHECK(go_quoted("a" + text + "b") == "\"a" + escape + "b\"");
    CHECK(through_stream("a" + text + "b\n", 100) == "a" + escape + "b\n");
    CHECK(shim::print_json("a" + text + "b") == "\"a" + escape + "b\"");
  }
}

TEST_CASE("a character above U+FFFF that cannot be seen is two escapes in JSON", "[printable]") {
  const std::string tag = "\U000e0041";
  CHECK(printable_line(tag) == "\\U000e0041");
  CHECK(shim::print_json(tag) == R"("\udb40\udc41")");
  CHECK(shim::parse_json(shim::print_json(tag)) == tag);
}

TEST_CASE("what can be seen stays as it is", "[printable]") {
  const std::string text = GENERATE(
      values<std::string>({"pod web-0", "Zürich", "العربية", "עברית", "日本語", "😀", "a\"b\\c"}));
  CHECK(printable_line(text) == text);
  CHECK(through_stream(text, 1) == text);
  CHECK(shim::parse_json(shim::print_json(text)) == text);
}

TEST_CASE("controls are spaces on a line, and invalid UTF-8 is one mark a byte", "[printable]") {
  CHECK(printable_line("a\nb\tc\x1b[31md\x7f") == "a b c [31md ");
  CHECK(printable_line("a\xff\xc3(\xed\xa0\x80") == "a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("in a text of many lines these and tabs stay", "[printable]") {
  CHECK(through_stream("one\n\ttwo\x1b[2J\n", 100) == "one\n\ttwo [2J\n");
}

TEST_CASE("a text that comes in pieces is shown as the whole", "[printable]") {
  const std::string text = "ü\u202eb😀\u009b\xff\xf0\x9f(é\xe2\x80";
  const std::string whole = through_stream(text, text.size());
  const std::size_t piece = GENERATE(range(std::size_t{1}, std::size_t{8}));
  INFO(piece << " bytes at once");
  CHECK(through_stream(text, piece) == whole);
  CHECK(whole == "ü\\u202eb😀\\u009b\uFFFD\uFFFD\uFFFD(é\uFFFD\uFFFD");
}

TEST_CASE("what a caller wrote is cut at a whole character, and its length told", "[printable]") {
  const std::string fits(100, 'x');
  CHECK(cut(fits) == fits);
  CHECK(go_quoted(fits) == "\"" + fits + "\"");
  CHECK(cut(fits + "y") == fits + "… (101 bytes)");
  CHECK(go_quoted(fits + "y") == "\"" + fits + "…\" (101 bytes)");
  const std::string wide = std::string(99, 'x') + "é" + std::string(300'000, 'y');
  CHECK(cut(wide) == std::string(99, 'x') + "… (300101 bytes)");
  CHECK(go_quoted(wide) == "\"" + std::string(99, 'x') + "…\" (300101 bytes)");
}

TEST_CASE("bytes that are no text are cut too", "[printable]") {
  const std::string bytes(1000, '\x80');
  CHECK(cut(bytes).size() < 130);
  CHECK(go_quoted(bytes).size() < 4 * 100 + 30);
}

TEST_CASE("a line has an end", "[printable]") {
  const std::string line = printable_line(std::string(300'000, 'x'));
  CHECK(line == std::string(4096, 'x') + "… (300000 bytes)");
}

TEST_CASE("a syntax error quotes little of the text", "[printable]") {
  try {
    shim::parse_json("{\"a\": \"" + std::string(300'000, 'x') + "\n\"}");
    FAIL("no error");
  } catch (const shim::JsonSyntaxError& error) {
    CHECK(std::string(error.what()).size() < 400);
    CHECK_THAT(error.what(), Catch::Matchers::Contains(" bytes)"));
  }
}
