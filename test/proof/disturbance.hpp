#pragma once
/// Counts the system calls of an operation, over all its processes, and lets one go wrong: alone, or
/// with later ones.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "test/proof/call_pages.hpp"

namespace proof {

/// A call as it is made.
struct Made {
  Call call;
  std::string subject;  ///< the path
};

struct Fault {
  /// Which calls go wrong: the one, also all later ones of its kind about the same path, also all
  /// later ones of its kind.
  enum class Reach : std::uint8_t { once, same_path, same_call };

  std::size_t at = 0;  ///< counted from 1; 0: none
  Trouble trouble = {};
  Reach reach = Reach::once;
};
const char* name_of(Fault::Reach reach);

class Disturbance {
 public:
  explicit Disturbance(Fault fault = {}) : fault_(fault) {}
  /// Every call about the path goes wrong.
  Disturbance(std::string path, Trouble trouble) : fault_{0, trouble}, path_(std::move(path)) {}

  /// What becomes of a call: `error` of 0 and Short::no where nothing goes wrong.
  Trouble meet(Call call, const std::string& subject);
  /// What a process has done that none may do.
  void blame(const std::string& what);

  [[nodiscard]] const std::vector<Made>& made() const { return made_; }
  [[nodiscard]] const Fault& fault() const { return fault_; }
  [[nodiscard]] bool was_met() const { return fault_.at != 0 && made_.size() >= fault_.at; }
  [[nodiscard]] const Made& disturbed() const { return made_.at(fault_.at - 1); }
  /// Whether so reaching a fault would have met another call.
  [[nodiscard]] bool would_reach_further(Fault::Reach reach) const;
  /// "" when all is well.
  [[nodiscard]] const std::string& blamed() const { return blamed_; }

 private:
  [[nodiscard]] bool is_hit(Call call, const std::string& subject) const;

  Fault fault_;
  std::optional<std::string> path_;
  std::vector<Made> made_;
  std::string blamed_;
};

}  // namespace proof
