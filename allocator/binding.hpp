#pragma once
/// Who an address belongs to: the attachment that uses it now, and the binding that outlives the
/// attachment. Pure.
///
/// Attachment = (container ID, ifname): made by ADD; DEL, CHECK and GC act on nothing else.
/// Binding = (namespace, pod name, ifname) -> addresses: what brings a pod back to its address
/// under a new container ID.
///
/// Both kinds of records are texts of "~"-separated fields, kept as targets of symbolic links (see
/// store/record_folder.hpp). "~" cannot occur in a field: everything but letters, digits, ".", "-"
/// and ":" is escaped.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"

namespace allocator {

struct Attachment {
  std::string container_id;
  std::string ifname;

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

/// True for what a runtime calls an attachment: a container ID and an interface name as the CNI
/// specification has them. Without an interface name, as host-local before 0.8 wrote it, only an ID
/// that no person would write: hexadecimal digits and dashes, 32 of them or more.
/// Source: CNI spec 1.1.0 section 2 "Parameters"; the kernel's IFNAMSIZ.
bool looks_like_attachment(const Attachment& attachment);

/// The pod that a binding belongs to, one of its interfaces.
struct PodKey {
  std::string pod_namespace;
  std::string pod_name;
  std::string ifname;

  friend bool operator==(const PodKey&, const PodKey&) = default;
  /// "namespace/pod", for messages.
  [[nodiscard]] std::string display() const { return pod_namespace + "/" + pod_name; }
};

/// The record ip.<address>: which pod the address is bound to.
/// Format: "1~<namespace>~<pod>~<ifname>~<uid>~<sequence>~<kept>~<boot8>".
struct Binding {
  PodKey pod;
  std::string uid;  ///< of the pod object at its last ADD; may be empty
  std::uint64_t sequence =
      0;  ///< stamped at DEL, ever growing: the lowest has been held longest; 0 = no DEL yet
  std::uint64_t kept = 0;  ///< how often the pod came back to this address
  std::string boot8;       ///< the first eight digits of the boot_id of its last ADD

  friend bool operator==(const Binding&, const Binding&) = default;
};

/// How records write a boot: the first eight digits of its boot_id.
inline std::string boot8_of(const std::string& boot_id) { return boot_id.substr(0, 8); }

/// The record pod.<key>: where to look for a pod's bindings. Only a hint: an address counts when
/// ip.<address> names the pod.
/// Format: "1~<address>,<address>...~<addresses at the previous boot>", newest first; where the key
/// had to be hashed, "~<namespace>~<pod>~<ifname>" follows.
struct PodHint {
  std::vector<Address> addresses;
  std::vector<Address> previous_boot;

  friend bool operator==(const PodHint&, const PodHint&) = default;
};

/// A record was written by a newer version of this program.
enum class RecordState : std::uint8_t { valid, malformed, newer_format };

std::string encode(const Binding& binding);
/// Errors: nullopt for anything that encode() does not produce.
std::optional<Binding> decode_binding(std::string_view record);

std::string encode(const PodHint& hint);
std::optional<PodHint> decode_hint(std::string_view record);

/// Tells a damaged record from one of a later format version.
RecordState state_of_record(std::string_view record);

/// `text` with every byte but letters, digits, "." and "-" as %XX. Injective; never empty for a
/// non-empty text.
std::string escape(std::string_view text);
/// The text that escape() was given.
/// Errors: nullopt for anything that escape() does not produce.
std::optional<std::string> unescape(std::string_view escaped);

/// "<namespace>_<pod>@<ifname>", each part escaped: injective, and safe as part of a file name but
/// for its length.
std::string key_text(const PodKey& pod);

}  // namespace allocator
