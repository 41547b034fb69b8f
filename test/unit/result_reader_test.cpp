#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/protocol/go_json.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/result_text.hpp"

using allocator::Address;
using allocator::Cidr;
using shim::Json;
using shim::Route;

namespace {

Route route(const std::string& dst, const std::string& gw = "") {
  Route made;
  made.dst = Cidr::parse(dst);
  made.gw = Address::parse(gw);
  return made;
}

std::string read_error(const std::string& text, const std::string& version = "1.1.0") {
  return error_of([&] { shim::read_result(text, version); });
}

std::string route_error(const std::string& text,
                        shim::MissingDestination missing = shim::MissingDestination::keep) {
  return error_of([&] { shim::read_route(Json::parse(text), "/ipam/routes/0", missing); });
}

std::string prev_result_error(const std::string& text, const std::string& version) {
  return error_of([&] { shim::read_prev_result(Json::parse(text), version); });
}

}  // namespace

TEST_CASE("the version that the result has is the one that it is read by, within its family",
          "[result]") {
  CHECK(shim::version_of(shim::read_result(R"({"cniVersion":"0.3.1"})", "0.4.0")) == "0.3.1");
  CHECK(shim::version_of(shim::read_result("{}", "0.2.0")) == "0.1.0");
  CHECK(read_error(R"({"cniVersion":"1.0.0"})", "0.4.0") ==
        R"(result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled CNIVersion is "1.0.0")");
  CHECK(read_error("{}", "1.0.0") ==
        R"(result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "")");
  CHECK(read_error("{", "9.9.9") == R"(unsupported CNI result version "9.9.9")");
}

TEST_CASE("a route is read with all its fields, in any letter case", "[route]") {
  const auto read = shim::read_route(
      Json::parse(R"({"DST":"10.9.8.7/8","Gw":"10.0.0.1","MTU":1400,"advMSS":1360,"priority":-1,)"
                  R"("table":0,"scope":253,"other":[]})"),
      "/ipam/routes/0");
  Route expected = route("10.9.8.7/8", "10.0.0.1");
  expected.mtu = 1400;
  expected.advmss = 1360;
  expected.priority = -1;
  expected.table = 0;
  expected.scope = 253;
  CHECK(read == expected);
}

TEST_CASE("nulls and empty texts in a route mean not given", "[route]") {
  const auto read = shim::read_route(
      Json::parse(R"({"dst":"10.0.0.0/8","gw":"","mtu":null,"table":null,"scope":null})"), "");
  CHECK(read == route("10.0.0.0/8"));
  CHECK(shim::read_route(Json::parse(R"({"dst":"10.0.0.0/8","gw":null})"), "") == read);
}

TEST_CASE("a bad route is told in Go's words, or by its place", "[route]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {R"({"dst":"10.0.0.0"})", "invalid CIDR address: 10.0.0.0"},
      {R"({"dst":""})", "invalid CIDR address: "},
      {R"({"dst":null})", "invalid CIDR address: "},
      {R"({"gw":"10.1.0.1/16"})", "invalid IP address: 10.1.0.1/16"},
      {R"({"dst":5})", "/ipam/routes/0/dst must be a string, but is a number"},
      {R"({"gw":{}})", "/ipam/routes/0/gw must be a string, but is an object"},
      {R"({"mtu":"1500"})",
       "/ipam/routes/0/mtu must be a whole number of at most 64 bits, but is a string"},
      {R"({"mtu":1.5})",
       "/ipam/routes/0/mtu must be a whole number of at most 64 bits, but is 1.5"},
      {R"({"scope":9223372036854775808})",
       "/ipam/routes/0/scope must be a whole number of at most 64 bits, but is "
       "9223372036854775808"},
      {R"({"table":true})",
       "/ipam/routes/0/table must be a whole number of at most 64 bits, but is true or false"},
      {R"("10.0.0.0/8")", "/ipam/routes/0 must be an object, but is a string"},
      {"[]", "/ipam/routes/0 must be an object, but is an array"},
      {"null", "/ipam/routes/0 must be an object, but is null"},
      {R"({"mtu":"x","dst":"y"})", "invalid CIDR address: y"},
  }));
  CHECK(route_error(text) == error);
}

