#pragma once
/// What one ADD works on; shared by the parts of AddTransaction.
#include <string>
#include <vector>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/session.hpp"

namespace allocator::store {

struct AddContext {
  Session& session;
  DeathJudge& judge;
  std::vector<std::string>& notes;  ///< what an operator wants to know, for the log
};

}  // namespace allocator::store
