#include "allocator/store/state/sibling_networks.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/store/disk/folders.hpp"

namespace allocator::store {
namespace {

std::size_t in_use_in(FileSystem& fs, const std::string& path, const RangeSets& sets) {
  try {
    const auto folder = fs.open_directory(path);
    if (!folder) return 0;
    const auto names = fs.list(*folder);
    return static_cast<std::size_t>(
        std::count_if(names.begin(), names.end(), [&](const std::string& name) {
          const auto address = Address::parse(name);
          return address && set_of(sets, *address) < sets.size();
        }));
  } catch (const std::system_error&) {
    return 0;  // no folder, or nothing that we may look at
  }
}

}  // namespace

std::vector<SiblingNetwork> sibling_networks(FileSystem& fs, const std::string& network_dir,
                                             const RangeSets& sets) {
  std::vector<SiblingNetwork> siblings;
  const std::string data_dir = parent_of(network_dir);
  std::vector<std::string> names;
  try {
    const auto folder = fs.open_directory(data_dir);
    if (folder) names = fs.list(*folder);
  } catch (const std::system_error&) {
    return siblings;
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    std::string path = data_dir + "/" + name;
    if (path == network_dir) continue;
    const std::size_t in_use = in_use_in(fs, path, sets);
    if (in_use != 0) siblings.push_back({std::move(path), in_use});
  }
  return siblings;
}

std::string sibling_text(const std::vector<SiblingNetwork>& siblings) {
  std::string text;
  for (const auto& sibling : siblings) {
    text += (text.empty() ? "" : ", ") + std::to_string(sibling.in_use) + " in " + sibling.path;
  }
  if (text.empty()) return text;
  return "addresses of this new network's ranges are in use by another one: " + text +
         "; if the network was renamed, its running pods and new ones get the same addresses: "
         "give it the old name again, or drain the node";
}

}  // namespace allocator::store
