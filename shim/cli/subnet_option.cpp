#include "shim/cli/subnet_option.hpp"

#include <nlohmann/json.hpp>

#include "allocator/error.hpp"
#include "allocator/range.hpp"
#include "shim/cli/command.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::Cidr;
using allocator::Family;
using allocator::Uint128;

constexpr const char* kOption = "--subnet";

/// More than this is no node's share: Kubernetes gives a /24 by default, big nodes a /20 at most.
constexpr unsigned kNodeBitsV4 = 12;
/// A node has a /64; host-local cannot take more sense of it.
constexpr unsigned kNodeBitsV6 = 64;

Cidr read_block(const std::string& text) {
  const auto cidr = Cidr::parse(text);
  if (!cidr || cidr->mapped)
    refuse_option(kOption, text, "is no CIDR block; write one such as 10.244.1.0/24");
  const Cidr block{cidr->network(), cidr->prefix_length};
  if (cidr->address != block.address)
    refuse_option(kOption, text, "has host bits; write " + block.to_string());
  return block;
}

void require_room(const Cidr& block) {
  try {
    static_cast<void>(allocator::complete({block, {}, {}, {}}));
  } catch (const allocator::Error& error) {
    throw UsageError(std::string(kOption) + ": " + error.what() +
                     "; give all of this node's range");
  }
}

Cidr read_subnet(const std::string& text) {
  const Cidr block = read_block(text);
  if (is_more_than_a_share(block.address, block.last()))
    refuse_option(kOption, text,
                  "is more than one node's share; give the part that is this node's");
  require_room(block);
  return block;
}

}  // namespace

std::vector<Cidr> read_subnets(const std::vector<std::string>& texts) {
  std::vector<Cidr> subnets;
  for (const auto& text : texts) {
    const Cidr subnet = read_subnet(text);
    for (const auto& other : subnets) {
      if (other.contains(subnet.address) || subnet.contains(other.address))
        refuse_option(kOption, text, "overlaps " + other.to_string() + "; give one of them");
    }
    subnets.push_back(subnet);
  }
  return subnets;
}

std::optional<Cidr> read_shared_subnet(const std::vector<std::string>& texts) {
  if (texts.empty()) return std::nullopt;
  if (texts.size() > 1)
    refuse_option(kOption, texts[1],
                  "is the second one beside --ranges-from; give the one that nodes share");
  const Cidr block = read_block(texts.front());
  require_room(block);
  return block;
}

bool is_more_than_a_share(const allocator::Address& first, const allocator::Address& last) {
  const unsigned bits = first.family() == Family::v4 ? kNodeBitsV4 : kNodeBitsV6;
  return last.number() - first.number() >= Uint128{1} << bits;
}

Json make_range_sets(const std::vector<Cidr>& subnets) {
  Json sets = Json::array();
  for (const auto family : {Family::v4, Family::v6}) {
    Json set = Json::array();
    for (const auto& subnet : subnets) {
      if (subnet.address.family() == family)
        set.emplace_back(Json::object())["subnet"] = subnet.to_string();
    }
    if (!set.empty()) sets.push_back(std::move(set));
  }
  return sets;
}

void add_pin(const std::string& text, Json& pins) {
  const auto equals = text.find('=');
  const auto slash = text.find('/');
  if (equals == std::string::npos || slash == std::string::npos || slash > equals || slash == 0 ||
      slash + 1 == equals)
    refuse_option("--pin", text,
                  "is not namespace/pod=address; write one such as default/web-0=10.244.1.10");
  Json& addresses = pins[text.substr(0, equals)];
  for (std::size_t at = equals; at != std::string::npos;) {
    const auto next = text.find(',', at + 1);
    const std::string address =
        text.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    if (!allocator::Address::parse(address))
      refuse_option(
          "--pin", text,
          "has " + go_quoted(address) +
              ", which is no address; write IPv4 or IPv6 addresses, with commas between them");
    addresses.push_back(address);
    at = next;
  }
}

}  // namespace shim
