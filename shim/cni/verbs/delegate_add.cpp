#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "allocator/store/alive/late_add.hpp"
#include "allocator/store/repeat.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/verbs/announcing.hpp"
#include "shim/cni/verbs/delegate_verbs.hpp"
#include "shim/cni/verbs/delegated_lease.hpp"
#include "shim/cni/verbs/log_line.hpp"
#include "shim/cni/verbs/store_inputs.hpp"
#include "shim/cni/verbs/wished_lease.hpp"

namespace shim {
namespace {

using allocator::Address;
using allocator::store::KnownAnswer;
using Clock = std::chrono::steady_clock;

/// An ADD keeps so much of its time back for the DEL that may have to follow, at most a quarter.
constexpr std::chrono::milliseconds kRollBackTime{10'000};

/// One ADD, from the look at what is known to the answer.
class DelegatedAdd {
 public:
  DelegatedAdd(const Command& command, const DelegateConf& conf, Log& log)
      : command_(command),
        conf_(conf),
        started_(Clock::now()),
        lease_(command, conf, log, started_ + conf.placement.timeout, MissingPlugin::ends_command) {
    const bool requests = conf.caller_requests || !conf.requested.empty();
    if (lease_.owner().pod && requests) refuse_request_of_pod(conf.requests);
  }

  /// Returns the addresses that were answered.
  std::vector<Address> run() {
    const bool repeats = conf_.on_duplicate == allocator::store::OnDuplicate::same_addresses;
    // Needs no journal: a full /run must not keep a pod that is known from coming up.
    const auto first = repeats ? known_answer() : std::nullopt;
    if (first) note_repeat(*first);
    // The ADD that could not tell it forgets it first, and looks then whether anybody was given it.
    if (first && lease_.journal().known(lease_.attachment())) return answer_known(*first);
    auto entry = lease_.journal().open(lease_.attachment(), time_for_add());
    // Another ADD of the attachment may have ended while this one waited.
    const auto known = known_answer();
    if (known && repeats) {
      lease_.journal().close(entry);
      note_repeat(*known);  // what has outlived the entry's lock stands
      return answer_known(*known);
    }
    try {
      if (known) refuse_elsewhere(*known);
      lease_.refuse_late();
    } catch (...) {
      if (!entry.may_hold_lease()) lease_.journal().close(entry);
      throw;
    }
    // Beside an answer that is known, what a killed ADD left is no lease that nobody knows of.
    if (entry.may_hold_lease() && !known) lease_.release_left_over(entry, deadline_for_add());
    if (entry.may_hold_lease()) tried_ = entry.content()->tried;
    auto addresses = add(entry, known.has_value());
    lease_.release_due();
    return addresses;
  }

  /// Which of them neighbours may know by an old entry: all, as nobody tells who had them before.
  [[nodiscard]] const Announceable& told() const { return told_; }
  /// True while no DEL has come.
  [[nodiscard]] bool is_recorded() {
    return lease_.journal().known(lease_.attachment()).has_value();
  }

 private:
  [[nodiscard]] std::chrono::milliseconds time_for_add() const {
    return conf_.placement.timeout - std::min(kRollBackTime, conf_.placement.timeout / 4);
  }

  /// What an acknowledged ADD was answered, unless somebody else has freed it: the built-in
  /// allocator or the plugin itself, called without us.
  [[nodiscard]] std::optional<KnownAnswer> known_answer() {
    auto known = lease_.journal().known(lease_.attachment());
    if (!known) return known;
    if (is_still_true(*known)) return known;
    lease_.journal().forget_known(lease_.attachment());
    return std::nullopt;
  }

  [[nodiscard]] bool is_still_true(const KnownAnswer& known) {
    try {
      const Result result = usable_result(known.answer, {kNewestVersion, kNewestVersion, true, {}});
      return lease_.bindings().still_holds(lease_.attachment(), addresses_of(result));
    } catch (const CniError&) {
      return false;  // no text of ours
    }
  }

  /// A container ID that is used for several containers would put them on one address: host-local's
  /// refusal. A restarted container, whose namespace of before is gone, is the same one.
  void refuse_elsewhere(const KnownAnswer& known) {
    if (!known.given_to || !lease_.bindings().is_given_elsewhere(lease_.owner(), *known.given_to))
      return;
    const auto addresses =
        addresses_of(usable_result(known.answer, {kNewestVersion, kNewestVersion, true, {}}));
    const auto& attachment = lease_.attachment();
    throw CniError(
        ErrorCode::internal,
        "failed to allocate for range 0: " + (addresses.empty() ? "" : addresses[0].to_string()) +
            " has been allocated to " + attachment.container_id +
            ", duplicate allocation is not allowed",
        {},
        "CNI_CONTAINERID " + attachment.container_id + " is in use for the network namespace " +
            known.given_to->netns_path + "; give each container an ID of its own");
  }

  /// Notes that a known answer is given once more.
  void note_repeat(const KnownAnswer& known) {
    refuse_elsewhere(known);
    allocator::store::remember_repeat(command_.fs, lease_.journal().run(), lease_.attachment());
  }

  std::vector<Address> answer_known(const KnownAnswer& known) {
    const Result result =
        usable_result(known.answer, {kNewestVersion, conf_.cni_version, true, conf_.families});
    renew(known, addresses_of(result));
    command_.write_stdout(print_result(result, conf_.cni_version));
    told_ = announceable(result);
    told_.is_repeated = true;
    return addresses_of(result);
  }

  /// A restarted container lives in another namespace than at its first ADD.
  void renew(const KnownAnswer& known, const std::vector<Address>& addresses) {
    const auto stamp = lease_.bindings().stamp_of(lease_.owner());
    if (known.given_to == stamp || stamp.netns_inode == 0) return;
    try {
      lease_.journal().put_known(lease_.attachment(), {known.answer, stamp});
    } catch (const std::system_error& error) {
      lease_.note(std::string("the container's namespace is not recorded: ") + error.what());
    }
    lease_.bindings().renew(lease_.owner(), addresses);
  }

  std::vector<Address> add(DelegatedLease::Entry& entry, bool is_acknowledged) {
    try {
      WishedLease wished(conf_, lease_, deadline_for_add());
      wished.look();
      const auto earlier = lease_.earlier_lease();
      if (!is_acknowledged) earlier_ = earlier;
      // An entry says that a lease may be freed: not one of before.
      if (earlier_.is_possible()) {
        lease_.journal().require_room(lease_.attachment());
      } else {
        lease_.journal().begin(entry);
      }
      has_run_ = true;
      const Result result = wished.run(earlier.presence);
      auto addresses = addresses_of(result);
      noted_ =
          allocator::store::remember_answer(command_.fs, lease_.journal().run(),
                                            lease_.attachment(), {}, wished.taken_over(addresses));
      tell(entry, result, addresses);
      finish(entry);
      told_ = announceable(result);
      return addresses;
    } catch (const DelegateFailure& failure) {
      take_back(entry, failure.has_run && may_roll_back(is_acknowledged));
      throw;
    } catch (...) {
      take_back(entry, may_roll_back(is_acknowledged));
      throw;
    }
  }

  /// The answer is out: nothing may fail any more. An entry beside an answer that is known means
  /// nothing.
  void finish(DelegatedLease::Entry& entry) {
    try {
      lease_.journal().close(entry);
    } catch (const std::system_error& error) {
      lease_.note(std::string("the journal entry stays: ") + error.what());
    }
  }

  /// What the attachment had before this ADD is not this ADD's to free, unless a DEL has come
  /// since.
  bool may_roll_back(bool is_acknowledged) {
    if (!earlier_.is_possible() || was_deleted_) {
      return was_deleted_ || !is_acknowledged || !lease_.journal().known(lease_.attachment());
    }
    if (!has_run_) return false;
    try {
      look_again();
    } catch (const allocator::store::TryAgain&) {
      if (was_deleted_) return true;
    }
    lease_.tell_left(earlier_.why);
    return false;
  }

  void take_back(DelegatedLease::Entry& entry, bool rolls_back) {
    if (rolls_back && earlier_.is_possible() && !entry.may_hold_lease()) note_addresses(entry, {});
    if (rolls_back && entry.may_hold_lease()) {
      if (!forget_unless_repeated()) return finish(entry);
      lease_.roll_back(entry);
    } else if (tried_ != 0) {
      // A DEL from before is to be tried once more.
      lease_.journal().keep_tried(entry, tried_);
    } else {
      lease_.journal().close(entry);
    }
  }

  /// False when a repeat was given the answer that could not be told here: then it stands.
  bool forget_unless_repeated() {
    const auto& attachment = lease_.attachment();
    const auto known = lease_.journal().known(attachment);
    lease_.journal().forget_known(attachment);
    const bool is_repeated =
        known && allocator::store::was_answered_since(lease_.journal().run(), attachment, noted_);
    if (!is_repeated) return true;
    std::string text = "what " + attachment.container_id + " " + attachment.ifname +
                       " was given stays: a repeated ADD was answered meanwhile";
    try {
      lease_.journal().put_known(attachment, *known);
    } catch (const std::system_error& error) {
      text += "; it is not recorded: " + std::string(error.what());
    }
    lease_.note(text);
    return false;
  }

  [[nodiscard]] Clock::time_point deadline_for_add() const { return started_ + time_for_add(); }

  /// Records the answer, looks whether anybody still wants it, and gives it.
  void tell(DelegatedLease::Entry& entry, const Result& result,
            const std::vector<Address>& addresses) {
    Result kept = result;
    kept.cni_version = kNewestVersion;
    const std::string answer = print_result(result, conf_.cni_version);
    try {
      lease_.journal().put_known(
          lease_.attachment(), {print_document(kept), lease_.bindings().stamp_of(lease_.owner())});
    } catch (const std::system_error& error) {
      throw CniError(
          ErrorCode::try_again_later,
          "record the lease of " + lease_.attachment().container_id + ": " + error.what());
    }
    lease_.bindings().record(lease_.owner(), addresses,
                             ranges_to_remember(conf_.ranges_source, conf_.ranges_from));
    try {
      look_again();
      command_.write_stdout(answer);
    } catch (...) {
      if (was_deleted_ || !earlier_.is_possible()) note_addresses(entry, addresses);
      throw;
    }
  }

  /// For whoever runs the plugin's DEL: their bindings are held ones then.
  void note_addresses(DelegatedLease::Entry& entry, const std::vector<Address>& addresses) {
    try {
      lease_.journal().begin(entry, addresses);
    } catch (const std::system_error& error) {
      lease_.note(std::string("which addresses are taken back is not noted: ") + error.what());
    }
  }

  void look_again() {
    try {
      lease_.refuse_late();
    } catch (const allocator::store::DeletedMeanwhile&) {
      was_deleted_ = true;
      throw;
    }
  }

  const Command& command_;
  const DelegateConf& conf_;
  Clock::time_point started_;
  DelegatedLease lease_;
  EarlierLease earlier_;
  Announceable told_;
  bool has_run_ = false;      ///< the plugin was asked
  bool was_deleted_ = false;  ///< a DEL came while the plugin's ADD ran
  std::uint64_t tried_ = 0;   ///< when a DEL of before was tried that has to be repeated
  std::string noted_;         ///< of the answer, see repeat.hpp
};

}  // namespace

void delegate_add(const Command& command) {
  const DelegateConf conf = read_delegate_conf(command.document, command.head,
                                               conf_inputs(command, command.environment.args));
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    DelegatedAdd add(command, conf, log);
    const auto addresses = add.run();
    announce_after_add(command, log, add.told(), [&] { return add.is_recorded(); });
    line.done(joined(addresses));
  } catch (...) {
    line.failed();
  }
}

}  // namespace shim
