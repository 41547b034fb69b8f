#pragma once
/// What `check` looks for beyond what the reading commands tell.
#include <list>
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::change {

/// What is wrong with the node's stores. The node was looked at with Compare::yes.
inspect::Findings check_stores(inspect::Node& node);

/// Findings whose rules are not the tool's own.
struct NodeFindings {
  inspect::Findings findings;
  std::list<inspect::Rule> rules;     ///< of validate, as findings name them
  std::list<std::string> texts = {};  ///< what those point to
};

/// Where to look for what is not in the node's folders.
struct NodePlaces {
  std::string conf;     ///< as in NodeOptions
  std::string bin_dir;  ///< empty: where the runtime looks
};

/// What is wrong with the node's configuration, mounts and plugins.
NodeFindings check_machine(inspect::Node& node, const NodePlaces& places);

/// One record that is to be mended.
struct Repair {
  const inspect::Network* network;
  allocator::store::Flaw flaw;
  std::string obstacle = {};  ///< why it stays as it is
};

using Repairs = std::vector<Repair>;

/// All that can be mended.
Repairs plan_repairs(const inspect::Node& node);

/// Announces and makes them; those that are not made say why.
/// Errors: throws std::system_error, TryAgain (the lock); those before it are made.
/// After a crash: what was made was announced; the same command makes the rest.
void make_repairs(allocator::store::FileSystem& fs, Repairs& repairs);

/// A row for each.
inspect::Table make_repair_table(const Repairs& repairs);

}  // namespace shim::change
