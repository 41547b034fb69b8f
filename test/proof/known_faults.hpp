#pragma once
/// What the store is known to do wrong behind a fault, so that anything else is seen. A row that
/// nothing matches any more fails the suite: it is to go.
#include <string>
#include <vector>

#include "test/proof/disturbance.hpp"

namespace proof {

/// As it is printed.
struct Violation {
  std::string operation;
  Made made;
  Fault fault;
  std::string what;
};

struct KnownFault {
  const char* name;
  bool (*matches)(const Violation&);
};
const std::vector<KnownFault>& known_faults();

}  // namespace proof
