#pragma once
/// What pods are bound to on a node, in a file for another node, or for this one made anew.
///
///     {"schemaVersion": 1, "kind": "export", "node": "edge-7", "boot": "b0070002",
///      "networks": [
///        {"name": "pods", "folder": "/var/lib/cni/networks/pods", "bindings": [
///          {"address": "10.244.1.7", "namespace": "shop", "pod": "web-0", "interface": "eth0",
///           "uid": "...", "state": "in-use", "kept": 3, "sequence": 0, "boot": "b0070002"}]}],
///      "checksum": "sha256:..."}
///
/// Networks by name, bindings by address. Empty texts are null. `sequence` is the place in the
/// order of DELs, 0 before one. The checksum is that of the document without it, written without
/// white space: it tells a torn or changed file, and says nothing of who wrote it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/inspect/networks/states.hpp"

namespace shim::inspect {

struct ExportedBinding {
  allocator::Address address;
  allocator::PodKey pod;
  std::string uid;
  State state;  ///< in_use, dead or held
  std::uint64_t kept = 0;
  std::uint64_t sequence = 0;
  std::string boot8;
};

struct ExportedNetwork {
  std::string name;
  std::string folder;
  std::vector<ExportedBinding> bindings;
};

struct ExportedNode {
  std::string node;  ///< empty: nobody knows its name
  std::string boot8;
  std::vector<ExportedNetwork> networks;
};

/// All bindings, and the pods that use an address without one, as far as the runtime's cache knows
/// them.
ExportedNode export_of(const Networks& networks, const std::string& node);

/// The document, with a newline at its end.
std::string print_export(const ExportedNode& node);

/// Reads it. `source` names it in errors.
/// Errors: throws UsageError for anything else than print_export() makes, of this version.
ExportedNode read_export(std::string_view text, const std::string& source);

/// The same of a file, or of standard input ("-").
/// Errors: throws UsageError for what cannot be read, too.
ExportedNode read_export_file(const std::string& name);

}  // namespace shim::inspect
