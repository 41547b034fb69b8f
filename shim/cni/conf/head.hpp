#pragma once
/// What every command reads of its configuration before anything else, whoever hands out the
/// addresses. It is read once, and handed on.
#include <cstdint>
#include <string>
#include <vector>

#include "shim/cni/protocol/config_reader.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// Whether broken keys end the command or stay at their defaults.
enum class Strictness : std::uint8_t { strict, lenient };

/// Who hands out the addresses.
struct DelegateChoice {
  bool is_built_in = true;
  /// The names to look for in CNI_PATH, in this order.
  std::vector<std::string> names;
};

struct ConfHead {
  std::string name;         ///< of the network
  std::string cni_version;  ///< as written; empty means 0.1.0
  DelegateChoice choice;
};

/// The network's name.
/// Errors: throws CniError 6 (no object, name no string) or 7 (no name, bad characters).
std::string read_name(const Json& document);

/// The configuration's version as written; empty when it is missing.
/// Errors: throws CniError 6 when it is no string.
std::string read_cni_version(const Json& document);

/// Reads `delegate.type` and `inProcess`; `ipam` may be a reader over nothing.
/// Errors: throws CniError 7 for a bad type; for a mistyped `inProcess` with Strictness::strict
/// only.
DelegateChoice read_delegate_choice(const ConfigReader& ipam, Strictness strictness);

/// The same of a whole configuration. Without an `ipam` object, or with a `delegate` that is none:
/// the built-in allocator, which reports that.
DelegateChoice delegate_choice(const Json& document, Strictness strictness);

/// All of it, in this order.
ConfHead read_head(const Json& document, Strictness strictness);

}  // namespace shim