TEST_CASE("a route without a destination is refused on request only", "[route]") {
  CHECK_FALSE(shim::read_route(Json::parse(R"({"gw":"10.0.0.1"})"), "").dst.has_value());
  CHECK(route_error(R"({"gw":"10.0.0.1"})", shim::MissingDestination::refuse) ==
        "/ipam/routes/0/dst is missing");
  CHECK(route_error(R"({"dst":"10.0.0.0/8"})", shim::MissingDestination::refuse) == "(no error)");
}

TEST_CASE("the first bad address of a document is reported, before any mistyped value",
          "[result]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {R"({"routes":[{"dst":"r"}],"ips":[{"address":"i"}]})", "invalid CIDR address: r"},
      {R"({"ips":[{"address":"i"}],"routes":[{"dst":"r"}]})", "invalid CIDR address: i"},
      {R"({"dns":"x","ips":[{"address":"i"}]})", "invalid CIDR address: i"},
      {R"({"dns":5,"ips":{}})", "/dns must be an object, but is a number"},
      {R"({"ips":[null,{"address":"i"}]})", "invalid CIDR address: i"},
      {R"({"ips":[{"interface":"x"},{"address":"i"}]})",
       "/ips/0/interface must be a whole number of at most 64 bits, but is a string"},
      {R"({"dns":{"search":["a",5]}})", "/dns/search/1 must be a string, but is a number"},
      {R"({"interfaces":[{"name":[]}]})", "/interfaces/0/name must be a string, but is an array"},
      {R"([])", "the document must be an object, but is an array"},
  }));
  CHECK(read_error(text) == error);
}

TEST_CASE("a null in a list of objects is refused", "[result]") {
  CHECK(read_error(R"({"ips":[null]})") == "/ips/0 must be an object, but is null");
  CHECK(read_error(R"({"routes":[{},null]})") == "/routes/1 must be an object, but is null");
  CHECK(read_error(R"({"interfaces":[null]})") == "/interfaces/0 must be an object, but is null");
  CHECK(read_error(R"({"ip4":{"routes":[null]}})", "0.2.0") ==
        "/ip4/routes/0 must be an object, but is null");
}

TEST_CASE("a null in a list of texts is the empty text", "[result]") {
  CHECK(converted(R"({"dns":{"search":["a",null]}})", "", "0.1.0") ==
        R"({"cniVersion":"0.1.0","dns":{"search":["a",""]}})");
}

TEST_CASE("of keys that differ in letter case the later one wins", "[result]") {
  CHECK(converted(R"({"cniVersion":"1.1.0","IPS":[{"address":"10.0.0.1/8"}],)"
                  R"("ips":[{"address":"10.0.0.2/8"}],"Ips":null})",
                  "1.1.0", "1.1.0") == R"({"cniVersion":"1.1.0"})");
  CHECK(converted(R"({"CNIVERSION":"1.0.0","cniVersion":"1.1.0"})", "1.0.0", "1.1.0") ==
        R"({"cniVersion":"1.1.0"})");
}

TEST_CASE("a missing address is printed as Go prints none", "[result]") {
  CHECK(shim::print_document(shim::read_result(R"({"ip4":{}})", "0.1.0"))
            .find(R"("ip": "\u003cnil\u003e")") != std::string::npos);
}

TEST_CASE("a delegate's result without a version has that of its configuration", "[delegate]") {
  const std::string ips = R"("ips":[{"address":"10.0.0.1/8"}])";
  const std::string expected = R"({"cniVersion":"1.0.0",)" + ips + "}";
  CHECK(delegated("{" + ips + "}", "1.0.0", "1.0.0") == expected);
  CHECK(delegated(R"({"cniVersion":"",)" + ips + "}", "1.0.0", "1.0.0") == expected);
  CHECK(delegated(R"({"cniVersion":null,)" + ips + "}", "1.0.0", "1.0.0") == expected);
  CHECK(delegated(R"({"cniVersion":5,)" + ips + "}", "1.0.0", "1.0.0") == expected);
  CHECK(delegated("null", "1.0.0", "1.0.0") == R"({"cniVersion":"1.0.0"})");
  CHECK(delegated(R"({"ip4":{"ip":"10.0.0.1/8"}})", "", "") ==
        R"({"cniVersion":"0.1.0","ip4":{"ip":"10.0.0.1/8"},"dns":{}})");
}

