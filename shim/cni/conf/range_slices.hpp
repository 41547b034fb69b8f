#pragma once
/// What `rangesFrom` gives, as range sets: whole subnets or, beside a configured `subnet`, slices
/// of that one. Pure.
///
/// A LAN that the nodes share has one subnet and one gateway for all of them, and each node hands
/// out a part of it: "subnet": "192.168.1.0/24", "gateway": "192.168.1.1" in the conflist, and
/// 192.168.1.176/28 or 192.168.1.176-192.168.1.190 in this node's source.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/range.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// Sets of ranges as written.
using RangeSpecSets = std::vector<std::vector<allocator::RangeSpec>>;

/// `subnet` and `gateway` beside `rangesFrom`: no range, but what the ranges are parts of.
struct SliceFrame {
  allocator::RangeSpec range;  ///< without start and end
  std::string path;            ///< of its subnet: "/ipam/subnet"
};

/// A block ("10.244.1.0/24") or a span ("10.244.1.10-10.244.1.20"); nullopt for anything else.
std::optional<allocator::Span> parse_block_or_span(std::string_view text);

/// One set a family, in the order in which the source names them. Without a frame, and for the
/// frame's other family, each block is a subnet of its own. `path`: the source's file.
/// Errors: throws CniError 7 naming file, line and subnet for what does not lie in the frame, and
/// for a span that no frame says the subnet of.
RangeSpecSets sets_of_source(const std::vector<std::string>& lines,
                             const std::optional<SliceFrame>& frame, const std::string& path);

/// The same in host-local's own JSON.
Json ranges_json(const RangeSpecSets& sets);

}  // namespace shim
