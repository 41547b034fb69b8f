#pragma once
/// A file system's content as a value: inodes by number of creation, cheap to copy, and the single
/// changes that lead from one tree to the next.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/store/disk/file_system.hpp"

namespace proof {

namespace store = allocator::store;

/// Names an inode for ever: unlike its number it never comes again. 0: none.
using Id = std::uint64_t;
inline constexpr Id kRoot = 1;

struct Inode {
  store::FileKind kind = store::FileKind::regular;
  std::string bytes;  ///< of a file; the target of a symbolic link
  std::optional<std::string> attribute;
  std::map<std::string, Id> entries;  ///< of a folder
  std::uint64_t number = 0;           ///< what stat(2) tells
  std::int64_t born_ns = 0;
  std::int64_t changed_ns = 0;
  std::int64_t modified_ns = 0;
};

/// One thing that becomes durable as a whole or not at all.
struct Change {
  enum class Kind : std::uint8_t { entry, bytes, attribute };
  Kind kind;
  Id inode;                     ///< whose bytes or attribute; the folder of an entry
  std::string name;             ///< of the entry
  Id target = 0;                ///< what the entry names from now on; 0: nothing
  Id replaced = 0;              ///< what it named before
  std::string value;            ///< the bytes, the attribute
  std::string moved_from = {};  ///< the entry that ends with this one: rename(2)
  bool is_moved = false;        ///< the target's half of a rename(2), by itself
};

class Tree {
 public:
  /// A root folder and nothing else.
  Tree();

  /// nullptr when there is none.
  [[nodiscard]] const Inode* find(Id id) const;
  /// Throws std::logic_error when there is none.
  [[nodiscard]] const Inode& at(Id id) const;
  /// To be changed: no other tree sees it.
  Inode& own(Id id);
  /// `id` is greater than all before.
  void put(Id id, Inode inode);
  void apply(const Change& change);

  /// The inode at an absolute path; 0 when there is none.
  [[nodiscard]] Id lookup(const std::string& path) const;
  [[nodiscard]] std::uint64_t count_names(Id id) const;
  /// Every inode that a path leads to.
  [[nodiscard]] std::vector<Id> reachable() const;
  /// Drops what is neither in `kept` nor below it.
  void keep_only(const std::vector<Id>& kept);
  /// Equal trees have equal ones: names, contents, attributes, and which names share an inode;
  /// neither numbers nor times, nor what tombstones say, which is a time.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  using Slot = std::pair<Id, std::shared_ptr<Inode>>;
  [[nodiscard]] std::vector<Slot>::const_iterator slot(Id id) const;

  std::vector<Slot> inodes_;  ///< by Id; shared with other trees
};

/// Mixes a value into a hash.
std::uint64_t mixed(std::uint64_t hash, std::uint64_t value);
std::uint64_t mixed(std::uint64_t hash, const std::string& text);

}  // namespace proof
