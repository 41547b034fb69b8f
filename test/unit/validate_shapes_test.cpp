// What a misspelled key's value can mean, keys that are there twice, members that move.
#include "shim/cli/validate/document/containers.hpp"
#include "shim/cli/validate/document/duplicates.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/document/shapes.hpp"
#include "test/unit/catch.hpp"

using shim::Json;
using namespace shim::validate;  // NOLINT(google-build-using-namespace)

namespace {

/// The value in that shape, as text; "none" when it cannot have it.
std::string shaped(const char* value, Shape shape) {
  const auto result = in_shape(Json::parse(value), shape);
  return result ? result->dump() : "none";
}

std::string places_of(const std::vector<shim::DuplicateKey>& duplicates) {
  std::string text;
  for (const auto& one : duplicates) {
    for (const auto& key : one.path) text += "/" + key;
    text += " " + one.first + "; " + one.second + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("validate shapes: a value has one meaning, or none", "[validate]") {
  const auto [value, shape, result] = GENERATE(table<const char*, Shape, const char*>({
      {R"("10.1.0.0/24")", Shape::block, R"("10.1.0.0/24")"},
      {R"(["10.1.0.0/24"])", Shape::block, R"("10.1.0.0/24")"},
      {R"(["10.1.0.0/24", "10.2.0.0/24"])", Shape::block, "none"},
      {R"("10.1.0.0/24")", Shape::sets, R"([[{"subnet":"10.1.0.0/24"}]])"},
      {R"(["10.1.0.0/24"])", Shape::sets, R"([[{"subnet":"10.1.0.0/24"}]])"},
      {R"({"subnet": "x"})", Shape::sets, R"([[{"subnet":"x"}]])"},
      {R"([{"subnet": "x"}, {"subnet": "y"}])", Shape::sets, "none"},
      {R"("10.1.0.9")", Shape::address, R"("10.1.0.9")"},
      {R"("first")", Shape::address, "none"},
      {R"("x")", Shape::spans, "none"},
      {R"("10.1.0.1-10.1.0.9")", Shape::spans, R"(["10.1.0.1-10.1.0.9"])"},
      {R"({"dst": "x"})", Shape::objects, R"([{"dst":"x"}])"},
      {R"("IPv6")", Shape::families, R"(["IPv6"])"},
      {R"("dual")", Shape::families, "none"},
      {"true", Shape::flag_or_object, "true"},
      {R"("true")", Shape::flag, "none"},
      {R"("/x")", Shape::path, R"("/x")"},
      {R"("x")", Shape::path, "none"},
  }));
  INFO(value);
  CHECK(shaped(value, shape) == result);
}

TEST_CASE("validate duplicates: both places are named, whatever the keys look like", "[validate]") {
  CHECK(
      places_of(duplicate_keys("{\"a\": [1, {\"b\": 1,\n \"\\u0062\" : {}}], \"a\": \"}\\\"\"}")) ==
      "/a/1/b line 1, column 12; line 2, column 2\n/a line 1, column 2; line 2, column 19\n");
  CHECK(duplicate_keys(R"({"a": {"a": [{"a": 1}, {"a": 2}]}, "A": [], "": {}})").empty());
  std::vector<shim::DuplicateKey> found;
  shim::parse_yaml("a: 1\n---\nb:\n- {c: 1, c: 2}\n<<: {d: 1}\nd: 2\n", &found);
  CHECK(places_of(found) == "/b/0/c line 4, column 4; line 4, column 10\n");
  CHECK(found.at(0).document == 1);
}

TEST_CASE("validate edit: a member moves inwards and outwards, or stays", "[validate]") {
  Json plugin = Json::parse(R"({"a": 1, "x": {"b": 2, "z": 1}, "y": [3]})");
  CHECK(move_member(plugin, "a", plugin["x"]));
  CHECK(plugin.dump() == R"({"x":{"b":2,"z":1,"a":1},"y":[3]})");
  CHECK(move_member(plugin["x"], "b", plugin));
  CHECK(plugin.dump() == R"({"x":{"z":1,"a":1},"y":[3],"b":2})");
  plugin["A"] = 7;
  CHECK_FALSE(move_member(plugin["x"], "a", plugin));
  plugin["A"] = 1;
  CHECK(move_member(plugin["x"], "a", plugin));
  CHECK(plugin.dump() == R"({"x":{"z":1},"y":[3],"b":2,"A":1})");
}

TEST_CASE("validate containers: dotted keys become objects where there is room", "[validate]") {
  Findings findings;
  Json values = Json::parse(R"({"ipam.mode": "x", "cni": "y", "cni.a": 1, "some.host/x": 2})");
  unfold_dotted_keys(values, Report(findings, 0, ""));
  CHECK(values.dump() == R"({"cni":"y","cni.a":1,"some.host/x":2,"ipam":{"mode":"x"}})");
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].pointer == "/ipam.mode");
}
