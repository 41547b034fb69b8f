#pragma once
/// What a command changes by hand: shown first, then announced in the audit file, then made.
///
/// Without --apply it ends with the showing, in the same words. What has come to life since it was
/// looked at stays as it is, and a second line in the audit file says so.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allocator/store/lease_store.hpp"
#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/inspect/output/look_options.hpp"

namespace shim::change {

/// What every command that changes something can be asked.
struct ChangeOptions {
  inspect::NodeOptions node;
  inspect::LookOptions look;
  bool apply = false;
};

/// Declares them. `options` must outlive the parsing.
void add_change_options(CommandSpec& command, ChangeOptions& options);

/// How its answer is to look.
/// Errors: throws UsageError, also for --root: a copy is only looked at.
inspect::Look read_change_look(const ChangeOptions& options);

/// What is done about a step of a change whose steps stand each for itself.
enum class Course : std::uint8_t { made, left, refused };

/// One address, and what becomes of it.
struct Step {
  allocator::Address address;
  inspect::Owner owner;
  std::string container;
  inspect::State was;
  inspect::State becomes;
  std::string why;
  Course course = Course::made;
};

/// The step of an address that stays as it is, so far.
Step make_step(const inspect::Network& network, const allocator::store::SurveyedAddress& one);

/// Steps that are made together, or not at all.
struct Change {
  const inspect::Network* network;
  std::vector<Step> steps = {};
  bool is_refused = false;
  /// It is only noted down for now, and so made by a later run.
  bool is_noted = false;
  /// Makes it, and looks again under the lock before: returns why it must not be made any more.
  /// Empty: there is nothing to make.
  std::function<std::optional<std::string>(allocator::store::LeaseStore&)> make = {};
  /// In its place, where each step stands for itself: makes those that are to be made, and returns
  /// by their place which must not be made any more, and why. Is called even where all are left:
  /// what is told to be so is to be durable.
  std::function<std::map<std::size_t, std::string>(allocator::store::LeaseStore&)> make_each = {};

  [[nodiscard]] bool is_to_be_made() const {
    return !is_refused && !is_noted && (make || make_each);
  }
  /// True when it changes anything.
  [[nodiscard]] bool is_news() const;
  /// True when it, or a step of it, is refused.
  [[nodiscard]] bool has_refused() const;
};

using Changes = std::vector<Change>;

/// Nothing of it is made, and each step says why.
void refuse(Change& change, const std::string& why);
/// The same of one step of those that stand each for itself.
void refuse(Step& step, const std::string& why);

/// How a command is carried out.
struct Manner {
  std::string_view command;  ///< its name
  inspect::Look look;
  bool is_applied = false;
};

/// Makes the changes, if they are to be applied, and prints them. Returns false when one is refused.
/// Errors: throws std::system_error, TryAgain (the lock), the first of all; the others are made.
/// After a crash: what was made was announced; the same command makes the rest.
bool carry_out(allocator::store::FileSystem& fs, Changes& changes, const Manner& manner);

}  // namespace shim::change