TEST_CASE("a delegate's other spellings of cniVersion count if they sort behind it", "[delegate]") {
  CHECK(delegated(R"({"CNIVersion":"0.4.0"})", "1.0.0", "1.0.0") == R"({"cniVersion":"1.0.0"})");
  CHECK(error_of([] { shim::read_delegate_result(R"({"cniversion":"0.4.0"})", "1.0.0"); }) ==
        R"(result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.4.0")");
}

TEST_CASE("a delegate's stdout that is no result is an error that says so", "[delegate]") {
  const auto error = [](const char* text) {
    return error_of([&] { shim::read_delegate_result(text, "1.0.0"); });
  };
  CHECK(error("") == "failed to unmarshal raw result: unexpected end of JSON input");
  CHECK(error("[]") ==
        "failed to unmarshal raw result: the document must be an object, but is an array");
  CHECK_THAT(error("ok"), Catch::Matchers::StartsWith("failed to unmarshal raw result: line 1, "));
  CHECK(error(R"({"cniVersion":"2.0.0"})") == R"(unsupported CNI result version "2.0.0")");
}

TEST_CASE("a previous result may leave its version out or have another of the same family",
          "[prevResult]") {
  const std::string ips = R"("ips":[{"address":"10.0.0.1/8"}])";
  const auto version = [](const std::string& text, const char* config) {
    return shim::version_of(shim::read_prev_result(Json::parse(text), config));
  };
  CHECK(version("{" + ips + "}", "1.1.0") == "1.1.0");
  CHECK(version(R"({"cniVersion":"1.0.0",)" + ips + "}", "1.1.0") == "1.0.0");
  CHECK(version(R"({"CNIVersion":"1.0.0"})", "1.1.0") == "1.0.0");
  CHECK(version("{}", "") == "0.1.0");
}

TEST_CASE("a previous result of another family, or of an empty version, is an error",
          "[prevResult]") {
  CHECK(prev_result_error(R"({"cniVersion":"0.4.0"})", "1.1.0") ==
        "could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled "
        "CNIVersion is \"0.4.0\"");
  CHECK(prev_result_error(R"({"cniVersion":""})", "0.4.0") ==
        "could not parse prevResult: result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled "
        "CNIVersion is \"\"");
  CHECK(prev_result_error("[]", "0.4.0") == "prevResult must be an object, but is an array");
}

TEST_CASE("numbers go through a double in a generic map", "[generic]") {
  const auto [from, to] = GENERATE(table<std::string, std::string>({
      {"0", "0"},
      {"-1", "-1"},
      {"1000.0", "1000"},
      {"1e3", "1000"},
      {"1.5", "1.5"},
      {"9007199254740991", "9007199254740991"},
      {"9007199254740993", "9007199254740992"},
      {"123456789012345678", "123456789012345680"},
      {"4611686018427387905", "4611686018427388000"},
      {"9223372036854775807", "9223372036854776000"},
      {"-9223372036854774785", "-9223372036854775000"},
      {"18446744073709549568", "18446744073709550000"},
  }));
  CHECK(shim::through_generic_map(Json::parse(from)).dump() == to);
}

TEST_CASE("keys are sorted at every level of a generic map", "[generic]") {
  CHECK(shim::through_generic_map(Json::parse(R"({"b":[{"z":1,"Z":2}],"a":{"d":null,"c":"x"}})"))
            .dump() == R"({"a":{"c":"x","d":null},"b":[{"Z":2,"z":1}]})");
}
