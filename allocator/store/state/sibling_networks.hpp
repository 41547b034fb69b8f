#pragma once
/// Other networks' folders beside a network's own, with addresses of the same ranges in use.
///
/// Two networks that nothing connects may have the same ranges, as with host-local: each has a
/// folder of its own, and they do not look at each other. A network that was renamed while its pods
/// run looks alike, and there two pods get one address. Nobody can tell the one from the other by
/// the folders, so this is told, not forbidden.
#include <string>
#include <vector>

#include "allocator/range_set.hpp"
#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

struct SiblingNetwork {
  std::string path;
  std::size_t in_use = 0;  ///< addresses of the ranges that its files reserve
};

/// The siblings of `network_dir`, by path. What cannot be read is left out. Changes nothing.
std::vector<SiblingNetwork> sibling_networks(FileSystem& fs, const std::string& network_dir,
                                             const RangeSets& sets);

/// What an operator is told of them; empty for none.
std::string sibling_text(const std::vector<SiblingNetwork>& siblings);

}  // namespace allocator::store
