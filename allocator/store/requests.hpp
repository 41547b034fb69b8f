#pragma once
/// What the commands ask of the store, and what they get.
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/hand_hold.hpp"
#include "allocator/store/owner.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

struct AddRequest {
  Attachment attachment;
  std::string netns_path;
  Owner owner;
  RangeSets sets;
  Reservations reservations;
  std::vector<Address> requested;
  bool may_ask_for_others = false;  ///< see Wish
  OnDuplicate on_duplicate = OnDuplicate::same_addresses;
  /// The CIDR blocks that `sets` came from, if they came from a source that may be gone tomorrow;
  /// else none.
  RememberedRanges ranges_to_remember = {};
};

struct ReleaseRequest {
  Attachment attachment;
  /// How often host-local would look: once for each of its range sets.
  std::size_t passes = 1;
  /// Whose addresses they were, as far as the caller says.
  Owner owner;
  /// The ranges, as far as they are known: see Session::prepare().
  RangeSets sets;
  /// False where the folder was only guessed at.
  bool may_make_folder = true;
};

/// An answered ADD: the addresses, and what undo() needs to take it back.
struct Lease {
  std::vector<Pick> picks;  ///< the ranges belong to the request
  /// The names that this call made, with their inode, and their content.
  std::vector<std::pair<Address, FileIdentity>> linked;
  std::string owner;
  /// The attachment's files, open as long as the lease is there: no other file gets their inodes.
  std::vector<Fd> files;
  std::optional<RecordFolder> records;
  /// How often all processes were looked at to prove a death: never on the ordinary path.
  unsigned process_scans = 0;
  std::string noted = {};  ///< see repeat.hpp
};

/// What became of an attachment that an operator wants freed.
struct HandRelease {
  bool was_there = false;
  bool may_be_alive = false;  ///< nothing proves it dead: it stays
  std::vector<Address> freed;
  /// By which their bindings are held; 0: nothing binds them.
  std::uint64_t sequence = 0;
};

/// What became of what a pod is bound to, when an operator wants it forgotten.
struct Forgotten {
  std::vector<Address> ended;
  /// Bound, and in use, perhaps so, or used since the caller looked: then nothing has ended.
  std::vector<Address> in_use;
};

/// What an operator wants kept for one interface of a pod.
struct HandHold {
  struct Wanted {
    Address address;
    std::uint64_t kept = 0;  ///< how often the pod came back to it, as far as somebody counted
    /// The pod's, as far as anybody tells: where it has the address, the pod is bound in use.
    std::optional<Attachment> attachment = {};
  };
  PodKey pod;
  std::string uid;
  std::vector<Wanted> addresses;  ///< the one that is to be held longest first
};

/// What a collection freed: one of an attachment's addresses.
struct FreedAddress {
  Attachment attachment;
  Address address;
};

}  // namespace allocator::store
