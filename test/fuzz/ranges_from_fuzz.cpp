// What `rangesFrom` reads: subnet.env, a node's file, YurtHub's Node object. The first byte says
// which, and whether the configuration names a subnet that the ranges are parts of. Nobody is given
// an address that the source does not name, and what is written as ranges reads the same.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/error.hpp"
#include "shim/cni/conf/range_slices.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/conf.hpp"

namespace {

using fuzz::require;
using Kind = shim::RangesSource::Kind;
using Lines = std::vector<std::string>;

std::optional<shim::SliceFrame> frame_of(std::size_t number) {
  if (number == 0) return std::nullopt;
  constexpr const char* subnets[] = {"192.168.1.0/24", "2001:db8::/64", "10.0.0.0/8"};
  return shim::SliceFrame{test::spec({subnets[number - 1], "", "", ""}), "/ipam/subnet"};
}

bool is_named(const allocator::Address& address, const Lines& lines) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    const auto span = shim::parse_block_or_span(line);
    return span && span->contains(address);
  });
}

/// The same ranges in a configuration.
void check_written(const shim::RangeSpecSets& specs, const allocator::RangeSets& sets) {
  const auto text = test::with_ipam("\"ranges\": " + shim::ranges_json(specs).dump());
  require(test::ranges_of(text) == test::ranges_text(sets), "ranges read as others: " + text);
}

void check_sets(const Lines& lines, const std::optional<shim::SliceFrame>& frame) {
  const auto specs = fuzz::accepted<shim::CniError>(
      [&] { return shim::sets_of_source(lines, frame, "/subnet.env"); });
  if (!specs) return;
  const auto sets = fuzz::accepted<allocator::Error>([&] {
    auto made = allocator::make_range_sets(*specs);
    allocator::check_disjoint(made);
    return made;
  });
  if (!sets) return;
  for (const auto& set : *sets) {
    for (const auto& range : set.ranges()) {
      require(is_named(range.start, lines) && is_named(range.end, lines),
              "an address that the source does not name: " + range.to_string());
    }
  }
  check_written(*specs, *sets);
}

void run(std::string_view bytes) {
  fuzz::Input input(bytes);
  const std::size_t choice = input.byte();
  const auto kind = static_cast<Kind>(choice % 3);
  const std::string text = input.rest();
  const auto lines =
      fuzz::accepted<shim::CniError>([&] { return shim::parse_ranges(kind, text, "/subnet.env"); });
  if (!lines) return;
  std::string written;
  for (const auto& line : *lines) {
    require(shim::parse_block_or_span(line).has_value(), "no range: " + line);
    written += line + "\n";
  }
  require(shim::parse_ranges(Kind::node_file, written, "") == *lines, "ranges read as others");
  check_sets(*lines, frame_of(choice / 3 % 4));
}

const fuzz::Registration kTarget("ranges_from", &run);

}  // namespace
