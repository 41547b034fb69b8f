#pragma once
/// What one link of the run folder tells of a network in this boot, so that an ordinary command
/// reads it once instead of looking for each thing by itself.
///
///     scan -> "<generation>" and what holds, in this order: "~scanned" or "~live" (see
///             BootScanState), "~own", "~flushed", "~unpinned", "~aside", "~used", "~repeats",
///             "~unbound", "~pending", "~index"
#include <cstdint>
#include <string>
#include <string_view>

namespace allocator::store {

/// How far the boot scan has come in this generation.
enum class BootScanState : std::uint8_t {
  due,
  files_scanned,  ///< every file has been looked at
  live_restored   ///< and live attachments without a file have got theirs back
};

/// What is not so is not looked for; what is so may have ended since. As constructed: of a folder
/// of which nothing is known, in which anything may be.
struct BootMark {
  BootScanState scan = BootScanState::due;
  bool has_kernels_boot = false;  ///< somebody has seen that the boot_id is the kernel's own
  bool is_flushed = false;        ///< the folders above the network's and the records'
  bool is_unpinned = false;       ///< no record pins anything by hand
  bool has_set_aside = true;      ///< something in aside/
  bool has_used = true;           ///< marks of used addresses
  bool has_repeats = true;        ///< something in repeats/
  bool has_unbound = true;        ///< something in unbound/
  bool has_pending = true;        ///< something in pending/
  bool has_index = true;

  /// Of a folder that was made a moment ago.
  static BootMark of_new_folder();
  friend bool operator==(const BootMark&, const BootMark&) = default;
};

/// Without the generation.
std::string encode(const BootMark& mark);
/// What follows the generation in the link; a word that is not known makes it one of which nothing
/// is known.
BootMark decode_boot_mark(std::string_view words);

}  // namespace allocator::store
