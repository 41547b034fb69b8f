#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "allocator/store/late_add.hpp"
#include "allocator/store/repeat.hpp"
#include "shim/cni/command_log.hpp"
#include "shim/cni/convert.hpp"
#include "shim/cni/delegate_verbs.hpp"
#include "shim/cni/delegated_lease.hpp"
#include "shim/cni/store_parts.hpp"
#include "shim/cni/version.hpp"

namespace shim {
namespace {

using allocator::Address;
using Clock = std::chrono::steady_clock;

/// An ADD keeps so much of its time back for the DEL that may have to follow, at most a quarter.
constexpr std::chrono::milliseconds kRollBackTime{10'000};

/// True when `text` has the address as a word of its own.
bool names_address(std::string_view text, const Address& address) {
  const std::string name = address.to_string();
  const bool is_v6 = address.family() == allocator::Family::v6;
  const auto is_part = [&](std::size_t at) {
    if (at >= text.size()) return false;
    return std::isxdigit(static_cast<unsigned char>(text[at])) != 0 || (is_v6 && text[at] == ':');
  };
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (!is_part(at - 1) && !is_part(at + name.size())) return true;
  }
  return false;
}

/// One ADD, from the look at what is known to the answer.
class DelegatedAdd {
 public:
  DelegatedAdd(const Command& command, const DelegateConf& conf, Log& log)
      : command_(command),
        conf_(conf),
        started_(Clock::now()),
        lease_(command, conf, log, started_ + conf.placement.timeout, MissingPlugin::ends_command) {
  }

