#pragma once
/// What sequences are made of, and where they start.
#include <functional>
#include <string>
#include <vector>

#include "test/proof/node.hpp"

namespace proof {

/// A node, and what is known of it from outside.
struct Scene {
  Machine machine;
  Oracle oracle;
};

/// What an operation did, as far as it was acknowledged.
struct Outcome {
  bool is_acknowledged = false;
  /// Set: this attachment was told addresses.
  std::string container = {};
  Told told = {};
  std::vector<std::string> ended = {};
  std::vector<std::string> evicted_pods = {};
  std::string failure = {};
};

struct Operation {
  const char* name;
  /// The attachments and the pods that it may change while it runs.
  std::vector<std::string> containers;
  std::vector<std::string> pods;
  /// ADDs and GCs may end those that are dead.
  bool may_end_the_dead;
  std::function<Outcome(Scene&, const MemoryDisk::Observer&)> run;
};

const std::vector<Operation>& operations();

struct Start {
  const char* name;
  std::function<void(Scene&)> prepare;
};
const std::vector<Start>& starts();

/// The caller has the answer: from here on it must be true.
void acknowledge(Scene& scene, const Outcome& outcome);

}  // namespace proof
