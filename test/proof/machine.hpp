#pragma once
/// A machine as a value: its disk as processes see it and as a power cut would leave it, /run, the
/// boot, and the network namespaces that are there.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/proof/crash_models.hpp"

namespace proof {

inline constexpr const char* kNetworkDir = "/var/lib/cni/networks/net";

/// Inodes of /run have this bit: another file system, which ends with the boot.
inline constexpr Id kRunBit = Id{1} << 63U;

struct Machine {
  explicit Machine(std::vector<Model> models);

  Tree disk;
  Tree run;
  std::vector<Durable> durable;  ///< one for each model

  std::string boot_id;
  std::map<std::string, store::NamespaceIdentity> namespaces;  ///< by path
  /// Namespaces without a path, in which processes are.
  std::vector<store::NamespaceIdentity> inhabited;
  bool is_read_only = false;
  /// What the disk does not give any more: every call by a name of it fails, as with a wrong
  /// checksum (EBADMSG).
  std::set<Id> damaged = {};

  /// As xfs does: the next inode gets the number of the last one that was removed. Files take
  /// those of files, so that symbolic links of the records do not use them up.
  bool reuses_numbers = false;
  struct FreeNumbers {
    std::vector<std::uint64_t> files;
    std::vector<std::uint64_t> others;
  };
  FreeNumbers free_numbers = {};
  /// The last address file that had the number, and how often another one got it after it.
  std::map<std::uint64_t, Id> address_files = {};
  std::uint64_t numbers_met_again = 0;
  Id next_id = kRoot + 1;
  std::uint64_t next_number = 100;
  std::uint64_t boots = 0;
  std::uint64_t next_namespace = 1;
  std::int64_t clock_ns = 1'000'000'000;

  /// Another boot_id, nothing in /run, no namespaces.
  void boot();
  /// After a power cut that left `left`; the next cut is looked at by `models`.
  [[nodiscard]] Machine booted_from(const Tree& left, const std::vector<Model>& models = {}) const;
  /// Everything reaches the disk, then boot().
  void reboot_in_order();
  void make_namespace(const std::string& path);
  [[nodiscard]] bool is_alive(const store::NamespaceIdentity& network_namespace) const;
  /// What lies there has lain there long: a power cut leaves it as it is.
  void settle();
  /// Nothing leads to the inode any more, and no process has it.
  void free_number(const Inode& inode);
  /// A name that somebody removed, and long ago: for every model it is gone. Of a folder all below
  /// it goes too.
  void forget_file(const std::string& folder, const std::string& name);
  /// Drops inodes that nothing leads to.
  void prune();
};

}  // namespace proof
