// The ends of a range, and its gateway, at addresses that no pod or gateway should have.
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"

namespace shim::validate {
namespace {

using allocator::Address;
using allocator::Cidr;
using allocator::Family;

struct Range {
  const PluginPlace& place;
  Json& json;
  std::string pointer;
  Cidr subnet;

  [[nodiscard]] std::optional<Address> address(std::string_view key) const {
    return Address::parse(text_member(json, key));
  }
  [[nodiscard]] std::string at(std::string_view key) const {
    return joined({pointer, "/", spelled(json, key)});
  }
};

void check_first(const Range& range) {
  const auto start = range.address("rangeStart");
  if (!start || *start != range.subnet.network()) return;
  const bool is_v4 = start->family() == Family::v4;
  range.place.found(rules::kRangeEdge, {range.at("rangeStart")},
                    {start->to_string(), " is handed out, but is the network's own address: ",
                     is_v4 ? "Linux before 5.14 takes it for a broadcast"
                           : "routers there answer to it (RFC 4291, 2.6.1)"},
                    "start with the next one");
}

void check_last(const Range& range) {
  const auto end = range.address("rangeEnd");
  const Address last = range.subnet.last();
  if (!end || end->family() == Family::v6 || *end != last) return;
  const std::string text = last.to_string();
  if (range.place.is_routed()) {  // no neighbour takes the address for a broadcast
    range.place.warned(rules::kRangeBroadcast, {range.at("rangeEnd")},
                       {text, " is handed out, but is the network's broadcast address"});
    return;
  }
  range.place.found(rules::kRangeBroadcast, {range.at("rangeEnd")},
                    {text,
                     " is handed out, but is the network's broadcast address: nobody "
                     "reaches the pod that gets it"});
  const Address before(Family::v4, last.number() - 1);
  const auto start = range.address("rangeStart");
  if (!start || *start <= before) set_member(range.json, "rangeEnd", before.to_string());
}

void check_gateway(const Range& range) {
  const auto gateway = range.address("gateway");
  if (!gateway) return;
  if (!range.subnet.contains(*gateway)) {
    range.place.found(rules::kGateway, {range.at("gateway")},
                      {gateway->to_string(), " is not inside ", range.subnet.to_string(),
                       ": pods reach it only by a route on their link, and host-local refuses it "
                       "from 1.10 on"});
  } else if (gateway->family() == Family::v4 &&
             (*gateway == range.subnet.network() || *gateway == range.subnet.last())) {
    range.place.found(rules::kGateway, {range.at("gateway")},
                      {gateway->to_string(), " is the network's own or its broadcast address"});
  }
}

void check_range(const PluginPlace& place, Json& json, const std::string& pointer) {
  const auto subnet = Cidr::parse(text_member(json, "subnet"));
  if (!subnet || subnet->network() != subnet->address) return;
  const Range range{place, json, pointer, *subnet};
  check_first(range);
  check_last(range);
  check_gateway(range);
}

void check_block(const PluginPlace& place, Json& block, const std::string& pointer) {
  check_range(place, block, pointer);
  Json* sets = member(block, "ranges");
  for (std::size_t i = 0; sets != nullptr && sets->is_array() && i < sets->size(); ++i) {
    for (std::size_t j = 0; sets->at(i).is_array() && j < sets->at(i).size(); ++j) {
      check_range(place, sets->at(i).at(j),
                  pointer + "/ranges/" + std::to_string(i) + "/" + std::to_string(j));
    }
  }
}

}  // namespace

void check_range_edges(const PluginPlace& place) {
  Json& ipam = *object_member(place.json(), "ipam");
  if (!is_host_local(ipam) || place.is_flannel()) return;
  check_block(place, ipam, "/ipam");
  if (Json* delegate = object_member(ipam, "delegate"))
    check_block(place, *delegate, "/ipam/delegate");
}

}  // namespace shim::validate
