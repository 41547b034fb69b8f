// How much an ADD may be asked for, and by whom.
#include "shim/cni/conf/requests.hpp"

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using shim::parse_json;
using shim::RequestsConf;

namespace {

std::string list_of(std::size_t count, const std::string& quote) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += (i == 0 ? "" : ",") + quote + "10.0.0." + std::to_string(i) + quote;
  return text;
}

std::string annotation(std::size_t count) {
  return R"({"runtimeConfig": {"io.kubernetes.cri.pod-annotations": {"delegated-ipam.io/ips": ")" +
         list_of(count, "") + "\"}}}";
}

std::string error_of(const std::string& document, bool is_in_arguments = false) {
  try {
    shim::refuse_too_many_requests(parse_json(document), is_in_arguments);
    return "";
  } catch (const shim::CniError& error) {
    CHECK(error.code == shim::ErrorCode::invalid_config);
    return error.what();
  }
}

}  // namespace

TEST_CASE("sixteen addresses may be requested, from wherever they come", "[requests]") {
  const auto in_args = [](std::size_t count) {
    return R"({"args": {"cni": {"ips": [)" + list_of(count, "\"") + "]}}}";
  };
  const auto in_runtime_config = [](std::size_t count) {
    return R"({"runtimeConfig": {"ips": [)" + list_of(count, "\"") + "]}}";
  };
  for (const auto& document : {in_args(16), in_runtime_config(16), annotation(16)}) {
    CHECK(error_of(document).empty());
    CHECK(error_of(document, true) == "17 addresses are requested, but at most 16 may be");
  }
  for (const auto& document : {in_args(17), in_runtime_config(17), annotation(17)})
    CHECK(error_of(document) == "17 addresses are requested, but at most 16 may be");
  CHECK(error_of(annotation(37'000)).starts_with("37000 addresses"));
}

TEST_CASE("what is mistyped is somebody else's to report", "[requests]") {
  for (const char* document : {"{}", R"({"args": 7})", R"({"args": {"cni": {"ips": "10.0.0.1"}}})",
                               R"({"runtimeConfig": []})",
                               R"({"runtimeConfig": {"io.kubernetes.cri.pod-annotations": 1}})"})
    CHECK(error_of(document, true).empty());
}

TEST_CASE("requests knows three words", "[requests]") {
  const auto read = [](const std::string& word) {
    const auto document = parse_json(R"({"requests": ")" + word + "\"}");
    return shim::read_requests({&document, "/ipam", shim::ErrorCode::invalid_config});
  };
  CHECK(read("own") == RequestsConf::own);
  CHECK(read("none") == RequestsConf::none);
  CHECK(read("any") == RequestsConf::any);
  CHECK_THROWS_AS(read("all"), shim::CniError);
  CHECK(shim::read_requests({nullptr, "/ipam", shim::ErrorCode::invalid_config}) ==
        RequestsConf::own);
}

TEST_CASE("where pods may ask for nothing, they are told so", "[requests]") {
  CHECK_NOTHROW(shim::refuse_request_of_pod(RequestsConf::own));
  CHECK_NOTHROW(shim::refuse_request_of_pod(RequestsConf::any));
  CHECK_THROWS_AS(shim::refuse_request_of_pod(RequestsConf::none), shim::CniError);
}
