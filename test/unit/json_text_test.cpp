#include "shim/cni/protocol/json_text.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "test/unit/catch.hpp"

using shim::find_member;
using shim::Json;
using shim::parse_json;
using shim::print_json;

namespace {

std::string syntax_error(const std::string& text) {
  try {
    parse_json(text);
  } catch (const shim::JsonSyntaxError& error) {
    return error.what();
  }
  return "(no error)";
}

std::string nested(unsigned depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("a document keeps the order of its keys", "[json]") {
  CHECK(parse_json(R"({"z":1,"a":{"y":2,"b":3}})").dump() == R"({"z":1,"a":{"y":2,"b":3}})");
}

TEST_CASE("any JSON value is a document", "[json]") {
  const std::string text =
      GENERATE(values<std::string>({"null", "true", "-5", "9223372036854775808", "1.5", "\"x\"",
                                    "[]", "{}", " \r\n\t[1,[2]]\n"}));
  CHECK(parse_json(text) == Json::parse(text));
}

TEST_CASE("of equal keys the last one stays, at its own place", "[json]") {
  CHECK(parse_json(R"({"a":1,"b":2,"a":3})").dump() == R"({"b":2,"a":3})");
  CHECK(parse_json(R"({"a":{"x":1},"a":{"y":2}})").dump() == R"({"a":{"y":2}})");
}

TEST_CASE("a member is found in any letter case, the last match wins", "[json]") {
  const Json object =
      parse_json(R"({"cniVersion":"a","CNIVERSION":"b","other":1,"cniversion":"c"})");
  REQUIRE(find_member(object, "cniVersion") != nullptr);
  CHECK(*find_member(object, "cniVersion") == "c");
  const Json mixed = parse_json(R"({"a":1,"A":2,"a":3})");
  REQUIRE(find_member(mixed, "a") != nullptr);
  CHECK(*find_member(mixed, "a") == 3);
}

TEST_CASE("a member that is missing or null is absent", "[json]") {
  const Json object = parse_json(R"({"a":null,"b":1,"B":null,"cc":2})");
  CHECK(find_member(object, "a") == nullptr);
  CHECK(find_member(object, "b") == nullptr);
  CHECK(find_member(object, "c") == nullptr);
  CHECK(find_member(object, "") == nullptr);
}

TEST_CASE("what is no object has no members", "[json]") {
  const std::string text = GENERATE(values<std::string>({"null", "[\"a\"]", "\"a\"", "5"}));
  CHECK(find_member(parse_json(text), "a") == nullptr);
}

TEST_CASE("keys are equal in any letter case but not by their beginning", "[json]") {
  CHECK(shim::same_key("rangeStart", "RANGESTART"));
  CHECK(shim::same_key("", ""));
  CHECK_FALSE(shim::same_key("range", "ranges"));
  CHECK_FALSE(shim::same_key("ranges", "range"));
  CHECK_FALSE(shim::same_key("a-b", "a_b"));
}

TEST_CASE("a document nests 64 levels deep but not 65", "[json]") {
  CHECK(parse_json(nested(64)).is_array());
  CHECK(syntax_error(nested(65)) == "nested deeper than 64 levels");
  CHECK(syntax_error(std::string(200000, '[')) == "nested deeper than 64 levels");
  CHECK(syntax_error(R"({"a":)" + nested(64) + "}") == "nested deeper than 64 levels");
}

TEST_CASE("text that ends too early is told in Go's words", "[json]") {
  const std::string text =
      GENERATE(values<std::string>({"", " ", "\n\t", "{", "[1,", R"({"cniVersion":"0.4.0")",
                                    R"({"a")", R"({"a":)", "\"abc", "nul"}));
  INFO("text: " << text);
  CHECK(syntax_error(text) == "unexpected end of JSON input");
}

TEST_CASE("a syntax error names line and column", "[json]") {
  using Catch::Matchers::StartsWith;
  CHECK_THAT(syntax_error("{\n  \"a\": 1,\n  'b': 2\n}"), StartsWith("line 3, column 3: "));
  CHECK_THAT(syntax_error("{} {}"), StartsWith("line 1, column 4: "));
  CHECK_THAT(syntax_error("{}garbage"), StartsWith("line 1, column 3: "));
  CHECK_THAT(syntax_error("[1,]"), StartsWith("line 1, column 4: "));
}

TEST_CASE("what Go's decoder refuses is refused", "[json]") {
  const std::string text = GENERATE(values<std::string>(
      {"nope", "{'a':1}", "{a:1}", "[1,]", "{\"a\":1,}", "01", "+1", ".5", "1.", "0x10", "NaN",
       "\"a\nb\"", "\"\\x\"", "{} {}", "{}garbage", "// c\n{}", "[1] 2", "\"a\" \"b\""}));
  INFO("text: " << text);
  CHECK_THROWS_AS(parse_json(text), shim::JsonSyntaxError);
}

TEST_CASE("a byte order mark is refused with the remedy", "[json]") {
  CHECK(syntax_error("\xef\xbb\xbf{}") ==
        "line 1, column 1: the text starts with a byte order mark; save it as plain UTF-8");
}

TEST_CASE("invalid UTF-8 is refused when reading", "[json]") {
  CHECK(syntax_error("{\"a\":\"\xff\"}") != "(no error)");
  CHECK(syntax_error("{\"a\":\"\xc3\"}") != "(no error)");
}

TEST_CASE("a NUL byte is no end of the document", "[json]") {
  CHECK(syntax_error(std::string("{}\0", 3)) == "line 1, column 3: a NUL byte");
  CHECK(syntax_error(std::string("{\n\"a\0\": 1}", 10)) == "line 2, column 3: a NUL byte");
}

TEST_CASE("printing indents by four spaces and ends without a newline", "[json]") {
  CHECK(print_json(parse_json(R"({"b":[1,{"c":[]}],"a":{}})")) ==
        "{\n    \"b\": [\n        1,\n        {\n            \"c\": []\n        }\n    ],\n    "
        "\"a\": {}\n}");
}

TEST_CASE("printing escapes what Go escapes and what cannot be seen, in keys and in values",
          "[json]") {
  CHECK(print_json(Json("<a&b>")) == R"("\u003ca\u0026b\u003e")");
  CHECK(print_json(Json{{"<nil>", "&"}}) == "{\n    \"\\u003cnil\\u003e\": \"\\u0026\"\n}");
  CHECK(print_json(Json("\u2028\u2029")) == R"("\u2028\u2029")");
  CHECK(print_json(Json("\u2027\u202a")) == "\"\u2027\\u202a\"");
  CHECK(print_json(Json("\"\\\n\t\r\x01")) == R"("\"\\\n\t\r\u0001")");
  CHECK(print_json(Json("h\u00e4\U0001f600\x7f")) == "\"h\u00e4\U0001f600\\u007f\"");
}

TEST_CASE("printing invalid UTF-8 replaces it and never throws", "[json]") {
  CHECK(print_json(Json("a\xff\xfe b")) == "\"a\ufffd\ufffd b\"");
  CHECK(print_json(Json("cut off \xe2\x80")) == "\"cut off \ufffd\"");
}

TEST_CASE("reading a printed document gives the same document back", "[json]") {
  const Json document = parse_json(
      R"({"a":"<\u2028>&\"\\","b":[-9223372036854775808,18446744073709551615,1.5,true,null],"":{}})");
  CHECK(parse_json(print_json(document)) == document);
}

TEST_CASE("JSON types have names for error texts", "[json]") {
  const auto [text, name] = GENERATE(table<std::string, std::string>({
      {"null", "null"},
      {"{}", "an object"},
      {"[]", "an array"},
      {"\"\"", "a string"},
      {"false", "true or false"},
      {"-1", "a number"},
      {"1", "a number"},
      {"1.5", "a number"},
  }));
  CHECK(shim::type_name(parse_json(text)) == name);
}

TEST_CASE("what is not wanted is left out, and what is wrong in it is still refused", "[json]") {
  const shim::Wanted wanted = [](const std::vector<std::string>& path) {
    return path.front() != "skip" && path.back() != "drop";
  };
  const std::string text =
      R"({"skip":{"a":[1,{"b":2}]},"x":{"drop":"s","keep":[{"drop":[[]],"c":1}]},"skip":[],"y":2})";
  CHECK(parse_json(text, wanted).dump() == R"({"x":{"keep":[{"c":1}]},"y":2})");
  CHECK_THROWS_AS(parse_json(R"({"skip":{"a":[1,}})", wanted), shim::JsonSyntaxError);
  CHECK_THROWS_AS(parse_json("{\"skip\":\"\xff\"}", wanted), shim::JsonSyntaxError);
  CHECK_THROWS_AS(parse_json(R"({"skip":)" + nested(64) + "}", wanted), shim::JsonSyntaxError);
  CHECK(parse_json(R"({"skip":)" + nested(63) + R"(,"y":1})", wanted).dump() == R"({"y":1})");
}

TEST_CASE("of many equal keys the last one stays", "[json]") {
  std::string text = "{\"first\":0";
  for (int i = 0; i < 1000; ++i)
    text += ",\"k" + std::to_string(i % 10) + "\":" + std::to_string(i);
  const Json object = parse_json(text + ",\"last\":1}");
  CHECK(object.dump() ==
        R"({"first":0,"k0":990,"k1":991,"k2":992,"k3":993,"k4":994,"k5":995,"k6":996,"k7":997,)"
        R"("k8":998,"k9":999,"last":1})");
}
