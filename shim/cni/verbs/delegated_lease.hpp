#pragma once
/// What is known and recorded of the attachments of a delegate, put together for one command.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/store/delegates/delegate_bindings.hpp"
#include "allocator/store/delegates/delegate_journal.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/log.hpp"
#include "shim/cni/verbs/delegate_caller.hpp"

namespace shim {

/// /run cannot be written: nothing can be known or remembered.
struct JournalUnavailable : CniError {
  using CniError::CniError;
};

/// What a delegate that is not in CNI_PATH means: the end, before anything is written; or a failure
/// of its DEL, which leaves an entry for a later command.
enum class MissingPlugin : std::uint8_t { ends_command, fails_release };

/// What the plugin may have of an attachment since before its ADD, beside what /run tells.
struct EarlierLease {
  allocator::store::Presence presence = allocator::store::Presence::none;
  std::string why;  ///< what tells of it

  /// Nobody but its DEL may end it then.
  [[nodiscard]] bool is_possible() const { return presence == allocator::store::Presence::live; }
};

class DelegatedLease {
 public:
  using Clock = std::chrono::steady_clock;
  using Entry = allocator::store::DelegateJournal::Entry;

  /// All must outlive the object. `deadline`: of the whole command.
  /// Errors: throws what DelegateCaller::plugin() throws; JournalUnavailable.
  DelegatedLease(const Command& command, const DelegateConf& conf, Log& log,
                 Clock::time_point deadline, MissingPlugin missing);
  DelegatedLease(const DelegatedLease&) = delete;
  DelegatedLease& operator=(const DelegatedLease&) = delete;
  ~DelegatedLease();

  [[nodiscard]] DelegateCaller& caller() { return caller_; }
  [[nodiscard]] allocator::store::DelegateJournal& journal() { return journal_; }
  [[nodiscard]] allocator::store::DelegateBindings& bindings() { return bindings_; }
  [[nodiscard]] const allocator::store::DelegatedOwner& owner() const { return owner_; }
  [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
  /// Tells an operator.
  std::vector<std::string>& notes() { return notes_; }
  [[nodiscard]] const allocator::Attachment& attachment() const { return owner_.attachment; }

  /// Errors: throws DeletedMeanwhile when a DEL came after this ADD had been started, TryAgain when
  /// nobody waits for it any more.
  void refuse_late();

  /// Looks whether the attachment may have a lease already that /run does not tell of: host-local's
  /// folder tells exactly; with another plugin whoever moved over in mid-boot is in the runtime's
  /// result cache, and after /run was emptied everybody may have one.
  [[nodiscard]] EarlierLease earlier_lease();
  /// Says on stderr and in the log that an ADD has failed and what it may have got is left.
  void tell_left(const std::string& why);

  /// Runs the plugin's DEL for an entry that may hold a lease. Then it holds none, unless the
  /// plugin stores its leases late, and the addresses that it names are no longer in use. The entry
  /// stays locked.
  /// Errors: throws DelegateFailure; the entry stays as it is.
  void release_left_over(Entry& entry, Clock::time_point deadline);
  /// The same where nothing follows: the entry goes.
  void end_left_over(Entry& entry, Clock::time_point deadline);

  /// Runs the plugin's DEL after an ADD that must not stand. What goes wrong is told on stderr and
  /// the log: the journal entry stays then, for its DEL or a later command.
  void roll_back(Entry& entry);

  /// A DEL failed, and its caller may never come again: a later command will try it, 20 times at
  /// most.
  void keep_for_later(Entry& entry) noexcept;

  /// Runs the plugin's DEL for one other attachment that may hold a lease still and whose DEL was
  /// tried 90 s ago or earlier, or came then while an ADD was under way that was killed; for 2 s
  /// at most. This command's own answer may be out already: what goes wrong is noted, and left to a
  /// later command.
  void release_due() noexcept;

  /// Runs the plugin's DEL for every entry that a killed ADD or a failed DEL left and whose
  /// attachment is not in the list; those that the time does not suffice for stay.
  void release_invalid(const std::vector<allocator::Attachment>& valid);

  /// Tells an operator.
  void note(const std::string& text) { notes_.push_back(text); }

 private:
  void release_other(Entry& entry, Clock::time_point deadline);
  [[nodiscard]] bool is_due(const allocator::store::JournalEntry& entry);
  [[nodiscard]] bool stores_late() const { return conf_.type == "dhcp"; }

  const Command& command_;
  const DelegateConf& conf_;
  Log& log_;
  Clock::time_point deadline_;
  DelegateCaller caller_;
  allocator::store::StoreOptions options_;
  std::vector<std::string> notes_;
  allocator::store::DelegateJournal journal_;
  allocator::store::DelegateBindings bindings_;
  allocator::store::DelegatedOwner owner_;
};

/// Whose attachment a command is about.
allocator::store::DelegatedOwner owner_of(const Environment& environment, const DelegateConf& conf);

}  // namespace shim
