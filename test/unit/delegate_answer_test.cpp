// What a delegate's run means: its error as the caller gets it, or a result that the caller can
// use.
#include "shim/cni/verbs/delegate_answer.hpp"

#include <csignal>
#include <string>

#include "shim/cni/result/result.hpp"
#include "test/unit/catch.hpp"

using delegate::End;
using delegate::ProcessOutcome;

namespace {

std::string failure(const ProcessOutcome& outcome) {
  const auto error = shim::failure_of(outcome, "/cni/x", std::chrono::milliseconds(1500));
  return std::to_string(static_cast<unsigned>(error.code)) + ": " + error.what() +
         (error.details.empty() ? "" : " | " + error.details);
}

const std::vector<allocator::Family> kAll;

std::string answer(const std::string& output, const std::string& version = "1.1.0",
                   const std::vector<allocator::Family>& families = kAll,
                   bool keep_interfaces = false) {
  try {
    const auto result = shim::usable_result(output, {"1.0.0", version, keep_interfaces, families});
    std::string text;
    for (const auto& address : shim::addresses_of(result)) text += address.to_string() + " ";
    return text + std::to_string(result.interfaces.size()) + " " +
           std::to_string(result.routes.size()) + (result.ips.front().interface ? " linked" : "");
  } catch (const shim::CniError& error) {
    return std::to_string(static_cast<unsigned>(error.code)) + ": " + error.what();
  }
}

const std::string kDual =
    R"({"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}],
        "ips": [{"address": "10.1.0.5/16", "interface": 0}, {"address": "fd00::5/64"}],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]})";

}  // namespace

TEST_CASE("a delegate's error object is passed on, code 0 as 999", "[delegate_answer]") {
  const auto [output, expected] = GENERATE(table<std::string, std::string>({
      {R"({"code": 11, "msg": "busy", "details": "try later"})", "11: busy | try later"},
      {R"({"code": 0, "msg": "m"})", "999: m"},
      {R"({"msg": "m"})", "999: m"},
      {R"({})", "999: "},
      {R"({"code": 4294967295, "msg": "m"})", "4294967295: m"},
  }));
  CHECK(failure({End::exited, 1, output, "warned"}) == expected);
}

TEST_CASE("what is no error object is quoted", "[delegate_answer]") {
  const std::string output = GENERATE("boom", R"({"code": -1})", R"({"code": "1"})",
                                      R"({"code": 4294967296})", R"({} {})", R"({"msg": 1})");
  CHECK(failure({End::exited, 1, output, ""})
            .starts_with("999: netplugin failed but error parsing its diagnostic message \""));
}

TEST_CASE("a silent failure tells how the delegate ended", "[delegate_answer]") {
  CHECK(failure({End::exited, 3, "", ""}) ==
        "999: netplugin failed with no error message: exit status 3");
  CHECK(failure({End::exited, 1, "", "oh\n"}) == R"(999: netplugin failed: "oh\n": exit status 1)");
  CHECK(failure({End::signalled, SIGKILL, "", ""}) ==
        "999: netplugin failed with no error message: signal: killed");
  CHECK(failure({End::not_started, EACCES, "", ""}) ==
        "999: netplugin failed with no error message: fork/exec /cni/x: permission denied");
  CHECK(failure({End::not_started, ETXTBSY, "", ""}).starts_with("11: "));
  CHECK(failure({End::timed_out, SIGTERM, "", ""}) ==
        "11: delegate /cni/x: no answer within 1.5 s, killed");
  CHECK(failure({End::too_much_output, SIGKILL, "", ""}) ==
        "999: delegate /cni/x: printed more than 1 MiB, killed");
}

TEST_CASE("only a delegate that never started cannot have taken a lease", "[delegate_answer]") {
  const auto patience = std::chrono::milliseconds(1);
  CHECK_FALSE(shim::failure_of({End::not_started, ENOEXEC, "", ""}, "/x", patience).has_run);
  CHECK(shim::failure_of({End::timed_out, 9, "", ""}, "/x", patience).has_run);
  CHECK(shim::failure_of({End::exited, 1, "{}", ""}, "/x", patience).has_run);
}

TEST_CASE("interfaces are dropped unless they are wanted", "[delegate_answer]") {
  CHECK(answer(kDual) == "10.1.0.5 fd00::5 0 2");
  CHECK(answer(kDual, "1.1.0", kAll, true) == "10.1.0.5 fd00::5 1 2 linked");
}

TEST_CASE("families are filtered and ordered, their routes too", "[delegate_answer]") {
  using allocator::Family;
  CHECK(answer(kDual, "1.1.0", {Family::v6, Family::v4}) == "fd00::5 10.1.0.5 0 2");
  CHECK(answer(kDual, "1.1.0", {Family::v6}) == "fd00::5 0 1");
  CHECK(answer(R"({"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/16"}]})", "1.1.0",
               {Family::v6})
            .starts_with("7: /ipam/ipFamilies leaves no address"));
}

TEST_CASE("a result that the caller could not use is refused", "[delegate_answer]") {
  const std::string two = R"({"cniVersion": "1.0.0",
      "ips": [{"address": "10.1.0.5/16"}, {"address": "10.2.0.5/16"}]})";
  CHECK(answer(two, "0.3.1") == "10.1.0.5 10.2.0.5 0 0");
  CHECK(answer(two, "0.2.0") ==
        "999: CNI version 0.2.0 does not support more than 1 address per family");
  CHECK(answer(kDual, "0.2.0") == "10.1.0.5 fd00::5 0 2");
  const std::string empty = GENERATE("{}", "null", R"({"cniVersion": "0.4.0", "ips": []})",
                                     R"({"code": 11, "msg": "busy"})");
  CHECK(answer(empty) == "999: IPAM plugin returned missing IP config");
}
