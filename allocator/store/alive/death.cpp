#include "allocator/store/alive/death.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/store/disk/folders.hpp"
#include "allocator/store/state/network_dir.hpp"

namespace allocator::store {
namespace {

bool is_number(const std::string& name) {
  return name.find_first_not_of("0123456789") == std::string::npos;
}

/// When the first process of the PID namespace was started, which a mark of /run ends in.
std::string first_start(const std::string& run) { return run.substr(run.find('-') + 1); }

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

bool DeathJudge::is_owner_dead(NetworkDir& network, const AttachmentFile& file,
                               const std::optional<Stamp>& stamp) {
  const Attachment owner = parse_owner(file.owner);
  if (!is_dead(owner, stamp)) return false;
  const auto recorded = network.recorded_stamp(file.name);
  return !recorded || is_dead(owner, recorded);
}

bool DeathJudge::judge(const Attachment& owner, const Stamp& stamp) {
  try {
    if (lives_at_path(stamp)) return false;
    if (is_of_another_boot(stamp) || is_of_another_pretended_boot(stamp)) return true;
    if (has_no_namespace(owner) || stamp.netns_inode == 0) return false;
    if (parent_of(own_netns_path_) != parent_of(stamp.netns_path)) return false;
    const auto own = fs_.network_namespace(own_netns_path_);
    return own && is_gone(stamp, *own);
  } catch (const std::system_error&) {
    return false;  // what we may not look at may be alive
  }
}

/// Paths below /proc are named by process numbers, which come again: there only the same namespace
/// counts.
bool DeathJudge::lives_at_path(const Stamp& stamp) {
  const auto there = fs_.network_namespace(stamp.netns_path);
  if (!there) return false;
  return there->may_be(stamp.netns()) || !stamp.netns_path.starts_with("/proc/");
}

/// Stamps of earlier versions made in a container may name a container's boot: those of a node that
/// is a container are believed there, not on the machine around it.
bool DeathJudge::is_of_another_boot(const Stamp& stamp) {
  if (stamp.boot_id.empty() || here_.boot_id.empty() || stamp.boot_id == here_.boot_id)
    return false;
  return !stamp.has_doubtful_boot || !here_.sees_all_processes();
}

/// A container gets the boot_id that lies over the kernel's when it is started, with its PID
/// namespace. Where that is the same as before, somebody pretends a boot.
bool DeathJudge::is_of_another_pretended_boot(const Stamp& stamp) {
  if (stamp.container_boot.empty() || here_.container_boot.empty()) return false;
  if (stamp.container_boot == here_.container_boot) return false;
  if (here_.run.empty() || stamp.run == here_.run || !is_same_pid_namespace(stamp)) return false;
  if (stamp.netns_inode == 0) return true;
  if (stamp.netns_id != 0) return fs_.life_of(stamp.netns()) != Life::alive;
  return !any_thread_is_in(stamp.netns());
}

bool DeathJudge::is_same_pid_namespace(const Stamp& stamp) const {
  return stamp.pid_namespace != 0 && stamp.pid_namespace == here_.pid_namespace &&
         first_start(stamp.run) == first_start(here_.run);
}

bool DeathJudge::is_gone(const Stamp& stamp, const NamespaceIdentity& own) {
  const Life life = fs_.life_of(stamp.netns());
  if (life == Life::alive) return false;
  // Ours is there, so that the kernel is believed when it says that the other one is not.
  if (life == Life::gone && fs_.life_of(own) == Life::alive) return true;
  // One number is one namespace at a time.
  if (own.inode == stamp.netns_inode && !own.may_be(stamp.netns())) return true;
  if (is_of_restarted_node(stamp)) return true;
  return here_.sees_all_processes() && !any_thread_is_in(stamp.netns()) && !is_named_beside(stamp);
}

/// What the machine itself recorded is never dead by that: its PID namespace ends with the boot.
bool DeathJudge::is_of_restarted_node(const Stamp& stamp) {
  const bool in_containers = stamp.pid_namespace != 0 && here_.pid_namespace != 0 &&
                             stamp.pid_namespace != kInitialPidNamespace &&
                             here_.pid_namespace != kInitialPidNamespace;
  if (!in_containers || is_same_pid_namespace(stamp)) return false;
  if (stamp.run.empty() || here_.run.empty() || stamp.run == here_.run) return false;
  // A container in the node, or beside it, has another /run too.
  if (stamp.root == 0 || stamp.root != here_.root) return false;
  const auto folder = fs_.file_system_of(parent_of(own_netns_path_));
  return folder && stamp.folder != FileSystemIdentity{} && stamp.folder.is_another(*folder);
}

/// Who is seen there is there, whoever else cannot be seen.
bool DeathJudge::a_thread_is_seen_in(const NamespaceIdentity& netns) {
  if (process_scans_ == 0) look_at_processes();
  const auto found = live_namespaces_.find(netns.inode);
  return found != live_namespaces_.end() && found->second.may_be(netns);
}

bool DeathJudge::any_thread_is_in(const NamespaceIdentity& netns) {
  return a_thread_is_seen_in(netns) || !saw_all_threads_;
}

/// One look serves the whole command: a namespace without a process, path or descriptor does not
/// come back. Without /proc, or with a process that may not be looked at, nothing is proven. Where
/// processes are hidden (hidepid), the first one is.
void DeathJudge::look_at_processes() {
  ++process_scans_;
  const auto proc = fs_.open_directory("/proc");
  if (!proc) return;
  bool saw_first = false;
  for (const auto& name : fs_.list(*proc)) {
    if (!is_number(name)) continue;
    saw_first = saw_first || name == "1";
    try {
      look_at_threads("/proc/" + name);
    } catch (const std::system_error&) {
      // The first one is in the node's own namespace, and may be closed even to root.
      if (name != "1") throw;
    }
  }
  saw_all_threads_ = saw_first;
}

/// All of them: any thread can go into another namespace alone (Kata's VMM does), and a process can
/// lose its main one.
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
  for (const auto& name : names) {
    const auto netns = fs_.network_namespace(threads->path + "/" + name + "/ns/net");
    if (netns) live_namespaces_[netns->inode] = *netns;
  }
}

/// A runtime may have mounted it under another name. Ours is not asked: with no process in it, and
/// the number of the recorded one, it is the one that got the number.
bool DeathJudge::is_named_beside(const Stamp& stamp) {
  const auto folder = fs_.open_directory(parent_of(stamp.netns_path));
  if (!folder) return true;
  const auto names = fs_.list(*folder);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string path = folder->path + "/" + name;
    if (path == own_netns_path_) return false;
    const auto netns = fs_.network_namespace(path);
    return netns && netns->may_be(stamp.netns());
  });
}

bool DeathJudge::is_seen_alive(const Stamp& stamp) {
  if (stamp.netns_inode == 0) return false;
  try {
    // Whatever the boot is called: who is there is there.
    const auto there = fs_.network_namespace(stamp.netns_path);
    if (there && there->may_be(stamp.netns())) return true;
    if (is_of_another_boot(stamp)) return false;
    const Life life = fs_.life_of(stamp.netns());
    if (life != Life::unknown) return life == Life::alive;
    return a_thread_is_seen_in(stamp.netns());
  } catch (const std::system_error&) {
    return true;
  }
}

bool DeathJudge::lives_elsewhere(const Stamp& stamp) {
  if (stamp.netns_inode == 0 || is_of_another_boot(stamp)) return false;
  try {
    const auto own = fs_.network_namespace(own_netns_path_);
    if (!own || own->may_be(stamp.netns())) return false;
    const auto there = fs_.network_namespace(stamp.netns_path);
    if (there && there->may_be(stamp.netns())) return true;
    return fs_.life_of(stamp.netns()) == Life::alive;
  } catch (const std::system_error&) {
    return true;  // what we may not look at may be alive
  }
}

}  // namespace allocator::store
