#include <nlohmann/json.hpp>
#include <utility>

#include "shim/cni/protocol/go_json.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {
namespace {

/// Members that are left out when empty, as Go's "omitempty" does.
void add(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void add(Json& object, const char* key, std::int64_t number) {
  if (number != 0) object[key] = number;
}

void add(Json& object, const char* key, const std::optional<std::int64_t>& number) {
  if (number) object[key] = *number;
}

void add(Json& object, const char* key, const std::optional<allocator::Address>& address) {
  if (address) object[key] = address->to_string();
}

void add(Json& object, const char* key, const std::vector<std::string>& texts) {
  if (!texts.empty()) object[key] = texts;
}

std::string text_of(const std::optional<allocator::Cidr>& cidr) {
  return cidr ? cidr->to_string() : "<nil>";
}

Json to_json(const Route& route) {
  Json object = {{"dst", text_of(route.dst)}};
  add(object, "gw", route.gw);
  add(object, "mtu", route.mtu);
  add(object, "advmss", route.advmss);
  add(object, "priority", route.priority);
  add(object, "table", route.table);
  add(object, "scope", route.scope);
  return object;
}

Json to_json(const Dns& dns) {
  Json object = Json::object();
  add(object, "nameservers", dns.nameservers);
  add(object, "domain", dns.domain);
  add(object, "search", dns.search);
  add(object, "options", dns.options);
  return object;
}

Json to_json(const Interface& interface) {
  Json object = {{"name", interface.name}};
  add(object, "mac", interface.mac);
  add(object, "mtu", interface.mtu);
  add(object, "sandbox", interface.sandbox);
  add(object, "socketPath", interface.socket_path);
  add(object, "pciID", interface.pci_id);
  return object;
}

Json to_json(const OldInterface& interface) {
  Json object = {{"name", interface.name}};
  add(object, "mac", interface.mac);
  add(object, "sandbox", interface.sandbox);
  return object;
}

void add_ip(Json& object, const IpConfig& ip) {
  add(object, "interface", ip.interface);
  object["address"] = text_of(ip.address);
  add(object, "gateway", ip.gateway);
}

Json to_json(const IpConfig& ip) {
  Json object = Json::object();
  add_ip(object, ip);
  return object;
}

Json to_json(const VersionedIp& ip) {
  Json object = {{"version", ip.version}};
  add_ip(object, ip.config);
  return object;
}

template <class Element>
void add(Json& object, const char* key, const std::vector<Element>& elements) {
  if (elements.empty()) return;
  Json list = Json::array();
  for (const auto& element : elements) list.push_back(to_json(element));
  object[key] = std::move(list);
}

void add(Json& object, const char* key, const std::optional<PairIp>& pair) {
  if (!pair) return;
  Json inner = {{"ip", text_of(pair->ip)}};
  add(inner, "gateway", pair->gateway);
  add(inner, "routes", pair->routes);
  object[key] = std::move(inner);
}

Json to_json(const PairResult& result) {
  Json document = {{"cniVersion", result.cni_version}};
  add(document, "ip4", result.ip4);
  add(document, "ip6", result.ip6);
  document["dns"] = to_json(result.dns);
  return document;
}

template <class AnyListResult>
Json list_to_json(const AnyListResult& result) {
  Json document = {{"cniVersion", result.cni_version}};
  add(document, "interfaces", result.interfaces);
  add(document, "ips", result.ips);
  add(document, "routes", result.routes);
  return document;
}

Json to_json(const ListResult& result) {
  Json document = list_to_json(result);
  document["dns"] = to_json(result.dns);
  return document;
}

Json to_json(const Result& result) {
  Json document = list_to_json(result);
  if (result.dns != Dns{}) document["dns"] = to_json(result.dns);
  return through_generic_map(document);
}

}  // namespace

std::string print_document(const ResultDocument& document) {
  return print_json(std::visit([](const auto& result) { return to_json(result); }, document));
}

}  // namespace shim
