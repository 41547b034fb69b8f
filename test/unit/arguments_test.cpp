#include "shim/cni/protocol/arguments.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using shim::parse_arguments;
using shim::parse_arguments_leniently;
using test::cni_error;

namespace {

std::string args_error(const std::string& text) {
  return cni_error([&] { parse_arguments(text); });
}

}  // namespace

TEST_CASE("E21 to E25: wrong CNI_ARGS have host-local's messages", "[arguments]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {"IP", R"(invalid pair "IP")"},
      {"IP=10.1.2.3;", R"(invalid pair "")"},
      {";", R"(invalid pair "")"},
      {"IP=10.1.2.3=4", R"(invalid pair "IP=10.1.2.3=4")"},
      {"a\tb", R"(invalid pair "a\tb")"},
      {"A=b", R"(unknown args ["A=b"])"},
      {"A=b;C=d", R"(unknown args ["A=b" "C=d"])"},
      {"K8S_POD_NAME=web", R"(unknown args ["K8S_POD_NAME=web"])"},
      {"ip=10.1.2.3", R"(unknown args ["ip=10.1.2.3"])"},
      {"ignoreunknown=1;A=b", R"(unknown args ["ignoreunknown=1" "A=b"])"},
      {"A=b;IgnoreUnknown=0", R"(unknown args ["A=b"])"},
      {"IP=foo", R"(error parsing value of pair "IP=foo": invalid IP address foo)"},
      {"IP=10.1.2.3/33",
       R"(error parsing value of pair "IP=10.1.2.3/33": invalid IP address 10.1.2.3/33)"},
      {"IgnoreUnknown=yes",
       "error parsing value of pair \"IgnoreUnknown=yes\": boolean unmarshal error: invalid input "
       "yes"},
      {"IgnoreUnknown=YES",
       "error parsing value of pair \"IgnoreUnknown=YES\": boolean unmarshal error: invalid input "
       "yes"},
      {"IgnoreUnknown=",
       R"(error parsing value of pair "IgnoreUnknown=": boolean unmarshal error: invalid input )"},
      {"CommonArgs=x",
       "cannot unmarshal into field 'CommonArgs' - type '*types.CommonArgs' does not implement "
       "encoding.TextUnmarshaler"},
  }));
  INFO("CNI_ARGS " << text);
  CHECK(args_error(text) == "999: ARGS: " + error);
}

TEST_CASE("unknown keys pass with IgnoreUnknown anywhere in the text", "[arguments]") {
  const std::string text = GENERATE(values<std::string>(
      {"", "IgnoreUnknown=1", "IgnoreUnknown=1;A=b", "A=b;IgnoreUnknown=true",
       "A=b;IgnoreUnknown=TRUE;C=d", "IgnoreUnknown=0", "IgnoreUnknown=False", "IP="}));
  INFO("CNI_ARGS " << text);
  CHECK(args_error(text) == "ok");
}

TEST_CASE("the pod's names are read from what a Kubernetes runtime sends", "[arguments]") {
  const auto arguments = parse_arguments(
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1;"
      "K8S_POD_UID=u-1");
  CHECK(arguments.pod_namespace == "prod");
  CHECK(arguments.pod_name == "web-0");
  CHECK(arguments.pod_uid == "u-1");
  CHECK_FALSE(arguments.ip.has_value());
}

TEST_CASE("of several IP keys the last one counts", "[arguments]") {
  CHECK(parse_arguments("IP=10.1.2.3;IP=10.1.2.4").ip == test::ip("10.1.2.4"));
  CHECK_FALSE(parse_arguments("IP=10.1.2.3;IP=").ip.has_value());
}

TEST_CASE("lenient reading takes the address that is one", "[arguments]") {
  CHECK(parse_arguments_leniently("a=b=c;IP=10.1.2.3/24;x").ip == test::ip("10.1.2.3"));
  CHECK_FALSE(parse_arguments_leniently("IP=foo").ip.has_value());
}

TEST_CASE("lenient reading takes the pod's names out of anything", "[arguments]") {
  const auto arguments =
      parse_arguments_leniently("IP=foo;;x;K8S_POD_NAMESPACE=prod;a=b=c;K8S_POD_NAME=web;");
  CHECK(arguments.pod_namespace == "prod");
  CHECK(arguments.pod_name == "web");
  CHECK(parse_arguments_leniently("").pod_name.empty());
}

TEST_CASE("a requested address is an address with or without a prefix length", "[arguments]") {
  const auto [text, address] = GENERATE(table<std::string, std::string>({
      {"10.1.2.3", "10.1.2.3"},
      {"10.1.2.3/24", "10.1.2.3"},
      {"2001:db8::1/64", "2001:db8::1"},
      {"::ffff:10.1.2.3", "10.1.2.3"},
      {"::ffff:10.1.2.3/120", "10.1.2.3"},
      {"192.168.0.1000", "none"},
      {"2001:db8::1/256", "none"},
      {"test", "none"},
      {"", "none"},
      {"10.1.2.3/", "none"},
      {"/24", "none"},
  }));
  const auto parsed = shim::parse_requested_address(text);
  INFO("text " << text);
  CHECK((parsed ? parsed->to_string() : "none") == address);
}
