#pragma once
/// What `release --from-report` reads: the pods that `report -o json` told to be MISSING, of this
/// node and this boot. Nothing is decided here, and nothing written.
#include <string>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"

namespace shim::change {

/// One interface of a pod that was not back when the report was made.
struct MissingPod {
  const inspect::Network* network;
  allocator::PodKey pod;

  friend bool operator==(const MissingPod&, const MissingPod&) = default;
};

/// `file`: "-" for standard input. `node`: the one that is there now. Each interface once, in the
/// order of the report.
/// Errors: throws UsageError naming the file for what is no report, is not whole, or is one of
/// another node, boot or network, or against an export.
std::vector<MissingPod> read_missing(inspect::Node& node, const std::string& file);

}  // namespace shim::change
