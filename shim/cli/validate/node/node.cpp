#include "shim/cli/validate/node/node.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "allocator/address.hpp"
#include "allocator/error.hpp"
#include "allocator/range_set.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/state/sibling_networks.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/conf/own_keys.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim::validate {
namespace {

using allocator::store::Directory;
using allocator::store::FileSystem;
using Names = std::vector<std::string>;

std::string alternatives(const Names& names, const char* separator) {
  std::string list;
  for (const auto& name : names) list.append(list.empty() ? "" : separator).append(name);
  return list;
}

/// Any of the names will do.
void check_binary(const Names& names, const Names& bin_dirs, const Report& report, Words pointer) {
  std::string not_executable;
  for (const auto& name : names) {
    if (!is_file_name(name)) continue;
    for (const auto& folder : bin_dirs) {
      const std::string path = joined({folder, "/", name});
      if (::access(path.c_str(), F_OK) != 0) continue;
      if (::access(path.c_str(), X_OK) == 0) return;
      not_executable = path;
    }
  }
  if (not_executable.empty()) {
    report.found(rules::kNodeBinary, pointer,
                 {alternatives(names, " or "), " is not in ", alternatives(bin_dirs, ":")});
  } else {
    report.found(rules::kNodeBinary, pointer, {not_executable, " is not executable"});
  }
}

void check_delegate_binary(const Json& ipam, const Names& bin_dirs, const Report& report) {
  try {
    const DelegateChoice choice =
        read_delegate_choice({&ipam, "/ipam", ErrorCode::invalid_config}, Strictness::strict);
    if (!choice.is_built_in)
      check_binary(choice.names, bin_dirs, report, {"/ipam/", spelled(ipam, "delegate")});
  } catch (const CniError&) {
    return;  // found already
  }
}

/// Bindings are in the one, who holds an address now in the other.
enum class Folder : std::uint8_t { state, data };

/// The folder, or the nearest one above it that is there.
Directory nearest(FileSystem& fs, const std::string& path) {
  auto folder = fs.open_directory(path);
  return folder ? std::move(*folder) : nearest(fs, allocator::store::parent_of(path));
}

/// What becomes of pods when the folder is empty after a reboot.
void tell_of_memory(const std::string& path, Folder folder, const Report& report, Words pointer) {
  if (folder == Folder::state) {
    report.found(rules::kNodeFolder, pointer,
                 {path,
                  " is in memory here, and with it what every pod had is forgotten after a "
                  "reboot"});
  } else {
    report.warned(rules::kNodeFolder, pointer,
                  {path,
                   " is in memory here: pods keep their addresses by stateDir, but callers "
                   "without a pod's name, and pods of retain.exclude, begin anew"},
                  "nothing has to be done; to move it, drain the node first");
  }
}

void check_folder(FileSystem& fs, const std::string& path, Folder kind, const Report& report,
                  Words pointer) {
  try {
    const Directory folder = nearest(fs, path);
    struct statfs status {};
    if (::fstatfs(folder.fd.number(), &status) != 0)
      throw std::system_error(errno, std::generic_category(), "statfs " + folder.path);
    const auto type = static_cast<std::uint32_t>(status.f_type);
    if (type == TMPFS_MAGIC || type == RAMFS_MAGIC) {
      tell_of_memory(path, kind, report, pointer);
    } else if (type == OVERLAYFS_SUPER_MAGIC) {
      report.warned(rules::kNodeFolder, pointer,
                    {path, " is on an overlay: it may not survive a reboot"});
    } else if (const auto disk = fs.unfit_disk(folder.fd)) {
      const bool is_remote = disk->why == allocator::store::UnfitDisk::Why::remote;
      report.found(
          rules::kNodeFolder, pointer,
          {path, " is on ", is_remote ? "a network file system (" : "a file system without links (",
           disk->name, "), which the plugin refuses"});
    }
  } catch (const std::system_error& error) {
    report.found(rules::kNodeFolder, pointer, {path, " cannot be used: ", error.what()});
  }
}

/// How many addresses a network folder has in use; none where there is no folder.
std::size_t addresses_in(FileSystem& fs, const std::string& path) {
  const auto folder = fs.open_directory(path);
  if (!folder) return 0;
  const auto names = fs.list(*folder);
  return static_cast<std::size_t>(std::count_if(
      names.begin(), names.end(),
      [](const std::string& name) { return allocator::Address::parse(name).has_value(); }));
}

/// What is left when somebody corrects a dataDir that was joined with the network's name.
void check_nested(FileSystem& fs, const std::string& path, const Report& report, Words pointer) {
  try {
    const std::size_t count = addresses_in(fs, path);
    if (count == 0) return;
    report.found(rules::kNodeNested, pointer,
                 {std::to_string(count), " addresses are in use in ", path,
                  ", where dataDir used to end in the network's name"});
  } catch (const std::system_error& error) {
    report.found(rules::kNodeFolder, pointer, {error.what()});
  }
}

/// The network may be an old one under a new name, whose pods run on. One that has pods of its own
/// is no new one.
void check_siblings(const Network& network, const Json& ipam, FileSystem& fs,
                    const Report& report) {
  try {
    const std::string folder = joined({data_dir_of(ipam), "/", text_member(network.json, "name")});
    if (addresses_in(fs, folder) != 0) return;
    std::vector<std::vector<allocator::RangeSpec>> specs;
    for (const auto& range : literal_ranges(ipam))
      specs.push_back({{allocator::Cidr::parse(range.text), range.first, range.last, {}}});
    const auto sets = allocator::make_range_sets(specs);
    for (const auto& sibling : allocator::store::sibling_networks(fs, folder, sets)) {
      report.warned(rules::kNodeSibling, {"/name"},
                    {std::to_string(sibling.in_use), " addresses of these ranges are in use in ",
                     sibling.path, ", and none in ", folder, " yet"});
    }
  } catch (const std::system_error&) {
    return;  // the folder's own trouble is told by whoever looks at the folder
  } catch (const allocator::Error&) {
    return;  // found already
  }
}

void check_folders(const Network& network, const Json& ipam, FileSystem& fs, const Report& report) {
  const std::string_view state_dir = text_member(ipam, "stateDir");
  check_folder(fs, clean_path(state_dir.empty() ? kDefaultStateDir : state_dir), Folder::state,
               report, {"/ipam/", spelled(ipam, "stateDir")});
  if (!is_host_local(ipam)) return;
  const Json* delegate = object_member(ipam, "delegate");
  const bool is_inner = delegate != nullptr && !text_member(*delegate, "dataDir").empty();
  const Words pointer = {is_inner ? "/ipam/delegate/" : "/ipam/",
                         spelled(is_inner ? *delegate : ipam, "dataDir")};
  const std::string data_dir = data_dir_of(ipam);
  const std::string_view name = text_member(network.json, "name");
  check_folder(fs, data_dir, Folder::data, report, pointer);
  check_nested(fs, joined({data_dir, "/", name, "/", name}), report, pointer);
}

void check_plugin(const Network& network, const Json& plugin, FileSystem& fs, const Names& bin_dirs,
                  const Report& report) {
  const std::string type(text_member(plugin, "type"));
  check_binary({type}, bin_dirs, report, {"/", spelled(plugin, "type")});
  if (type == "flannel") {
    const Json* delegate = object_member(plugin, "delegate");
    const std::string_view main = delegate == nullptr ? "" : text_member(*delegate, "type");
    check_binary({std::string(main.empty() ? "bridge" : main)}, bin_dirs, report,
                 {"/", spelled(plugin, "delegate")});
  }
  if (!uses_us(plugin)) return;
  const Json& ipam = *object_member(plugin, "ipam");
  check_binary({std::string(text_member(ipam, "type"))}, bin_dirs, report,
               {"/ipam/", spelled(ipam, "type")});
  check_delegate_binary(ipam, bin_dirs, report);
  check_folders(network, ipam, fs, report);
}

}  // namespace

void check_node(const Network& network, FileSystem& fs, const std::vector<std::string>& bin_dirs,
                const Report& report) {
  const auto& plugins = elements(network.json, "plugins");
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    if (text_member(plugins[i], "type").empty()) continue;
    check_plugin(network, plugins[i], fs, bin_dirs, report.below({network.plugin_pointer(i)}));
    const Json* ipam = uses_us(plugins[i]) ? object_member(plugins[i], "ipam") : nullptr;
    if (ipam != nullptr && is_host_local(*ipam)) check_siblings(network, *ipam, fs, report);
  }
}

}  // namespace shim::validate
