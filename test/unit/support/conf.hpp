#pragma once
/// Reading configurations in tests: text in, values or "<code>: <message>" out.
#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/error.hpp"
#include "test/unit/support/values.hpp"

namespace test {

/// A whole network configuration around the members of its `ipam` object.
inline std::string with_ipam(const std::string& members, const std::string& version = "1.0.0") {
  return R"({"cniVersion": ")" + version +
         R"(", "name": "mynet", "type": "bridge", "ipam": {"type": "delegated-ipam")" +
         (members.empty() ? "" : ", ") + members + "}}";
}

/// As with_ipam, with a range that allocation can work from.
inline std::string with_range(const std::string& members) {
  return with_ipam(R"("ranges": [[{"subnet": "10.1.2.0/24"}]])" +
                   std::string(members.empty() ? "" : ", ") + members);
}

/// What CNI_ARGS says; `rangesFrom` names no range.
inline shim::ConfInputs inputs(const std::string& args = {}) {
  return {args, [](const auto&, const auto&, const auto&) { return std::vector<std::string>(); }};
}

inline shim::NetConf read_conf(const std::string& text, const shim::ConfInputs& with = inputs()) {
  const auto document = shim::parse_json(text);
  return shim::read_net_conf(document, shim::read_head(document, shim::Strictness::strict), with);
}

inline shim::NetConf read_conf_leniently(const std::string& text) {
  const auto document = shim::parse_json(text);
  const auto head = shim::read_head(document, shim::Strictness::lenient);
  return shim::read_net_conf_leniently(document, head);
}

/// "7: /ipam/x must be ..." for the error that ends the command, "ok" for none.
template <typename Action>
std::string cni_error(Action action) {
  try {
    action();
  } catch (...) {
    const shim::CniError error = shim::to_cni_error(std::current_exception());
    return std::to_string(static_cast<unsigned>(error.code)) + ": " + error.what();
  }
  return "ok";
}

inline std::string conf_error(const std::string& text) {
  return cni_error([&] { read_conf(text); });
}

/// "first-last gw gateway", ranges separated by ", ", sets by "; ".
inline std::string ranges_text(const allocator::RangeSets& sets) {
  std::string text;
  for (const auto& set : sets) {
    if (!text.empty()) text += "; ";
    std::string ranges;
    for (const auto& range : set.ranges()) {
      ranges +=
          (ranges.empty() ? "" : ", ") + range.to_string() + " gw " + range.gateway.to_string();
    }
    text += ranges;
  }
  return text;
}

inline std::string ranges_of(const std::string& text) {
  return ranges_text(read_conf(text).allocation.sets);
}

}  // namespace test
