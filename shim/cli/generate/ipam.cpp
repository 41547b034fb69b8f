#include "shim/cli/generate/ipam.hpp"

#include "allocator/address.hpp"
#include "shim/cli/command.hpp"
#include "shim/cli/subnet_option.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

void add_ranges_from(const std::string& source, Json& ipam) {
  const auto equals = source.find('=');
  const std::string kind = source.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : source.substr(equals + 1);
  if (kind == "yurthub") {
    ipam["rangesFrom"]["yurthubNode"] = value;
    if (value.empty()) refuse_option("--ranges-from", source, "names no node; write yurthub=NODE");
  } else if (kind != "subnet-file" && kind != "nodes-dir") {
    refuse_option("--ranges-from", source,
                  "is none of subnet-file=PATH, nodes-dir=DIR, yurthub=NODE; write one of them");
  } else if (!value.starts_with('/')) {
    refuse_option("--ranges-from", source, "has no absolute path; write " + kind + "=/...");
  } else {
    ipam["rangesFrom"][kind == "nodes-dir" ? "nodesDir" : "subnetFile"] = value;
  }
}

void add_shared_subnet(const ConflistOptions& options, Json& block) {
  const auto& subnet = *options.shared_subnet;
  block["subnet"] = subnet.to_string();
  if (options.gateway.empty()) return;
  const auto gateway = allocator::Address::parse(options.gateway);
  if (!gateway || !subnet.contains(*gateway))
    refuse_option("--gateway", options.gateway,
                  "is no address in " + subnet.to_string() + "; write the subnet's router");
  block["gateway"] = gateway->to_string();
}

/// The block of the built-in allocator.
Json built_in(const ConflistOptions& options) {
  Json block;
  block["type"] = "host-local";
  if (options.shared_subnet) add_shared_subnet(options, block);
  if (!options.subnets.empty()) block["ranges"] = make_range_sets(options.subnets);
  if (!options.data_dir.empty()) block["dataDir"] = options.data_dir;
  return block;
}

/// The block of another plugin.
Json other_plugin(const ConflistOptions& options) {
  const auto refuse = [&](const char* option, bool is_given) {
    if (is_given)
      throw UsageError(
          std::string(option) +
          ": only the built-in allocator has it; leave it out, or leave --delegate out");
  };
  refuse("--subnet", !options.subnets.empty() || options.shared_subnet);
  refuse("--gateway", !options.gateway.empty());
  refuse("--ranges-from", !options.ranges_from.empty());
  refuse("--data-dir", !options.data_dir.empty());
  refuse("--exclude", !options.excludes.empty());
  refuse("--pin", !options.pins.empty());
  Json block;
  block["type"] = options.delegate;
  if (options.delegate_config && !options.delegate_config->is_object())
    throw UsageError("--delegate-config: must hold one JSON object, the plugin's own ipam block");
  if (options.delegate_config) {
    for (const auto& [key, value] : options.delegate_config->items())
      if (!same_key(key, "type")) block[key] = value;
  }
  return block;
}

/// Flannel gives the ranges to every node; the others need to be told.
void require_ranges(const ConflistOptions& options) {
  const bool is_told = !options.subnets.empty() || !options.ranges_from.empty();
  if (options.main == MainPlugin::flannel) {
    if (is_told || !options.gateway.empty())
      throw UsageError(
          "--subnet, --ranges-from, --gateway: Flannel gives each node its range, from subnet.env; "
          "leave them "
          "out, and use --exclude to keep addresses back");
    return;
  }
  if (!options.gateway.empty() && !options.shared_subnet)
    throw UsageError(
        "--gateway: is for a subnet that nodes share; give it with --subnet and --ranges-from");
  if (!is_told)
    throw UsageError(
        "--subnet: missing: this node's own pod range (kubectl get node NAME -o "
        "jsonpath={.spec.podCIDRs}); or --nodes FILE for all nodes, or --ranges-from");
}

}  // namespace

Json make_ipam(const ConflistOptions& options) {
  require_absolute("--data-dir", options.data_dir);
  require_absolute("--state-dir", options.state_dir);
  if (options.delegate.empty() && options.delegate_config)
    throw UsageError("--delegate-config: without --delegate; name the plugin that it is for");
  Json ipam;
  ipam["type"] = "delegated-ipam";
  const bool is_built_in = options.delegate.empty() || options.delegate == "host-local";
  if (is_built_in && options.delegate_config)
    throw UsageError(
        "--delegate-config: is for another plugin than host-local, which is built in; leave it out "
        "and use --subnet, --data-dir, --exclude and --pin");
  if (is_built_in) require_ranges(options);
  ipam["delegate"] = is_built_in ? built_in(options) : other_plugin(options);
  if (!options.ranges_from.empty()) add_ranges_from(options.ranges_from, ipam);
  if (!options.state_dir.empty()) ipam["stateDir"] = options.state_dir;
  if (!options.excludes.empty()) ipam["exclude"] = options.excludes;
  for (const auto& pin : options.pins) add_pin(pin, ipam["pins"]);
  return ipam;
}

}  // namespace shim
