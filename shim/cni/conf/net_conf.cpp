#include "shim/cni/conf/net_conf.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "shim/cni/conf/annotations.hpp"
#include "shim/cni/conf/own_keys.hpp"
#include "shim/cni/protocol/config_reader.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim {
namespace {

/// The two levels of the `ipam` object, once for host-local's keys and once for ours: they are
/// reported under different codes.
struct IpamReaders {
  ConfigReader stock;
  ConfigReader own;
  ConfigReader inner;

  explicit IpamReaders(const Json& document)
      : stock(ConfigReader(&document, "", ErrorCode::internal).object("ipam")),
        own(ConfigReader(&document, "", ErrorCode::invalid_config).object("ipam")),
        inner(nullptr, "/ipam/delegate", ErrorCode::internal) {
    const ConfigReader delegate = own.object("delegate");
    inner = ConfigReader(delegate.json(), "/ipam/delegate", ErrorCode::internal);
  }

  /// The delegate's own value, else the one beside it.
  [[nodiscard]] std::optional<std::string> inherited_text(std::string_view key) const {
    auto value = inner.text(key);
    return value ? value : stock.text(key);
  }
};

std::vector<Route> read_routes(const IpamReaders& ipam) {
  const ConfigReader& reader = ipam.inner.has("routes") ? ipam.inner : ipam.stock;
  std::vector<Route> routes;
  reader.each("routes", [&](const Json& element, const std::string& path) {
    routes.push_back(read_route(element, path, MissingDestination::refuse));
  });
  return routes;
}

/// An element of `ips`; the empty text is reported later, where host-local does.
std::optional<allocator::Address> read_requested(const Json& element, const std::string& path) {
  const auto& text = require_text(element, path, ErrorCode::internal);
  if (text.empty()) return std::nullopt;
  const auto address = parse_requested_address(text);
  if (!address)
    throw CniError(ErrorCode::internal, "invalid IP address " + cut(text), {}, "at " + path)
        .at(path);
  return address;
}

void append_requested(const ConfigReader& reader,
                      std::vector<std::optional<allocator::Address>>& requested) {
  reader.each("ips", [&](const Json& element, const std::string& path) {
    requested.push_back(read_requested(element, path));
  });
}

void require_ipam(const IpamReaders& ipam) {
  if (ipam.stock.is_present()) return;
  throw CniError(ErrorCode::internal, "IPAM config missing 'ipam' key", {},
                 "write \"ipam\": {\"type\": \"delegated-ipam\", \"delegate\": {...}} into the "
                 "plugin's configuration")
      .at("/ipam");
}

/// host-local walks its folder and reads all that lies there.
void refuse_state_inside_network(const NetConf& conf) {
  const std::string network = conf.placement.data_dir + "/" + conf.name;
  const std::string state =
      std::filesystem::path(conf.placement.state_dir + "/").lexically_normal().string();
  if (!state.starts_with(network + "/")) return;
  throw CniError(ErrorCode::invalid_config, "/ipam/stateDir " + conf.placement.state_dir +
                                                " lies inside the network's own folder " + network +
                                                "; choose a folder outside dataDir")
      .at("/ipam/stateDir");
}

}  // namespace

NetConf read_net_conf(const Json& document, const ConfHead& head, const ConfInputs& inputs) {
  NetConf conf(head);
  const ConfigReader root(&document, "", ErrorCode::internal);
  const IpamReaders ipam(document);
  // host-local decodes the whole text before it asks for `ipam`.
  const ConfigReader runtime_config = root.object("runtimeConfig");
  RangesAsWritten written = read_ranges(ipam.stock, ipam.inner, runtime_config);
  conf.warnings = written.warnings;
  conf.allocation.routes = read_routes(ipam);
  conf.allocation.resolv_conf = ipam.inherited_text("resolvConf").value_or("");
  set_data_dir(ipam.inherited_text("dataDir").value_or(""), conf.placement);
  static_cast<void>(ipam.stock.text("type"));
  std::vector<std::optional<allocator::Address>> requested;
  append_requested(root.object("args").object("cni"), requested);
  append_requested(runtime_config, requested);
  require_ipam(ipam);
  refuse_own_keys(ipam.own.object("delegate"));
  read_placement_keys(ipam.own, Strictness::strict, conf.placement);
  refuse_state_inside_network(conf);
  conf.arguments = parse_arguments(inputs.args);
  if (conf.arguments.ip) conf.allocation.requested.push_back(*conf.arguments.ip);
  refuse_too_many_requests(document, !conf.allocation.requested.empty());
  for (const auto& address : requested) {
    if (!address) {
      throw CniError(ErrorCode::internal, "cannot understand ip: IP <nil> not v4 nor v6", {},
                     "an entry of args.cni.ips or runtimeConfig.ips is empty");
    }
    conf.allocation.requested.push_back(*address);
  }
  conf.placement.retain_pod = read_retain_annotation(document);
  const auto annotated = read_address_annotation(document);
  conf.allocation.requested.insert(conf.allocation.requested.end(), annotated.begin(),
                                   annotated.end());
  if (ipam.own.has("rangesFrom"))
    ask_ranges_source(read_ranges_source(ipam.own, &node_name), inputs, conf, written);
  try {
    conf.allocation.sets = apply_families(ipam.own, complete_ranges(written, conf.cni_version));
  } catch (const CniError& error) {
    const auto& files = conf.ranges_source.paths;
    if (files.empty()) throw;
    throw CniError(ErrorCode::invalid_config, "/ipam/rangesFrom: the ranges of " + files.front() +
                                                  " cannot be used: " + std::string(error.what()))
        .at("/ipam/rangesFrom");
  }
  read_allocation_keys(ipam.own, conf.allocation, conf.warnings);
  conf.on_duplicate = read_on_duplicate(ipam.own);
  conf.requests = read_requests(ipam.own);
  return conf;
}

NetConf read_net_conf_leniently(const Json& document, const ConfHead& head) {
  NetConf conf(head);
  const Json* ipam_value = find_member(document, "ipam");
  if (ipam_value == nullptr || !ipam_value->is_object()) return conf;
  const ConfigReader own(ipam_value, "/ipam", ErrorCode::invalid_config);
  read_common_leniently(document, own, conf);
  try {
    set_data_dir(IpamReaders(document).inherited_text("dataDir").value_or(""), conf.placement);
  } catch (const CniError&) {
    conf.warnings.emplace_back(
        "dataDir cannot be read; looking in every known folder of this network");
  }
  try {
    const IpamReaders ipam(document);
    const ConfigReader root(&document, "", ErrorCode::internal);
    const RangesAsWritten written =
        read_ranges(ipam.stock, ipam.inner, root.object("runtimeConfig"));
    // A release needs no ranges: a source is not asked for them.
    if (!written.sets.empty() || !own.has("rangesFrom"))
      conf.allocation.sets = complete_ranges(written, conf.cni_version);
  } catch (const std::exception& error) {
    conf.warnings.emplace_back(std::string("ranges are ignored: ") + error.what());
  }
  return conf;
}

}  // namespace shim
