#pragma once
/// The options of `generate`, `validate` and `plan` that say what a node hands out: --subnet, its
/// ranges, and --pin.
#include <optional>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// Reads what the option was given.
/// Errors: throws UsageError for what is no block, has host bits set, is too small to allocate
/// from, is more than one node's share, or overlaps another one.
std::vector<allocator::Cidr> read_subnets(const std::vector<std::string>& texts);

/// With --ranges-from: the subnet that nodes share, of any size; nullopt without one.
/// Errors: throws UsageError naming --subnet, also for a second one.
std::optional<allocator::Cidr> read_shared_subnet(const std::vector<std::string>& texts);

/// True when no single node has that many addresses for its pods: over a /20, for IPv6 over a /64.
bool is_more_than_a_share(const allocator::Address& first, const allocator::Address& last);

/// `ranges` of the built-in allocator: one range set a family, IPv4 first.
Json make_range_sets(const std::vector<allocator::Cidr>& subnets);

/// Adds what --pin was given, "namespace/pod=address[,address]", to the object `pins`.
/// Errors: throws UsageError.
void add_pin(const std::string& text, Json& pins);

}  // namespace shim
