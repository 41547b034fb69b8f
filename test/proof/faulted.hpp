#pragma once
/// An operation with a fault in it, and what must hold behind it.
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "test/proof/disturbance.hpp"
#include "test/proof/invariants.hpp"

namespace proof {

/// An operation that has run over a Kernel.
struct Attempt {
  Scene scene;  ///< behind it
  Outcome outcome = {};
  std::exception_ptr failure = {};  ///< what the store threw
  Disturbance disturbance;
};
Attempt attempt(const Scene& before, const Operation& operation, const Fault& fault);

/// What is looked at behind each fault. The sentences that it answers begin with a letter:
///
///     F1  the operation ends; every descriptor is closed by then, that of the lock too; no fsync is
///         repeated on what it failed on
///     F2  a failure is one object of JSON with the code of its errno, and names a path
///     F3  who has had an answer has lost nothing (I1 to I3, I6)
///     F4  an answer under a fault is as durable as any other
///     F5  of an ADD that failed nothing is left
///     F6  while the trouble with somebody's file, record or mark goes on, the other pods of the node
///         come up, stay and go
///     F7  when the trouble is over the command works, and what it answers is durable; all can be
///         deleted then, and every address is used again (I1 to I4)
class FaultJudge {
 public:
  struct Counts {
    std::uint64_t answered = 0;                     ///< operations that succeeded all the same
    std::map<unsigned, std::uint64_t> failed = {};  ///< by CNI code
    std::uint64_t states = 0;                       ///< that were left behind, different ones
    std::uint64_t cuts = 0;                         ///< disks that were left and booted
    std::uint64_t neighbours = 0;                   ///< looks at the other pods of the node
  };

  /// `clean`: the operation without a fault.
  [[nodiscard]] std::optional<std::string> trouble(const Operation& operation, const Attempt& clean,
                                                   Attempt faulted);
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] std::optional<std::string> trouble_with_state(const Scene& scene,
                                                              const Operation& operation,
                                                              bool is_acknowledged, bool is_lie);
  [[nodiscard]] std::optional<std::string> trouble_with_failure(const Attempt& clean,
                                                                const Attempt& faulted);
  [[nodiscard]] std::optional<std::string> trouble_at_once(const Operation& operation,
                                                           const Attempt& faulted,
                                                           const Outcome& expected);
  [[nodiscard]] std::optional<std::string> trouble_with_neighbours(const Attempt& faulted);
  [[nodiscard]] std::optional<std::string> trouble_after_any_cut(const Scene& scene);
  [[nodiscard]] std::optional<std::string> trouble_when_repeated(const Scene& scene,
                                                                 const Operation& operation,
                                                                 bool is_lie);

  Counts counts_;
  /// What was found wrong with a state, by its fingerprint.
  std::unordered_map<std::uint64_t, std::optional<std::string>> states_;
};

}  // namespace proof
