// YAML in and out: what Kubernetes' files are made of.
#include "shim/cli/yaml.hpp"

#include <nlohmann/json.hpp>

#include "test/unit/catch.hpp"

using shim::Json;
using shim::parse_yaml;
using shim::print_yaml;
using shim::YamlError;

TEST_CASE("yaml: what a word without quotes means", "[yaml]") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"a: true", R"({"a":true})"},
      {"a: 'true'", R"({"a":"true"})"},
      {"a: 12", R"({"a":12})"},
      {"a: -1.5", R"({"a":-1.5})"},
      {"a: 10.244.0.0/16", R"({"a":"10.244.0.0/16"})"},
      {"a: fd00::1", R"({"a":"fd00::1"})"},
      {"a: 1.2.3", R"({"a":"1.2.3"})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"a: ''", R"({"a":""})"},
      {"a: inf", R"({"a":"inf"})"},
      {"a: [yes, On, n, OFF, yEs]", R"({"a":[true,true,false,false,"yEs"]})"},
      {"a: [0644, 0o17, 0x1F, -0b11, +5, 1_000, 0]", R"({"a":[420,15,31,-3,5,1000,0]})"},
      {"a: [08, 0x, _1, 0b2]", R"({"a":[8.0,"0x","_1","0b2"]})"},
      {"a: 18446744073709551615", R"({"a":18446744073709551615})"},
      {"a: -9223372036854775808", R"({"a":-9223372036854775808})"},
      {"a: !!int \"12\"", R"({"a":12})"},
      {"a: !!str 12", R"({"a":"12"})"},
      {"{a: [1, {b: c}], d: {}}", R"({"a":[1,{"b":"c"}],"d":{}})"},
      {"a: |\n  x\n   y\n", R"({"a":"x\n y\n"})"},
      {"a: 1\na: 2\n", R"({"a":2})"},
      {"a: &x {b: 1}\nc: *x\n", R"({"a":{"b":1},"c":{"b":1}})"},
      {"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n", R"({"a":{"b":1,"c":2},"d":{"c":3,"b":1}})"},
      {"a: &x {b: 1}\nd: {<<: [*x, {b: 2, c: 3}]}\n", R"({"a":{"b":1},"d":{"b":1,"c":3}})"},
      {"'<<': {a: 1}", R"({"<<":{"a":1}})"},
      {"<<: text", R"({"<<":"text"})"},
  }));
  INFO(text);
  const auto documents = parse_yaml(text);
  REQUIRE(documents.size() == 1);
  CHECK(documents[0].dump() == expected);
}

TEST_CASE("yaml: every document of a stream, but not the empty ones", "[yaml]") {
  const auto documents = parse_yaml("# nothing\n---\na: 1\n---\n---\n- 2\n...\n");
  REQUIRE(documents.size() == 2);
  CHECK(documents[0].dump() == R"({"a":1})");
  CHECK(documents[1].dump() == "[2]");
  CHECK(parse_yaml("").empty());
}

TEST_CASE("yaml: what cannot be read is told with its place", "[yaml]") {
  const auto [text, place] = GENERATE(table<std::string, std::string>({
      {"a: [1", "line "},
      {"a: 1\n b: 2", "line 2"},
      {"? [1]\n: 2", "line 1"},
      {"a: *x", "line 1, column 4: unknown alias"},
      {std::string(70, '['), "line 1"},
  }));
  INFO(text);
  try {
    static_cast<void>(parse_yaml(text));
    FAIL("was read");
  } catch (const YamlError& error) {
    CHECK(std::string(error.what()).find(place) == 0);
  }
}

TEST_CASE("yaml: aliases that would grow without end are refused", "[yaml]") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 8; ++j) text += ", " + before;
    text += "]\n";
  }
  CHECK_THROWS_AS(parse_yaml(text), YamlError);
}

namespace {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("yaml: a text that aliases and anchors make large is refused", "[yaml]") {
  const std::string large(500'000, 'x');
  std::string text;
  SECTION("aliases of a text") {
    text = "a: &a " + large + "\nb: [" + repeated("*a, ", 800) + "]\n";
  }
  SECTION("aliases of what has a long key") {
    text = "a: &a {\"" + large.substr(0, 1000) + "\": 1}\nb: [" + repeated("*a, ", 20'000) + "]\n";
  }
  SECTION("aliases by way of merging") {
    text = "a: &a {b: " + large + "}\n" + repeated("? x\n: {<<: *a}\n", 40);
  }
  SECTION("anchors inside one another") {
    text = "a:\n";
    std::string indent = " ";
    for (int i = 0; i < 50; ++i, indent += " ") text += indent + "- &a" + std::to_string(i) + "\n";
    text += indent + "- " + large + "\n";
  }
  try {
    static_cast<void>(parse_yaml(text));
    FAIL("was read");
  } catch (const YamlError& error) {
    CHECK(std::string(error.what()).ends_with(": more than 16 MiB of text"));
  }
}

TEST_CASE("yaml: a large file without aliases is read, and one with small ones", "[yaml]") {
  std::string nested = "x";
  for (int i = 0; i < 50; ++i) nested = "&a" + std::to_string(i) + " [" + nested + "]";
  CHECK(parse_yaml(nested).size() == 1);
  const std::string large(std::size_t{4} << 20, 'x');
  CHECK(parse_yaml("a: " + large).size() == 1);
  CHECK(parse_yaml("a: &a {b: c}\nd: [" + repeated("*a, ", 10'000) + "]\n").size() == 1);
}

TEST_CASE("yaml: of keys that are given twice the first thousand are told", "[yaml]") {
  std::vector<shim::DuplicateKey> duplicates;
  const int depth = 40;
  const std::string text =
      repeated("{a: ", depth) + "{" + repeated("b: 1, ", 5000) + "}" + repeated("}", depth);
  CHECK(parse_yaml(text, &duplicates).size() == 1);
  CHECK(duplicates.size() == 1000);
}

TEST_CASE("yaml: what is printed reads back as the same", "[yaml]") {
  const auto text = GENERATE(
      as<std::string>{}, R"({"a":"true","b":"12","c":"no","d":"","e":null,"f":[],"g":{}})",
      R"({"conf":"{\n  \"a\": 1\n}\n","last":"one\ntwo"})",
      R"([{"a":1,"b":[{"c":"x: y"},"- z","#no","a #b","'q'","\"q\""]},"\u00fc"])",
      R"({"~":"null","on":"Yes","1":"1e3","0x10":"0x10","tab":"a\tb"})",
      R"({"a":"0644","b":"0x1F","c":"1_0e3","d":"2024-01-01","e":"12:30","f":"<<","g":".inf"})",
      R"({"edge":"  lead\nand trail  \n\n","spaces":" a ","colon":"a:"})");
  const Json document = Json::parse(text);
  const std::string printed = print_yaml(document);
  INFO(printed);
  const auto back = parse_yaml(printed);
  REQUIRE(back.size() == 1);
  CHECK(back[0] == document);
}

TEST_CASE("yaml: the form is the one that people write", "[yaml]") {
  const Json document = Json::parse(
      R"({"kind":"ConfigMap","data":{"conf":"{\n  \"a\": 1\n}\n"},"list":[{"a":1},2],"none":[],"flag":"yes"})");
  CHECK(print_yaml(document) ==
        "kind: ConfigMap\ndata:\n  conf: |\n    {\n      \"a\": 1\n    }\nlist:\n- a: 1\n- 2\n"
        "none: []\nflag: \"yes\"\n");
}