  /// Returns the addresses that were answered.
  std::vector<Address> run() {
    const bool repeats = conf_.on_duplicate == OnDuplicateConf::same_addresses;
    // Needs no journal: a full /run must not keep a pod that is known from coming up.
    if (const auto known = repeats ? known_answer() : std::nullopt) return answer_known(*known);
    auto entry = lease_.journal().open(lease_.attachment(), time_for_add());
    // Another ADD of the attachment may have ended while this one waited.
    const auto known = known_answer();
    if (known && repeats) {
      lease_.journal().close(entry);
      return answer_known(*known);
    }
    try {
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

 private:
  [[nodiscard]] std::chrono::milliseconds time_for_add() const {
    return conf_.placement.timeout - std::min(kRollBackTime, conf_.placement.timeout / 4);
  }

  /// What an acknowledged ADD was answered, unless somebody else has freed it: the built-in
  /// allocator or the plugin itself, called without us.
  [[nodiscard]] std::optional<std::string> known_answer() {
    auto known = lease_.journal().known(lease_.attachment());
    if (!known) return known;
    if (is_still_true(*known)) return known;
    lease_.journal().forget_known(lease_.attachment());
    return std::nullopt;
  }

  [[nodiscard]] bool is_still_true(const std::string& known) {
    try {
      const Result result = usable_result(known, {kNewestVersion, kNewestVersion, true, {}});
      return lease_.bindings().still_holds(lease_.attachment(), addresses_of(result));
    } catch (const CniError&) {
      return false;  // no text of ours
    }
  }

  std::vector<Address> answer_known(const std::string& known) {
    const Result result =
        usable_result(known, {kNewestVersion, conf_.cni_version, true, conf_.families});
    allocator::store::remember_repeat(command_.fs, lease_.journal().runtime(), lease_.attachment());
    command_.write_stdout(print_result(result, conf_.cni_version));
    return addresses_of(result);
  }

  std::vector<Address> add(DelegatedLease::Entry& entry, bool is_acknowledged) {
    try {
      const auto wishes = look_for_wishes();
      lease_.journal().begin(entry);
      const Result result = leased(wishes.addresses);
      auto addresses = addresses_of(result);
      tell(entry, result, addresses);
      finish(entry);
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

  /// What was acknowledged before this ADD is not this ADD's to free, unless a DEL has come since.
  bool may_roll_back(bool is_acknowledged) {
    return !is_acknowledged || was_deleted_ || !lease_.journal().known(lease_.attachment());
  }

  void take_back(DelegatedLease::Entry& entry, bool rolls_back) {
    if (rolls_back && entry.may_hold_lease()) {
      lease_.journal().forget_known(lease_.attachment());
      lease_.roll_back(entry);
    } else if (tried_ != 0) {
      // A DEL from before is to be tried once more.
      lease_.journal().keep_tried(entry, tried_);
    } else {
      lease_.journal().close(entry);
    }
  }

  /// host-local is asked for what the pod had; dead attachments give way first.
  allocator::store::Wishes look_for_wishes() {
    allocator::store::Wishes wishes;
    try {
      wishes = lease_.bindings().wishes(lease_.owner());
    } catch (const std::exception& error) {
      lease_.note(std::string("the address of before is not known: ") + error.what());
    }
    for (const auto& dead : wishes.dead) {
      end_dead(dead);
    }
    if (conf_.caller_requests) wishes.addresses.clear();
    if (!conf_.requested.empty()) wishes.addresses = conf_.requested;
    return wishes;
  }

  /// One that cannot be ended costs the pod its address, but the pod comes up.
  void end_dead(const allocator::Attachment& dead) {
    const std::string what = "the lease of " + dead.container_id + " " + dead.ifname;
    try {
      lease_.caller().release(deadline_for_add(), dead);
      lease_.note(what + " ended: its container is gone");
    } catch (const DelegateFailure& failure) {
      lease_.note(what + " cannot be ended, though its container is gone: " + failure.what());
    }
  }

  [[nodiscard]] Clock::time_point deadline_for_add() const { return started_ + time_for_add(); }

  /// Runs the plugin's ADD; a wish that it refuses is dropped, an address that the pod asks for by
  /// its annotation is not.
  Result leased(std::vector<Address> wishes) {
    bool looked_for_itself = false;
    while (true) {
      try {
        const Json& plain = conf_.document;
        const auto answer = lease_.caller().call(
            "ADD", wishes.empty() ? plain : with_requested(plain, wishes), deadline_for_add());
        return usable_result(answer.output, {answer.sent_version, conf_.cni_version,
                                             conf_.keep_interfaces, conf_.families});
      } catch (const DelegateFailure& failure) {
        if (!failure.has_run || failure.timed_out) throw;
        if (!std::exchange(looked_for_itself, true) && gave_way(failure)) continue;
        if (wishes.empty() || !conf_.requested.empty()) throw;
        drop_refused(failure, wishes);
      }
    }
  }

  /// host-local refuses a second ADD of an attachment. One of another boot gives way: podman starts
  /// a container again under its ID. One of this boot is not to be freed, though nothing is
  /// recorded: somebody has emptied /run.
  bool gave_way(const DelegateFailure& failure) {
    const auto presence = presence_now();
    if (presence == allocator::store::Presence::live) {
      DelegateFailure final_failure = failure;
      final_failure.has_run = false;
      throw DelegateFailure(final_failure);
    }
    if (presence == allocator::store::Presence::none) return false;
    lease_.caller().release(deadline_for_add());
    return true;
  }

  /// What cannot be looked at may be live.
  allocator::store::Presence presence_now() {
    try {
      return lease_.bindings().presence(lease_.owner());
    } catch (const std::exception& error) {
      lease_.note(std::string("whether it has an address is not known: ") + error.what());
      return allocator::store::Presence::live;
    }
  }

  void drop_refused(const DelegateFailure& failure, std::vector<Address>& wishes) {
    const std::string text = std::string(failure.what()) + " " + failure.details;
    const auto before = wishes.size();
    std::erase_if(wishes, [&](const Address& address) { return names_address(text, address); });
    if (wishes.size() == before) wishes.clear();
    lease_.note("not the address of before: " + text);
  }

  /// Records the answer, looks whether anybody still wants it, and gives it.
  void tell(DelegatedLease::Entry& entry, const Result& result,
            const std::vector<Address>& addresses) {
    Result kept = result;
    kept.cni_version = kNewestVersion;
    const std::string answer = print_result(result, conf_.cni_version);
    try {
      lease_.journal().put_known(lease_.attachment(), print_document(kept));
    } catch (const std::system_error& error) {
      throw CniError(
          ErrorCode::try_again_later,
          "record the lease of " + lease_.attachment().container_id + ": " + error.what());
    }
    lease_.bindings().record(lease_.owner(), addresses, conf_.ranges_from);
    try {
      look_again();
      command_.write_stdout(answer);
    } catch (...) {
      note_addresses(entry, addresses);
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
  bool was_deleted_ = false;  ///< a DEL came while the plugin's ADD ran
  std::uint64_t tried_ = 0;   ///< when a DEL of before was tried that has to be repeated
};

}  // namespace

void delegate_add(const Command& command, const DelegateChoice& choice) {
  const DelegateConf conf = read_delegate_conf(
      command.document, choice,
      conf_inputs(command, [&] { return parse_arguments_leniently(command.environment.args).ip; }));
  Log log(conf.placement.log);
  CommandLine line(log, command.environment, conf.name, conf.warnings);
  try {
    line.done(joined(DelegatedAdd(command, conf, log).run()));
  } catch (...) {
    line.failed();
  }
}

}  // namespace shim
