#pragma once
/// What `import` reads: which pod had which address, as one of four sources tells it. Nothing is
/// decided here, and nothing written.
///
///     export      a file of `delegated-ipam export`
///     host-local  this node's network folders, and the runtime's result cache
///     openyurt    the names IP_namespace_pod in a folder of OpenYurt's host-local
///     yurthub     status.podIPs of the pods in YurtHub's cache
#include <optional>
#include <string>
#include <vector>

#include "shim/cli/inspect/export_document.hpp"
#include "shim/cli/inspect/networks/finding.hpp"

namespace shim::change {

struct ImportedAddress {
  allocator::Address address;
  allocator::PodKey pod;  ///< without a name: the source does not know whose it is
  std::string uid = {};
  std::uint64_t kept = 0;
  std::string network = {};  ///< the source's own name of it; empty: it tells none
  std::string folder = {};   ///< the network folder, where the source is that one
  std::string beside = {};   ///< the folder in which it stands beside the address' own file
  /// Who has the address; nullopt: the source does not tell.
  std::optional<allocator::Attachment> attachment = {};
};

struct ImportSource {
  /// One more, of which the caller tells the rest.
  ImportedAddress& add(const allocator::Address& address, const allocator::PodKey& pod,
                       const std::string& uid = {});

  std::vector<ImportedAddress> addresses;  ///< what was given up first comes first
  std::string node = {};                   ///< whose they were; empty: nobody says
  inspect::Findings findings = {};         ///< what of it cannot be read
};

/// `path`: "-" for standard input.
/// Errors: throws UsageError for what is no export, or not whole; std::system_error.
ImportSource read_exported(allocator::store::FileSystem& fs, const std::string& path);

/// Addresses in use that no record binds to who has them. Callers without a pod are left out, and
/// pods that are not to be kept.
ImportSource read_host_local(const inspect::Networks& networks);

/// Errors: throws UsageError for a folder that there is not; std::system_error.
ImportSource read_markers(allocator::store::FileSystem& fs, const std::string& folder);

/// `folder`: YurtHub's cache, or the folder of a component or of pods in it, in the layout of today
/// or of older versions; empty: where it usually is. Pods of the node's own network, and those that
/// have ended, have no address of ours.
/// Errors: throws UsageError where there is no pod's folder; std::system_error. A file that cannot
/// be read is told in the findings.
ImportSource read_yurthub(allocator::store::FileSystem& fs, const std::string& folder);

}  // namespace shim::change
