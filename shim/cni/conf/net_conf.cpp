#include "shim/cni/conf/net_conf.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "shim/cni/conf/annotations.hpp"
#include "shim/cni/conf/own_keys.hpp"
#include "shim/cni/conf/ranges.hpp"
#include "shim/cni/protocol/arguments.hpp"
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

void read_data_dir(const IpamReaders& ipam, PlacementConf& placement) {
  const auto text = ipam.inherited_text("dataDir");
  if (!text || text->empty()) return;
  placement.data_dir = std::filesystem::absolute(*text).lexically_normal().string();
  while (placement.data_dir.size() > 1 && placement.data_dir.ends_with('/'))
    placement.data_dir.pop_back();
  placement.data_dir_given = true;
}

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
    throw CniError(ErrorCode::internal, "invalid IP address " + cut(text), {}, "at " + path);
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
                 "plugin's configuration");
}

/// host-local walks its folder and reads all that lies there.
void refuse_state_inside_network(const NetConf& conf) {
  const std::string network = conf.placement.data_dir + "/" + conf.name;
  const std::string state =
      std::filesystem::path(conf.placement.state_dir + "/").lexically_normal().string();
  if (!state.starts_with(network + "/")) return;
  throw CniError(ErrorCode::invalid_config, "/ipam/stateDir " + conf.placement.state_dir +
                                                " lies inside the network's own folder " + network +
                                                "; choose a folder outside dataDir");
}

/// The node's ranges from `rangesFrom`. Returns where they are written; empty when they were not
/// used.
std::string add_ranges_from(const IpamReaders& ipam, const ConfInputs& inputs, NetConf& conf,
                            RangesAsWritten& written) {
  if (!ipam.own.has("rangesFrom")) return {};
  const RangesSource source = read_ranges_source(ipam.own, &node_name);
  if (!written.sets.empty()) return {};
  conf.allocation.ranges_from = inputs.ranges_from(source, conf.placement, conf.name);
  conf.allocation.ranges_source = source;
  written.sets = sets_of_source(conf.allocation.ranges_from, written.frame, source.paths.front());
  return source.paths.front();
}

}  // namespace

std::string read_name(const Json& document) {
  const std::string context = "error unmarshall network config: ";
  if (!document.is_object() && !document.is_null()) {
    throw CniError(ErrorCode::decoding_failure, context +
                                                    "the configuration must be an object, but is " +
                                                    std::string(type_name(document)));
  }
  const Json* value = find_member(document, "name");
  if (value != nullptr && !value->is_string()) {
    fail_type(*value, context + "/name", "a string", ErrorCode::decoding_failure);
  }
  std::string name = value == nullptr ? "" : value->get<std::string>();
  if (name.empty()) throw CniError(ErrorCode::invalid_config, "missing network name");
  if (!is_identifier(name)) {
    throw CniError(ErrorCode::invalid_config, "invalid characters found in network name",
                   cut(name));
  }
  return name;
}

std::string read_cni_version(const Json& document) {
  const Json* value = find_member(document, "cniVersion");
  if (value == nullptr) return {};
  return require_text(*value, "decoding version from network config: /cniVersion",
                      ErrorCode::decoding_failure);
}

NetConf read_net_conf(const Json& document, const ConfInputs& inputs) {
  NetConf conf;
  conf.cni_version = read_cni_version(document);
  conf.name = read_name(document);
  const ConfigReader root(&document, "", ErrorCode::internal);
  const IpamReaders ipam(document);
  // host-local decodes the whole text before it asks for `ipam`.
  const ConfigReader runtime_config = root.object("runtimeConfig");
  if (ipam.stock.is_present()) static_cast<void>(read_delegate_choice(ipam.own));
  RangesAsWritten written = read_ranges(ipam.stock, ipam.inner, runtime_config);
  conf.warnings = written.warnings;
  conf.allocation.routes = read_routes(ipam);
  conf.allocation.resolv_conf = ipam.inherited_text("resolvConf").value_or("");
  read_data_dir(ipam, conf.placement);
  static_cast<void>(ipam.stock.text("type"));
  std::vector<std::optional<allocator::Address>> requested;
  append_requested(root.object("args").object("cni"), requested);
  append_requested(runtime_config, requested);
  require_ipam(ipam);
  refuse_own_keys(ipam.own.object("delegate"));
  read_placement_keys(ipam.own, Strictness::strict, conf.placement);
  refuse_state_inside_network(conf);
  if (const auto first = inputs.requested_by_args()) conf.allocation.requested.push_back(*first);
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
  const std::string source = add_ranges_from(ipam, inputs, conf, written);
  try {
    conf.allocation.sets = apply_families(ipam.own, complete_ranges(written, conf.cni_version));
  } catch (const CniError& error) {
    if (source.empty()) throw;
    throw CniError(ErrorCode::invalid_config, "/ipam/rangesFrom: the ranges of " + source +
                                                  " cannot be used: " + std::string(error.what()));
  }
  read_allocation_keys(ipam.own, conf.allocation, conf.warnings);
  return conf;
}

NetConf read_net_conf_leniently(const Json& document) {
  NetConf conf;
  conf.cni_version = read_cni_version(document);
  conf.name = read_name(document);
  const Json* ipam_value = find_member(document, "ipam");
  if (ipam_value == nullptr || !ipam_value->is_object()) return conf;
  const ConfigReader own(ipam_value, "/ipam", ErrorCode::invalid_config);
  const Json* delegate = own.find("delegate");
  if (delegate != nullptr && delegate->is_object())
    static_cast<void>(read_delegate_choice(own, Strictness::lenient));
  read_placement_keys(own, Strictness::lenient, conf.placement);
  try {
    conf.placement.retain_pod = read_retain_annotation(document);
  } catch (const CniError& error) {
    conf.warnings.emplace_back(error.what());
  }
  try {
    read_data_dir(IpamReaders(document), conf.placement);
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
