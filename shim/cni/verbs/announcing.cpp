#include "shim/cni/verbs/announcing.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cni/announce/announcer.hpp"

namespace shim {
namespace {

constexpr const char* kPlugin = "bridge";
constexpr const char* kPluginsDefault = "cni0";

/// The bridge that the main plugin makes links ports of. `bridge` is that plugin's own key, also of
/// its copies under other names; ptp, macvlan and Cilium have no such thing.
std::optional<std::string> bridge_of(const Json& document) {
  const Json* bridge = find_member(document, "bridge");
  if (bridge != nullptr && bridge->is_string()) return bridge->get<std::string>();
  const Json* type = find_member(document, "type");
  if (type != nullptr && *type == kPlugin) return kPluginsDefault;
  return std::nullopt;
}

}  // namespace

Announceable announceable(const std::vector<allocator::Pick>& picks) {
  Announceable what;
  for (const auto& pick : picks) {
    if (pick.reason == allocator::Reason::present) what.is_repeated = true;
    if (pick.was_used && pick.address != pick.range->gateway)
      what.addresses.push_back(pick.address);
  }
  return what;
}

Announceable announceable(const Result& result) {
  Announceable what;
  for (const auto& ip : result.ips) {
    const bool is_gateway =
        ip.address && std::any_of(result.ips.begin(), result.ips.end(), [&](const IpConfig& other) {
          return other.gateway == ip.address->address;
        });
    if (ip.address && !is_gateway) what.addresses.push_back(ip.address->address);
  }
  return what;
}

void announce_after_add(const Command& command, Log& log, const Announceable& what,
                        const std::function<bool()>& is_still_given) noexcept {
  if (command.wire == nullptr || what.addresses.empty()) return;
  try {
    const auto bridge = bridge_of(command.document);
    if (!bridge) return;
    const announce::Subject subject{command.environment.netns, command.environment.ifname, *bridge,
                                    what.addresses, what.is_repeated};
    const char* obstacle = announce::announce(*command.wire, subject, is_still_given);
    log.debug(obstacle == nullptr ? std::string("announced on ") + *bridge
                                  : std::string("not announced: ") + obstacle);
  } catch (const std::exception&) {
    return;  // neighbours find out by themselves, later
  }
}

}  // namespace shim
