#include "allocator/store/death.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>

#include "allocator/store/folders.hpp"

namespace allocator::store {
namespace {

bool is_number(const std::string& name) {
  return name.find_first_not_of("0123456789") == std::string::npos;
}

/// A path with its hexadecimal digits alike: runtimes make names like "cni-<UUID>".
std::string shape_of(std::string path) {
  for (char& c : path) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) c = 'x';
  }
  return path;
}

}  // namespace

bool has_no_namespace(const Attachment& attachment) {
  return attachment.container_id.starts_with("cilium-ingress-");
}

bool DeathJudge::is_dead(const Attachment& owner, const std::optional<Stamp>& stamp) {
  if (!stamp || stamp->container_hash != container_hash(owner.container_id)) return false;
  // A note of somebody who reserves the address by hand; earlier versions stamped those too.
  if (!looks_like_attachment(owner)) return false;
  const auto key = std::pair(owner.container_id + "~" + owner.ifname, encode(*stamp));
  const auto known = verdicts_.find(key);
  if (known != verdicts_.end()) return known->second;
  return verdicts_[key] = judge(owner, *stamp);
}

bool DeathJudge::judge(const Attachment& owner, const Stamp& stamp) {
  try {
    if (lives_at_path(stamp)) return false;
    if (!stamp.boot_id.empty() && !boot_id_.empty() && stamp.boot_id != boot_id_) return true;
    return is_gone_in_this_boot(owner, stamp);
  } catch (const std::system_error&) {
    return false;  // what we may not look at may be alive
  }
}

bool DeathJudge::is_seen(const Stamp& stamp) {
  if (fs_.network_namespace(stamp.netns_path) == stamp.netns_inode) return true;
  if (process_scans_ == 0) look_at_processes();
  return live_namespaces_.count(stamp.netns_inode) != 0 && !is_another_ones(stamp);
}

/// Paths below /proc are named by process numbers, which come again: there only the same namespace
/// counts.
bool DeathJudge::lives_at_path(const Stamp& stamp) {
  const auto there = fs_.network_namespace(stamp.netns_path);
  if (!there) return false;
  return *there == stamp.netns_inode || !stamp.netns_path.starts_with("/proc/");
}

bool DeathJudge::is_gone_in_this_boot(const Attachment& owner, const Stamp& stamp) {
  if (has_no_namespace(owner) || stamp.netns_inode == 0 || stamp.boot_id != boot_id_) return false;
  const bool same_folder = parent_of(own_netns_path_) == parent_of(stamp.netns_path);
  if (!same_folder || !fs_.network_namespace(own_netns_path_)) return false;
  // From another PID namespace the pod's processes may not be seen.
  if (stamp.pid_namespace == 0 || stamp.pid_namespace != fs_.pid_namespace()) return false;
  // The namespace lives as long as a process is in it, whatever became of its name.
  return !any_process_is_in(stamp.netns_inode) || is_another_ones(stamp);
}

bool DeathJudge::any_process_is_in(std::uint64_t netns_inode) {
  if (process_scans_ == 0) look_at_processes();
  return !saw_all_processes_ || live_namespaces_.count(netns_inode) != 0;
}

/// One look serves the whole command: a namespace without a process, path or descriptor does not
/// come back. Without /proc, or with a process that may not be looked at, nothing is proven.
void DeathJudge::look_at_processes() {
  ++process_scans_;
  const auto proc = fs_.open_directory("/proc");
  if (!proc) return;
  for (const auto& name : fs_.list(*proc)) {
    // The first process is in the node's own namespace, and may be hidden even from root.
    if (!is_number(name) || name == "1") continue;
    const std::string process = "/proc/" + name;
    if (!look_at(process)) look_at_threads(process);
  }
  saw_all_processes_ = true;
}

/// Returns false for a process without a main thread, or one that is gone.
bool DeathJudge::look_at(const std::string& task) {
  const auto netns = fs_.network_namespace(task + "/ns/net");
  if (netns) live_namespaces_.insert(*netns);
  return netns.has_value();
}

void DeathJudge::look_at_threads(const std::string& process) {
  const auto threads = fs_.open_directory(process + "/task");
  if (!threads) return;
  std::vector<std::string> names;
  try {
    names = fs_.list(*threads);
  } catch (const std::system_error& error) {
    const int number = error.code().value();
    if (number == ENOENT || number == ESRCH) return;  // it has ended meanwhile
    throw;
  }
  for (const auto& name : names) static_cast<void>(look_at(threads->path + "/" + name));
}

/// The kernel gives the numbers of dead namespaces to new ones. A namespace with this number that
/// the runtime has mounted under another name is another pod's: a runtime names each one once.
/// Names of another kind, and links, may be anybody's.
bool DeathJudge::is_another_ones(const Stamp& stamp) {
  const auto folder = fs_.open_directory(parent_of(stamp.netns_path));
  if (!folder) return false;
  const std::string kind = shape_of(stamp.netns_path);
  const auto names = fs_.list(*folder);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string path = folder->path + "/" + name;
    if (shape_of(path) != kind || fs_.network_namespace(path) != stamp.netns_inode) return false;
    const auto entry = fs_.identify(*folder, name);
    return entry && entry->kind != FileKind::symbolic_link;
  });
}

}  // namespace allocator::store
