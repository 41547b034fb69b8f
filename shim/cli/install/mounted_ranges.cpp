#include "shim/cli/install/mounted_ranges.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "shim/cli/command.hpp"
#include "shim/cli/install/ranges_checksum.hpp"

namespace shim {
namespace {

using allocator::store::Directory;
using allocator::store::FileSystem;

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
    if (error.code().value() == EACCES)
      refuse(std::string(error.what()) + "; root must be able to read it without capabilities");
    refuse(std::string(error.what()) + "; only ConfigMaps with nodes' ranges belong there");
  }
}

Directory open_mount(FileSystem& fs, const std::string& path) {
  try {
    auto folder = fs.open_directory(path);
    if (!folder) refuse(path + " is missing; mount the ConfigMap there");
    return std::move(*folder);
  } catch (const std::system_error& error) {
    refuse(std::string(error.what()) + "; mount the ConfigMap there");
  }
}

NodeTexts all_texts(FileSystem& fs, const std::string& path) {
  const auto folder = open_mount(fs, path);
  NodeTexts nodes;
  for (const auto& name : fs.list(folder)) {
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
           "); the node's own are left as they are; kubelet brings a changed ConfigMap within two "
           "minutes, and starts the installer again within five more; if it stays so, apply the "
           "ConfigMaps and the DaemonSet of one list of nodes: generate --nodes and generate "
           "installer --nodes, or helm upgrade");
  const auto mine =
      std::find_if(nodes.begin(), nodes.end(), [&](const auto& one) { return one.first == node; });
  if (mine == nodes.end()) refuse_without(path);
  return mine->second;
}

}  // namespace shim
