#pragma once
/// The commands of a node, each a process of its own: those of the store itself, and a model of
/// what the Go plugin does on the same folder.
#include <optional>
#include <string>
#include <vector>

#include "allocator/store/lease_store.hpp"
#include "test/proof/memory_disk.hpp"
#include "test/proof/oracle.hpp"

namespace proof {

inline constexpr const char* kStateDir = "/var/lib/delegated-ipam";
inline constexpr const char* kRecordDir = "/var/lib/delegated-ipam/var_lib_cni_networks_net";
inline constexpr const char* kInterface = "eth0";
/// All pods are given these four addresses, the pod `p` its own one, the pods of two families one
/// of the other range too.
inline constexpr const char* kRange = "10.0.0.0/29";
inline constexpr const char* kOtherRange = "2001:db8::/125";
inline constexpr const char* kPinnedAddress = "10.0.0.6";
inline constexpr std::size_t kPlaces = 4;

/// Where an ADD may look for an address.
enum class Ranges : std::uint8_t { one, both, first_address_only };

struct AddAnswer {
  bool is_acknowledged = false;
  std::vector<std::string> addresses;
  std::vector<std::string> evicted_pods;
  std::string failure;
};

/// What the network folder says: address -> content.
using Files = std::map<std::string, std::string>;

class Node {
 public:
  /// `oracle`: what the runtime's cache tells of; none: it is empty.
  Node(Machine& machine, const Oracle* cache, MemoryDisk::Observer observer = {})
      : machine_(machine), cache_(cache), observer_(std::move(observer)) {}

  /// The network namespace of the container is made first.
  AddAnswer add(const std::string& container, const std::string& pod, Ranges ranges = Ranges::one,
                bool is_retained = true);
  /// The failure; empty when it was acknowledged. The namespace goes after it.
  std::string release(const std::string& container, const std::string& pod);
  /// GC with a list of who is valid. The containers that were collected.
  std::vector<std::string> collect(const std::vector<std::string>& valid);

  /// `places`: so many addresses its range has.
  AddAnswer go_add(const std::string& container, std::size_t places = kPlaces);
  void go_release(const std::string& container);

 private:
  /// Runs a command of the store, a process of its own, on what the observer lets it see. What it
  /// throws goes on to the caller.
  template <typename Command>
  auto run(Command command);

  Machine& machine_;
  const Oracle* cache_;
  MemoryDisk::Observer observer_;
};

std::string namespace_path(const std::string& container);
/// What an attachment's file holds.
std::string content_of(const std::string& container);
/// The files of attachments: neither the lock nor the cursors.
Files files_of(const Tree& disk);
bool has_file(const Files& files, const std::string& container);
/// What the records say of a pod that is bound to `addresses`: another number when that changes.
std::uint64_t records_of(const Tree& disk, const std::string& pod,
                         const std::vector<std::string>& addresses);

}  // namespace proof
