#pragma once
/// Runs a delegate's commands: finds its executable, gives it its configuration in a version that
/// it speaks, and tells what it answered.
///
/// The configuration goes out in the caller's version. Only a delegate that refuses it (code 1) is
/// asked for its versions; what it says is remembered in /run until the executable is replaced, or
/// refuses what it said.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/binding.hpp"
#include "delegate/lookup.hpp"
#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/verbs/command.hpp"
#include "shim/cni/verbs/delegate_answer.hpp"

namespace shim {

/// A run that succeeded.
struct DelegateAnswer {
  std::string output;        ///< stdout
  std::string sent_version;  ///< the cniVersion that the delegate got
};

class DelegateCaller {
 public:
  using Clock = std::chrono::steady_clock;

  /// Looks for the delegate. Both must outlive the object.
  DelegateCaller(const Command& command, const DelegateConf& conf);

  /// The delegate; all below needs it.
  /// Errors: throws CniError 999 when there is none in CNI_PATH, 7 when it is this program.
  [[nodiscard]] const delegate::Plugin& plugin() const;

  /// Runs a command with `document` as its configuration.
  /// Errors: throws DelegateFailure.
  DelegateAnswer call(std::string_view verb, const Json& document, Clock::time_point deadline);

  /// Runs DEL for an attachment, the caller's own when none is given.
  /// Errors: throws DelegateFailure.
  void release(Clock::time_point deadline, const std::optional<allocator::Attachment>& other = {});

  /// The versions that the delegate speaks, asked for where they are not remembered; empty when it
  /// does not tell.
  std::vector<std::string> versions(Clock::time_point deadline);
  /// False when it is remembered that the delegate speaks no version that has the verb.
  [[nodiscard]] bool may_have(std::string_view verb);

 private:
  struct Call {
    std::string_view verb;
    const Json& document;
    Clock::time_point deadline;
    const allocator::Attachment* other;  ///< whose it is, if not the caller's own
  };

  [[nodiscard]] std::vector<std::string> ask_for_versions(Clock::time_point deadline);
  [[nodiscard]] DelegateAnswer run(const std::vector<std::string>& environment,
                                   const std::string& input, Clock::time_point deadline);
  [[nodiscard]] DelegateAnswer run_in(const std::string& version, const Call& call);
  [[nodiscard]] DelegateAnswer run_in_its_version(const Call& call);
  [[nodiscard]] std::vector<std::string> remembered();
  void remember(const std::vector<std::string>& versions);

  const Command& command_;
  const DelegateConf& conf_;
  delegate::Lookup found_;
  /// VERSION's answer, once it was asked.
  std::optional<std::vector<std::string>> told_;
};

/// True when one of the versions has the verb.
bool has_verb(const std::vector<std::string>& versions, std::string_view verb);

/// The newest of `spoken` that we know and that is not above `wanted`, else the newest that we
/// know; empty when there is none.
std::string best_version(const std::vector<std::string>& spoken, std::string_view wanted);

/// `document` in another version of the specification, its prevResult converted.
/// Errors: throws CniError when that cannot be said in `version`.
Json in_version(Json document, const std::string& version);

}  // namespace shim
