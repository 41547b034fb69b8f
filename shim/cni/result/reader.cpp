#include <nlohmann/json.hpp>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/go_json.hpp"
#include "shim/cni/protocol/object_reader.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {

// The structs' readers are static instead of in an unnamed namespace, where the templates of
// object_reader.hpp would not find them.

static void read_value(const Json& value, const std::string& path, Dns& dns) {
  read_members(value, path,
               {{"nameservers", dns.nameservers},
                {"domain", dns.domain},
                {"search", dns.search},
                {"options", dns.options}});
}

static void read_value(const Json& value, const std::string& path, Interface& interface) {
  read_members(value, path,
               {{"name", interface.name},
                {"mac", interface.mac},
                {"mtu", interface.mtu},
                {"sandbox", interface.sandbox},
                {"socketPath", interface.socket_path},
                {"pciID", interface.pci_id}});
}

static void read_value(const Json& value, const std::string& path, OldInterface& interface) {
  read_members(value, path,
               {{"name", interface.name}, {"mac", interface.mac}, {"sandbox", interface.sandbox}});
}

static void read_value(const Json& value, const std::string& path, Route& route) {
  read_at_once(value, path,
               {{"dst", route.dst},
                {"gw", route.gw},
                {"mtu", route.mtu},
                {"advmss", route.advmss},
                {"priority", route.priority},
                {"table", route.table},
                {"scope", route.scope}});
}

static void read_value(const Json& value, const std::string& path, IpConfig& ip) {
  read_at_once(value, path,
               {{"interface", ip.interface}, {"address", ip.address}, {"gateway", ip.gateway}});
}

static void read_value(const Json& value, const std::string& path, VersionedIp& ip) {
  read_at_once(value, path,
               {{"version", ip.version},
                {"interface", ip.config.interface},
                {"address", ip.config.address},
                {"gateway", ip.config.gateway}});
}

static void read_value(const Json& value, const std::string& path, std::optional<PairIp>& target) {
  target.reset();
  if (value.is_null()) return;
  auto& pair = target.emplace();
  read_at_once(value, path, {{"ip", pair.ip}, {"gateway", pair.gateway}, {"routes", pair.routes}});
}

namespace {

/// A document may have another version than the one asked for, but not of another family.
void check_version(const std::string& version, ResultFamily family, const char* supported) {
  if (result_family(version) == family) return;
  refuse(std::string("result type supports [") + supported + "] but unmarshalled CNIVersion is " +
         go_quoted(version));
}

PairResult read_pair(const Json& document) {
  PairResult result;
  read_members(document, "",
               {{"cniVersion", result.cni_version},
                {"ip4", result.ip4},
                {"ip6", result.ip6},
                {"dns", result.dns}});
  if (result.cni_version.empty()) result.cni_version = kOldestVersion;
  check_version(result.cni_version, ResultFamily::pair, " 0.1.0 0.2.0");
  return result;
}

template <class AnyListResult>
AnyListResult read_list(const Json& document, ResultFamily family, const char* supported) {
  AnyListResult result;
  read_members(document, "",
               {{"cniVersion", result.cni_version},
                {"interfaces", result.interfaces},
                {"ips", result.ips},
                {"routes", result.routes},
                {"dns", result.dns}});
  check_version(result.cni_version, family, supported);
  return result;
}

ResultDocument read_document(const Json& document, ResultFamily family) {
  switch (family) {
    case ResultFamily::pair:
      return read_pair(document);
    case ResultFamily::list:
      return read_list<ListResult>(document, family, "0.3.0 0.3.1 0.4.0");
    case ResultFamily::newest:
      break;
  }
  return read_list<Result>(document, family, "1.0.0 1.1.0");
}

ResultFamily required_family(std::string_view version) {
  const std::string known(version.empty() ? kOldestVersion : version);
  const auto family = result_family(known);
  if (!family) refuse("unsupported CNI result version " + go_quoted(known));
  return *family;
}

Json parse(std::string_view text) {
  try {
    return parse_json(text);
  } catch (const JsonSyntaxError& error) {
    refuse(error.what());
  }
}

bool is_empty_text(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

/// The stdout of a delegate: an object, or null for an empty one.
Json parse_raw_result(std::string_view text) {
  try {
    Json document = parse(text);
    if (document.is_null()) return Json::object();
    if (!document.is_object()) throw Mistyped("", "an object", document);
    return document;
  } catch (const CniError& error) {
    refuse(std::string("failed to unmarshal raw result: ") + error.what());
  }
}

}  // namespace

ResultDocument read_result(std::string_view text, std::string_view version) {
  const ResultFamily family = required_family(version);
  return read_document(parse(text), family);
}

ResultDocument read_delegate_result(std::string_view text, std::string_view config_version) {
  Json document = parse_raw_result(text);
  const auto own = document.find("cniVersion");
  if (own != document.end() && own->is_string() && !is_empty_text(*own)) {
    return read_document(document, required_family(own->get<std::string>()));
  }
  document["cniVersion"] = config_version.empty() ? kOldestVersion : config_version;
  return read_document(through_generic_map(document), required_family(config_version));
}

ResultDocument read_prev_result(const Json& prev_result, std::string_view config_version) {
  if (!prev_result.is_object()) throw Mistyped("prevResult", "an object", prev_result);
  try {
    Json document = prev_result;
    const auto own = document.find("CNIVersion");
    // This spelling sorts before "cniVersion", which therefore still wins.
    if (own == document.end() || is_empty_text(*own)) document["CNIVersion"] = config_version;
    return read_document(through_generic_map(document), required_family(config_version));
  } catch (const CniError& error) {
    refuse(std::string("could not parse prevResult: ") + error.what());
  }
}

Route read_route(const Json& value, std::string_view json_path, MissingDestination missing) {
  const std::string path(json_path);
  if (value.is_null()) throw Mistyped(path, "an object", value);
  Route route;
  read_value(value, path, route);
  if (!route.dst && missing == MissingDestination::refuse)
    refuse(path + "/dst is missing", path + "/dst");
  return route;
}

}  // namespace shim
