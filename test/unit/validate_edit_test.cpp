// Looking at and correcting documents: what the rules of `validate` are written with.
#include "shim/cli/validate/document/edit.hpp"
#include "test/unit/catch.hpp"

using shim::Json;
using namespace shim::validate;  // NOLINT(google-build-using-namespace)

TEST_CASE("validate edit: members in any letter case, the last one wins", "[validate]") {
  Json object = Json::parse(R"({"DataDir": "a", "x": 1, "dataDir": "b", "none": null})");
  CHECK(text_member(object, "datadir") == "b");
  CHECK(text_member(object, "x").empty());
  CHECK(spelled(object, "DATADIR") == "DataDir");
  CHECK(spelled(object, "stateDir") == "stateDir");
  CHECK(member(object, "none") == nullptr);
  shim::erase_member(object, "datadir");
  CHECK(object.dump() == R"({"x":1,"none":null})");
  CHECK(entries(Json(7)).empty());
  CHECK(elements(object, "x").empty());
}

TEST_CASE("validate edit: a member that is taken out leaves the others whole", "[validate]") {
  Json object = Json::parse(R"({"a": 1, "b": {"c": [{"d": 2}]}, "e": {"f": 3}})");
  shim::erase_member(object, "a");
  Json copy = object;
  copy["b"]["c"][0]["d"] = 4;
  CHECK(object.dump() == R"({"b":{"c":[{"d":2}]},"e":{"f":3}})");
  CHECK(copy.dump() == R"({"b":{"c":[{"d":4}]},"e":{"f":3}})");
}

TEST_CASE("validate edit: paths of exact keys, made where they are missing", "[validate]") {
  Json values = Json::parse(R"({"ipam": {"Mode": "a"}, "cni": "text", "on": true})");
  CHECK(at_path(values, "ipam/mode") == nullptr);
  CHECK(text_at(values, "ipam/Mode") == "a");
  CHECK(text_at(values, "on") == "true");
  CHECK(text_at(values, "cni/configMap").empty());
  set_at_path(values, "ipam/mode", "b");
  set_at_path(values, "cni/configMap", "c");
  set_at_path(values, "new/deep/key", false);
  CHECK(values.dump() == R"({"ipam":{"Mode":"a","mode":"b"},"cni":{"configMap":"c"},"on":true,)"
                         R"("new":{"deep":{"key":false}}})");
}

TEST_CASE("validate edit: what a scalar is taken for", "[validate]") {
  CHECK(scalar_text("12") == "12");
  CHECK(scalar_text(false) == "false");
  CHECK(scalar_text(12).empty());
  CHECK(scalar_text(nullptr).empty());
  CHECK(scalar_text(Json::array({"a"})).empty());
}

TEST_CASE("validate edit: keys in JSON pointers are escaped", "[validate]") {
  CHECK(escaped("cni-conf.json") == "cni-conf.json");
  CHECK(escaped("a/b~c") == "a~1b~0c");
}

TEST_CASE("validate edit: lists with commas", "[validate]") {
  using Parts = std::vector<std::string_view>;
  CHECK(split_list("").empty());
  CHECK(split_list(" a , b,c ") == Parts{"a", "b", "c"});
  CHECK(split_list(",a") == Parts{"", "a"});
}

TEST_CASE("validate edit: paths are compared as folders", "[validate]") {
  CHECK(clean_path("/var//run/./x/../cni/") == "/var/run/cni");
  CHECK(clean_path("/") == "/");
  CHECK(lies_in("/run/flannel", "/run"));
  CHECK(lies_in("/run", "/run"));
  CHECK_FALSE(lies_in("/runtime", "/run"));
}
