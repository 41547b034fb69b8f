#include "shim/cni/verbs/delegate_verbs.hpp"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <system_error>

#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/repeat.hpp"
#include "allocator/store/state/call_start.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/verbs/delegated_lease.hpp"
#include "shim/cni/verbs/log_line.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim {
namespace {

using allocator::Address;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStatusPatience{2'000};
// host-local since 1.10 takes this list for empty when it is missing, and frees everything.
constexpr const char* kValidAttachments = "cni.dev/valid-attachments";

/// The addresses of an answer that is known; none for one that cannot be read.
std::vector<Address> known_addresses(const std::string& known) {
  try {
    return addresses_of(usable_result(known, {kNewestVersion, kNewestVersion, true, {}}));
  } catch (const CniError&) {
    return {};
  }
}

std::optional<std::string> known_answer(DelegatedLease& lease) {
  try {
    auto known = lease.journal().known(lease.attachment());
    return known ? std::optional(std::move(known->answer)) : std::nullopt;
  } catch (const std::system_error& error) {
    lease.note(std::string("the recorded answer cannot be read: ") + error.what());
    return std::nullopt;
  }
}

/// A DEL that has begun ends the acknowledgement: what is left is an entry of the journal, until
/// the plugin's DEL has succeeded. Its lock makes an ADD that comes later wait. None where another
/// ADD is under way: it will see the tombstone.
std::optional<DelegatedLease::Entry> end_acknowledgement(DelegatedLease& lease, bool is_known,
                                                         const std::vector<Address>& addresses) {
  auto& journal = lease.journal();
  try {
    auto entry = journal.open(lease.attachment(), std::chrono::milliseconds(0));
    if (is_known) {
      journal.begin(entry, addresses);
      journal.forget_known(lease.attachment());
    }
    return entry;
  } catch (const allocator::store::LockTimeout&) {
    return std::nullopt;
  } catch (const std::system_error& error) {
    lease.note(std::string("a release goes on without a journal: ") + error.what());
    return std::nullopt;
  }
}

/// Flannel asks only once: what this DEL did not do is tried again by a later command.
void remember_failure(DelegatedLease& lease, std::optional<DelegatedLease::Entry>& entry) {
  try {
    if (!entry) entry = lease.journal().open(lease.attachment(), std::chrono::milliseconds(0));
    lease.keep_for_later(*entry);
  } catch (const std::exception& error) {
    lease.note(std::string("a failed DEL is not remembered: ") + error.what());
  }
}

/// Runs the plugin's DEL. An entry that an ADD left is treated as the plugin needs it; one of an
/// acknowledged ADD just ends.
void release_lease(DelegatedLease& lease, std::optional<DelegatedLease::Entry>& entry,
                   bool is_known) {
  auto& journal = lease.journal();
  if (entry && entry->may_hold_lease() && !is_known) {
    lease.end_left_over(*entry, lease.deadline());
    return;
  }
  lease.caller().release(lease.deadline());
  journal.forget_known(lease.attachment());
  if (entry) journal.close(*entry);
}

std::vector<Address> release(DelegatedLease& lease) {
  auto& journal = lease.journal();
  journal.run().put_tombstone(lease.attachment(), allocator::store::boottime_now());
  const auto known = known_answer(lease);
  auto freed = known ? known_addresses(*known) : lease.bindings().about_to_be_freed(lease.owner());
  auto entry = end_acknowledgement(lease, known.has_value(), freed);
  try {
    release_lease(lease, entry, known.has_value());
  } catch (...) {
    remember_failure(lease, entry);
    throw;
  }
  lease.bindings().release(lease.owner(), freed);
  lease.release_due();
  return freed;
}

/// True for a failure of GC or STATUS that only says that the delegate is too old for it.
bool is_too_old(DelegateCaller& caller, std::string_view verb, const DelegateFailure& failure,
                Clock::time_point deadline) {
  if (failure.code != ErrorCode::incompatible_version &&
      failure.code != ErrorCode::invalid_environment)
    return false;
  const auto versions = caller.versions(deadline);
  return !versions.empty() && !has_verb(versions, verb);
}

bool says_not_implemented(const DelegateFailure& failure) {
  std::string text = failure.what();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("not implemented") != std::string::npos;
}

/// Runs a verb's business with its log line.
template <typename Business>
void logged(const Command& command, const DelegateConf& conf, Business business) {
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    line.done(business(log, Clock::now() + conf.placement.timeout));
  } catch (...) {
    line.failed();
  }
}

DelegateConf strict_delegate_conf(const Command& command) {
  return read_delegate_conf(command.document, command.head, conf_inputs(command, {}));
}

DelegateConf lenient_delegate_conf(const Command& command) {
  return read_delegate_conf_leniently(command.document, command.head);
}

/// A configuration that cannot work is STATUS' business, as the built-in allocator has it.
DelegateConf status_conf(const Command& command) {
  try {
    return strict_delegate_conf(command);
  } catch (...) {
    const CniError error = to_cni_error(std::current_exception());
    throw CniError(ErrorCode::plugin_not_available, error.what(), error.details);
  }
}

}  // namespace

