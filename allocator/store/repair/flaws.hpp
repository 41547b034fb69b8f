#pragma once
/// What is wrong with the records of a network, and what mends it: one look for who only tells it
/// and for who repairs it.
///
/// Told by what lies in the folders, under the network's lock. What a newer version wrote is never
/// mended, nor is anything by which a pod that may be alive would lose its address.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/state/attachment_source.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"

namespace allocator::store {

enum class Mend : std::uint8_t {
  none,    ///< somebody has to look
  remove,  ///< the record goes
  lead,    ///< the pod's hint is written anew: it leads to `addresses`
  bind,    ///< the address is bound to `pod`; `addresses`: of the attachment that has it
  name     ///< the record `netdir` is written
};

struct Flaw {
  enum class Kind : std::uint8_t {
    left_over,    ///< what a command that was killed has left
    folder_name,  ///< `netdir` is missing, damaged, or names another folder
    strange,      ///< no name of this version's
    list,         ///< the boots or ranges cannot be read
    binding,      ///< cannot be read, makes no sense, or is missing while its pod has the address
    hint,         ///< the same of a hint; no binding that can be read is its pod's
    idle_hint,    ///< leads to no address that is its pod's
    unled,        ///< bindings that their pod's hint does not lead to
    surplus,      ///< a binding that there is no room for in its pod's hint
    idle_stamp    ///< of an address without a file
  };
  Kind kind;
  std::string name;      ///< of the record
  std::string why = {};  ///< what is wrong, where there is more to say than the kind says
  Mend mend = Mend::none;
  std::optional<Address> address = {};
  std::optional<PodKey> pod = {};
  std::string uid = {};
  std::vector<Address> addresses = {};

  /// True for the same flaw with the same remedy.
  [[nodiscard]] bool is_same(const Flaw& other) const {
    return kind == other.kind && name == other.name && mend == other.mend && pod == other.pod &&
           addresses == other.addresses;
  }
};

/// What the records are compared with.
struct Surroundings {
  std::string network_dir;
  NetworkDir* network = nullptr;  ///< that has been scanned; nullptr: it has no folder
  const std::vector<CachedAttachment>& cached;
  std::function<bool(const PodKey&)> retains;
};

/// The flaws of the records in a folder, by name. Nothing is mended where the network has no
/// folder: there is no lock then.
/// Errors: throws std::system_error when the folder cannot be listed, or for want of descriptors or
/// memory.
std::vector<Flaw> find_flaws(FileSystem& fs, const Directory& records, const Surroundings& around);

}  // namespace allocator::store
