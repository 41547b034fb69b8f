// Addresses, blocks and ranges: what is read is written so that it reads the same, and ranges of
// one set share no address. Lines of "subnet,start,end,gateway", each field also by itself.
#include "allocator/error.hpp"
#include "allocator/range_set.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "shim/cni/conf/range_slices.hpp"
#include "test/fuzz/target.hpp"

namespace {

using allocator::Address;
using allocator::Cidr;
using allocator::Range;
using allocator::RangeSpec;
using fuzz::require;

void check_address(const std::string& text) {
  const auto address = Address::parse(text);
  if (!address) return;
  const std::string written = address->to_string();
  require(Address::parse(written) == address, "an address reads as another: " + written);
  require(allocator::store::address_of_name(written) == address, "no file name: " + written);
  require(allocator::store::address_of_name(text).has_value() == (text == written),
          "a second spelling reserves: " + text);
  const auto next = address->next();
  require(!next || (*next > *address && next->family() == address->family()), "next of " + written);
}

void check_block(const std::string& text) {
  const auto block = Cidr::parse(text);
  if (!block) return;
  const auto again = Cidr::parse(block->to_string());
  require(again && again->address == block->address && again->prefix_length == block->prefix_length,
          "a block reads as another: " + block->to_string());
  require(block->contains(block->address) && block->contains(block->network()) &&
              block->contains(block->last()),
          "a block without its own addresses: " + block->to_string());
  const auto before =
      block->network().number() == 0
          ? std::nullopt
          : std::optional(Address(block->address.family(), block->network().number() - 1));
  const auto behind = block->last().next();
  require(!(before && block->contains(*before)) && !(behind && block->contains(*behind)),
          "a block with others' addresses: " + block->to_string());
}

/// An IPv6 number whose text stands for an IPv4 address; blocks such as ::/80 have some.
bool reads_as_v4(const Address& address) {
  return address.family() == allocator::Family::v6 && address.number() >> 32 == 0xffff;
}

void check_span(const std::string& text) {
  const auto span = shim::parse_block_or_span(text);
  if (!span || reads_as_v4(span->first) || reads_as_v4(span->last)) return;
  require(span->first <= span->last && span->first.family() == span->last.family(),
          "a span that runs backwards: " + text);
  const auto again =
      shim::parse_block_or_span(span->first.to_string() + "-" + span->last.to_string());
  require(again && again->first == span->first && again->last == span->last,
          "a span reads as another: " + text);
}

RangeSpec read_spec(const std::string& line) {
  fuzz::Input fields(line);
  RangeSpec spec;
  spec.subnet = Cidr::parse(fields.until(','));
  spec.start = Address::parse(fields.until(','));
  spec.end = Address::parse(fields.until(','));
  spec.gateway = Address::parse(fields.until(','));
  return spec;
}

void check_range(const Range& range) {
  require(range.start <= range.end && range.contains(range.start) && range.contains(range.end),
          "an empty range: " + range.to_string());
  require(range.subnet.contains(range.start) && range.subnet.contains(range.end),
          "a range outside its subnet: " + range.to_string());
  const Range again = allocator::complete({range.subnet, range.start, range.end, range.gateway});
  require(again.start == range.start && again.end == range.end && again.gateway == range.gateway,
          "a complete range is completed: " + range.to_string());
}

void run(std::string_view bytes) {
  fuzz::Input input(bytes);
  std::vector<RangeSpec> specs;
  while (!input.is_empty() && specs.size() < 16) {
    const std::string line = input.until('\n');
    fuzz::Input fields(line);
    while (!fields.is_empty()) {
      const std::string field = fields.until(',');
      check_address(field);
      check_block(field);
      check_span(field);
    }
    specs.push_back(read_spec(line));
  }
  const auto set = fuzz::accepted<allocator::Error>([&] { return allocator::RangeSet(specs); });
  if (!set) return;
  for (const auto& range : set->ranges()) {
    check_range(range);
    for (const auto& other : set->ranges()) {
      const bool is_apart = &range == &other || range.end < other.start || other.end < range.start;
      require(is_apart, "two ranges share an address: " + set->to_string());
    }
  }
}

const fuzz::Registration kTarget("address", &run);

}  // namespace
