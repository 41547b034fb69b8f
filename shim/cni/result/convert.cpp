#include "shim/cni/result/convert.hpp"

#include <algorithm>
#include <string>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/version.hpp"

namespace shim {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

bool is_v4(const std::optional<allocator::Cidr>& cidr) {
  return cidr && cidr->address.family() == allocator::Family::v4;
}

void append_pair_ip(const std::optional<PairIp>& from, const char* version, ListResult& to) {
  if (!from) return;
  to.ips.push_back({version, {from->ip, from->gateway, std::nullopt}});
  to.routes.insert(to.routes.end(), from->routes.begin(), from->routes.end());
}

/// The key decides the family, whatever the address is.
ListResult list_from_pair(const PairResult& from) {
  ListResult to;
  append_pair_ip(from.ip4, "4", to);
  append_pair_ip(from.ip6, "6", to);
  to.dns = from.dns;
  return to;
}

/// The address decides the family; a missing one counts as IPv6.
ListResult list_from_newest(const Result& from) {
  ListResult to;
  for (const auto& interface : from.interfaces) {
    to.interfaces.push_back({interface.name, interface.mac, interface.sandbox});
  }
  for (const auto& ip : from.ips) to.ips.push_back({is_v4(ip.address) ? "4" : "6", ip});
  to.routes = from.routes;
  to.dns = from.dns;
  return to;
}

Result newest_from_list(const ListResult& from) {
  Result to;
  for (const auto& interface : from.interfaces) {
    to.interfaces.push_back({interface.name, interface.mac, interface.sandbox, 0, {}, {}});
  }
  for (const auto& ip : from.ips) to.ips.push_back(ip.config);
  to.routes = from.routes;
  to.dns = from.dns;
  return to;
}

std::optional<PairIp> first_of_version(const std::vector<VersionedIp>& ips, std::string_view text) {
  const auto first =
      std::find_if(ips.begin(), ips.end(), [&](const auto& ip) { return ip.version == text; });
  if (first == ips.end()) return std::nullopt;
  return PairIp{first->config.address, first->config.gateway, {}};
}

/// The text of `version` decides the family of an address, the destination that of a route.
PairResult pair_from_list(const ListResult& from) {
  PairResult to;
  to.ip4 = first_of_version(from.ips, "4");
  to.ip6 = first_of_version(from.ips, "6");
  if (!to.ip4 && !to.ip6) {
    throw CniError(ErrorCode::internal, "cannot convert: no valid IP addresses");
  }
  for (const auto& route : from.routes) {
    auto& owner = is_v4(route.dst) ? to.ip4 : to.ip6;
    if (!owner) continue;
    Route kept;
    kept.dst = route.dst;
    kept.gw = route.gw;
    owner->routes.push_back(kept);
  }
  to.dns = from.dns;
  return to;
}

ListResult as_list(const ResultDocument& document) {
  return std::visit(Overloaded{[](const PairResult& pair) { return list_from_pair(pair); },
                               [](const ListResult& list) { return list; },
                               [](const Result& newest) { return list_from_newest(newest); }},
                    document);
}

ResultDocument in_family(const ResultDocument& document, ResultFamily family) {
  if (document.index() == static_cast<std::size_t>(family)) return document;
  switch (family) {
    case ResultFamily::pair:
      return pair_from_list(as_list(document));
    case ResultFamily::list:
      return as_list(document);
    case ResultFamily::newest:
      break;
  }
  return newest_from_list(as_list(document));
}

}  // namespace

ResultDocument convert(const ResultDocument& document, std::string_view to_version) {
  const std::string to(to_version.empty() ? kOldestVersion : to_version);
  const auto family = result_family(to);
  if (!family) {
    throw CniError(ErrorCode::internal,
                   "no converter for CNI result version " + version_of(document) + " to " + to);
  }
  ResultDocument converted = in_family(document, *family);
  std::visit([&](auto& result) { result.cni_version = to; }, converted);
  return converted;
}

Result newest_form(const ResultDocument& document) {
  return std::get<Result>(convert(document, kNewestVersion));
}

}  // namespace shim