void delegate_del(const Command& command) {
  const DelegateConf conf = lenient_delegate_conf(command);
  logged(command, conf, [&](Log& log, Clock::time_point deadline) -> std::string {
    try {
      DelegatedLease lease(command, conf, log, deadline, MissingPlugin::fails_release);
      const auto taken_back = allocator::store::look_for_take_back(
          command.fs, lease.journal().run(), lease.attachment(), lease.notes());
      if (taken_back.is_repeat) return "nothing: the first ADD stands";
      auto freed = joined(release(lease));
      lease.bindings().set_aside(taken_back.taken_over, lease.attachment());
      return freed;
    } catch (const JournalUnavailable& error) {
      log.warning(error.what());
    }
    DelegateCaller(command, conf).release(deadline);
    allocator::store::forget_answer(
        command.fs,
        allocator::store::delegate_folder(allocator::store::StoreOptions{}.run_dir, conf.name,
                                          conf.type),
        attachment_of(command.environment));
    return "released without a journal";
  });
}

void delegate_check(const Command& command) {
  const DelegateConf conf = strict_delegate_conf(command);
  logged(command, conf, [&](Log&, Clock::time_point deadline) -> std::string {
    DelegateCaller caller(command, conf);
    std::string too_old = conf.type + " speaks no version that has CHECK";
    if (!caller.may_have("CHECK")) return too_old;
    try {
      static_cast<void>(caller.call("CHECK", conf.document, deadline));
    } catch (const DelegateFailure& failure) {
      if (says_not_implemented(failure)) return "not implemented by " + conf.type;
      if (failure.code != ErrorCode::incompatible_version) throw;
      const auto versions = caller.versions(deadline);
      if (versions.empty() || has_verb(versions, "CHECK")) throw;
      return too_old;
    }
    return "as it should be";
  });
}

void delegate_gc(const Command& command) {
  const DelegateConf conf = lenient_delegate_conf(command);
  logged(command, conf, [&](Log& log, Clock::time_point deadline) -> std::string {
    const ValidAttachments valid = read_valid_attachments(command.document);
    if (conf.is_host_local() && find_member(command.document, kValidAttachments) == nullptr)
      return std::string("no ") + kValidAttachments + ": nothing collected";
    DelegatedLease lease(command, conf, log, deadline, MissingPlugin::ends_command);
    // What is answered while the delegate collects is not in the caller's list.
    const auto names = lease.journal().known_names();
    bool was_run = false;
    std::exception_ptr failed;
    try {
      if (lease.caller().may_have("GC")) {
        static_cast<void>(lease.caller().call("GC", conf.document, deadline));
        was_run = true;
      }
    } catch (const DelegateFailure& failure) {
      if (!is_too_old(lease.caller(), "GC", failure, deadline)) failed = std::current_exception();
    }
    // What killed ADDs left is ours to free, also where the delegate cannot collect.
    if (valid.is_given) lease.release_invalid(valid.attachments);
    if (failed) std::rethrow_exception(failed);
    // A delegate that has not collected still holds what it was known to hold.
    if (valid.is_given && was_run) lease.journal().drop_known(names, valid.attachments);
    return was_run ? "forwarded" : conf.type + " speaks no version that has GC";
  });
}

void delegate_status(const Command& command) {
  const DelegateConf conf = status_conf(command);
  DelegateCaller caller(command, conf);
  if (!caller.may_have("STATUS")) return;
  const auto deadline = Clock::now() + std::min(kStatusPatience, conf.placement.timeout);
  try {
    static_cast<void>(caller.call("STATUS", conf.document, deadline));
  } catch (const DelegateFailure& failure) {
    if (!failure.timed_out && !is_too_old(caller, "STATUS", failure, deadline)) throw;
  }
}

}  // namespace shim
