#include "shim/cli/install/mounted_ranges.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "shim/cli/command.hpp"
#include "shim/cli/install/ranges_checksum.hpp"

namespace shim {
namespace {

using allocator::store::FileSystem;

constexpr std::size_t kRangesLimit = 4096;

[[noreturn]] void refuse(const std::string& what) { throw UsageError("--nodes-from: " + what); }

[[noreturn]] void refuse_without(const std::string& path) {
  refuse(path + " cannot be read; generate the ConfigMap again with this node in it");
}

/// nullopt when it has gone: kubelet takes away what a key's link leads to before the link.
std::optional<std::string> text_of(FileSystem& fs, const std::string& path) {
  try {
    return fs.read_regular(path, kRangesLimit);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOENT) return std::nullopt;
    refuse(std::string(error.what()) + "; only ConfigMaps with nodes' ranges belong there");
  }
}

NodeTexts all_texts(FileSystem& fs, const std::string& path) {
  const auto folder = fs.open_directory(path);
  if (!folder) refuse(path + " is missing; mount the ConfigMap there");
  NodeTexts nodes;
  for (const auto& name : fs.list(*folder)) {
    if (name.starts_with("..")) continue;  // kubelet's own: no key begins so
    if (auto text = text_of(fs, path + "/" + name)) nodes.emplace_back(name, std::move(*text));
  }
  return nodes;
}

}  // namespace

std::string mounted_ranges(FileSystem& fs, const std::string& folder, const std::string& node,
                           const std::optional<std::string>& checksum) {
  const std::string path = folder + "/" + node;
  if (!checksum) {
    try {
      return fs.read_regular(path, kRangesLimit);
    } catch (const std::system_error&) {
      refuse_without(path);  // the name of a node that is not in it is the usual reason
    }
  }
  const NodeTexts nodes = all_texts(fs, folder);
  const std::string found = ranges_checksum(nodes);
  if (found != *checksum)
    refuse(folder + " has other ranges (" + found + ") than this installer was made for (" +
           *checksum +
           "); kubelet brings a changed ConfigMap within two minutes, and starts the installer "
           "again; if it stays so, apply the ConfigMaps and the DaemonSet of one list of nodes: "
           "generate --nodes and generate installer --nodes, or helm upgrade");
  const auto mine =
      std::find_if(nodes.begin(), nodes.end(), [&](const auto& one) { return one.first == node; });
  if (mine == nodes.end()) refuse_without(path);
  return mine->second;
}

}  // namespace shim
