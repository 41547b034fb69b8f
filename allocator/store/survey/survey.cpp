#include "allocator/store/survey/survey.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <system_error>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/disk/errors.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/set_aside.hpp"
#include "allocator/store/state/viewpoint.hpp"

namespace allocator::store {
namespace {

using Kind = Oddity::Kind;

/// The trouble is that of who looks, and not the folder's: he has not the right, or runs out of
/// something.
bool is_callers(const std::system_error& error) {
  return is_own_want(error) || error.code().value() == EACCES;
}

/// The network's lock as far as it can be had by who makes no file: without it what is read may be
/// from before and after a change.
class ReadersLock {
 public:
  ReadersLock(FileSystem& fs, const Directory& folder, const SurveyPlace& place,
              std::vector<Oddity>& oddities) {
    const std::string path = folder.path + "/" + kLockName;
    try {
      auto file = fs.open_file(folder, kLockName);
      if (!file) return;  // nobody has ever locked it
      if (fs.identify(*file).kind != FileKind::regular) {
        oddities.push_back({Kind::lock, path, "is no regular file"});
      } else if (fs.lock(*file, place.lock_patience) == LockResult::timed_out) {
        oddities.push_back({Kind::lock, path, "was not free in time"});
      } else {
        fd_ = std::move(*file);
      }
    } catch (const std::system_error& error) {
      if (is_callers(error)) throw;
      oddities.push_back({Kind::lock, path, error.code().message()});
    }
  }

 private:
  Fd fd_;  ///< closing frees the lock
};

bool is_blank(const std::string& text) { return text.find_first_not_of('\0') == text.npos; }

/// What is behind "read record <path>: ".
std::string why_closed(const ClosedRecord& closed, const std::string& path) {
  const std::string why = closed.what();
  const auto end = why.find(path + ": ");
  return end == std::string::npos ? why : why.substr(end + path.size() + 2);
}

/// The look at one network.
class Look {
 public:
  Look(FileSystem& fs, const SurveyPlace& place) : fs_(fs), place_(place) {}

  Survey take() {
    survey_.boot_id = read_boot_id(fs_, place_.boot_id_path);
    attempt(place_.network_dir, [&] { look_at_folders(); });
    return std::move(survey_);
  }

 private:
  /// Trouble with one folder is that folder's.
  void attempt(const std::string& path, const std::function<void()>& step) {
    try {
      step();
    } catch (const ClosedRecord& closed) {
      odd(Kind::closed_record, path, closed.what());
    } catch (const std::system_error& error) {
      if (is_callers(error)) throw;
      odd(Kind::folder, path, error.code().message());
    }
  }

  void odd(Kind kind, const std::string& path, const std::string& why = {}) {
    survey_.oddities.push_back({kind, path, why});
  }

  /// Quick where it is the one behind the last that was asked for.
  SurveyedAddress& at(const Address& address) {
    const auto place = survey_.addresses.try_emplace(next_, address, address);
    next_ = std::next(place);
    return place->second;
  }

  /// The same, where most come in their order.
  SurveyedAddress& at_end(const Address& address) {
    return survey_.addresses.try_emplace(survey_.addresses.end(), address, address)->second;
  }

  void look_at_folders() {
    auto folder = fs_.open_directory(place_.network_dir);
    if (!folder) {
      look_at_records(nullptr);
      look_at_hints();
      name_boot();
      look_for_flaws(nullptr);
      return;
    }
    survey_.has_folder = true;
    const ReadersLock lock(fs_, *folder, place_, survey_.oddities);
    RunFolder run(fs_, place_.run_dir, fs_.identify(folder->fd));
    NetworkDir network(fs_, std::move(*folder));
    network.begin_reading_with_stamps();
    look_at_records(&network);
    name_boot();
    DeathJudge judge(fs_, look_from(run), {});
    attempt(place_.network_dir, [&] { look_at_files(network, judge); });
    look_at_hints();
    look_for_lost(run);
    look_for_flaws(&network);
    survey_.pending = run.pending();
    survey_.evicted = run.evicted();
    survey_.sequence_before_boot = run.sequence_before_boot();
    survey_.set_aside = SetAsides(run, survey_.boot_id).refused();
  }

  void look_at_files(NetworkDir& network, DeathJudge& judge) {
    for (const auto& file : network.files()) {
      if (file.address) {
        look_at_file(network, file, judge);
      } else if (file.name != nested_name(network.path())) {
        odd(Kind::foreign_name, network.path() + "/" + file.name);
      }
    }
    for (std::size_t set = 0; set < place_.cursors; ++set) look_at_cursor(network, set);
    attempt(network.path(), [&] { look_at_nested(network); });
  }

  void look_at_file(NetworkDir& network, const AttachmentFile& file, DeathJudge& judge) {
    place_.goes_on();
    SurveyedAddress& one = at(*file.address);
    one.is_in_use = true;
    const std::string path = network.path() + "/" + file.name;
    if (!file.readable) odd(Kind::unreadable_file, path);
    if (!file.readable) return;
    if (is_blank(file.owner)) {
      const auto there = fs_.identify(network.folder(), file.name);
      odd(there && there->kind != FileKind::regular ? Kind::no_regular_file : Kind::empty_file,
          path);
      return;
    }
    if (!names_attachment(file)) {
      odd(Kind::note, path, file.owner);
      return;
    }
    one.attachment = parse_owner(file.owner);
    one.stamp = network.stamp_of(file);
    if (!records_ || !one.stamp || is_of_now(*one.stamp)) return;
    one.is_dead = judge.is_owner_dead(network, file, one.stamp);
  }

  /// Deaths are proven by boots only: what else proves one takes the namespace of a caller beside
  /// it. So who has the stamp of this boot need not be asked about.
  [[nodiscard]] bool is_of_now(const Stamp& stamp) const {
    return place_.is_copy ? boot8_of(stamp.boot_id) == boot8_of(survey_.boot_id)
                          : !survey_.boot_id.empty() && stamp.boot_id == survey_.boot_id;
  }

  void look_at_cursor(NetworkDir& network, std::size_t set) {
    const auto cursor = network.cursor(set);
    survey_.cursors.push_back(cursor);
    if (cursor || place_.cached == nullptr) return;
    const std::string name = "last_reserved_ip." + std::to_string(set);
    if (fs_.identify(network.folder(), name)) odd(Kind::cursor, network.path() + "/" + name);
  }

  void look_at_nested(NetworkDir& network) {
    const std::string path = network.path() + "/" + nested_name(network.path());
    const auto identity = fs_.identify(network.folder(), nested_name(network.path()));
    if (!identity || identity->kind != FileKind::directory) return;
    const auto nested = fs_.open_directory(path);
    if (!nested) return;
    bool any = false;
    for (const auto& name : fs_.list(*nested)) {
      const auto address = address_of_name(name);
      if (!address) continue;
      any = true;
      SurveyedAddress& one = at(*address);
      one.is_nested = !one.is_in_use;
      one.is_in_use = true;
    }
    if (any) odd(Kind::nested, path);
  }

  void look_at_records(NetworkDir* network) {
    const std::string path = place_.state_dir + "/" + record_folder_name(place_.network_dir);
    attempt(path, [&] {
      records_ = RecordFolder::open(fs_, place_.state_dir, place_.network_dir);
      if (!records_) return;
      survey_.has_records = true;
      if (network != nullptr) network->keep_stamps_in(&*records_);
      const auto folder = fs_.open_directory(path);
      if (!folder) return;
      std::vector<Address> bound;
      fs_.visit(*folder, [&](const DirectoryEntry& entry) {
        if (const auto address = bound_address(entry.name)) bound.push_back(*address);
      });
      std::sort(bound.begin(), bound.end());  // what is told comes in the same order each time
      look_at_bindings(bound, path);
      begin_reading_hints();
      survey_.boots = records_->boots();
      survey_.remembered = records_->last_ranges();
      look_at_pins(path + "/pins");
    });
  }

  void look_at_pins(const std::string& path) {
    try {
      survey_.pins = records_->pins();
    } catch (const ClosedRecord& closed) {
      odd(Kind::closed_pins, path, why_closed(closed, path));
    }
  }

  void look_at_bindings(const std::vector<Address>& bound, const std::string& folder) {
    for (const auto& address : bound)
      look_at_record(address, records_->look_up_binding(address), folder);
  }

  void look_at_record(const Address& address, const EntryText& text, const std::string& folder) {
    const auto path = [&] { return folder + "/ip." + address.to_string(); };
    place_.goes_on();
    SurveyedAddress& one = at_end(address);
    one.has_record = true;
    try {
      one.binding = records_->binding(address, text);
      if (!one.binding) odd(Kind::malformed_record, path());
    } catch (const ClosedRecord& closed) {
      one.is_closed = true;
      odd(Kind::closed_record, path(), why_closed(closed, path()));
    }
  }

  /// Of those that are bound now; where a DEL has been, the binding is what leads a pod back.
  void begin_reading_hints() {
    for (auto& [address, one] : survey_.addresses) {
      if (!one.binding || one.binding->sequence != 0) continue;
      bound_.push_back(&one);
      pods_.push_back(one.binding->pod);
    }
    hints_ = records_->begin_reading_hints(pods_);
  }

  void look_at_hints() {
    if (!hints_) return;
    attempt(records_->path(), [&] {
      const auto texts = hints_->finish();
      for (std::size_t number = 0; number < bound_.size(); ++number)
        look_at_hint(*bound_[number], texts[number]);
    });
    hints_.reset();
  }

  void look_at_hint(SurveyedAddress& one, const EntryText& text) {
    try {
      const auto hint = records_->hint(one.binding->pod, text);
      one.is_led_to = hint && contains(hint->addresses, one.address);
      if (hint) one.previous_boot = hint->previous_boot;
    } catch (const ClosedRecord&) {
      return;  // the ADD looks at all bindings then
    }
  }

  /// Of sandboxes that are there, as the runtime's cache and their namespaces tell, and whose DEL
  /// has not just been.
  void look_for_lost(RunFolder& run) {
    if (place_.cached == nullptr) return;
    std::map<Address, std::string> lost;
    for (const auto& one : *place_.cached) {
      if (one.netns_path.empty() || !is_there(one.netns_path)) continue;
      if (run.tombstone(one.attachment)) continue;
      for (const auto& address : one.addresses) {
        const auto* known = survey_.find(address);
        if (known != nullptr && known->is_in_use) continue;
        lost.emplace(address, one.pod ? one.pod->display() : one.attachment.container_id);
      }
    }
    for (const auto& [address, whose] : lost)
      odd(Kind::lost_file, place_.network_dir + "/" + address.to_string(), whose);
  }

  /// False for what cannot be looked at: that tells nothing.
  [[nodiscard]] bool is_there(const std::string& netns_path) {
    try {
      return fs_.network_namespace(netns_path).has_value();
    } catch (const std::system_error&) {
      return false;
    }
  }

  void look_for_flaws(NetworkDir* network) {
    if (!records_ || place_.cached == nullptr) return;
    attempt(records_->path(), [&] {
      const auto folder = fs_.open_directory(records_->path());
      if (folder)
        survey_.flaws =
            find_flaws(fs_, *folder, {place_.network_dir, network, *place_.cached, place_.retains});
    });
  }

  /// A copy has no boot of its own: it stopped in the one in which the network was used last.
  void name_boot() {
    if (place_.is_copy && survey_.boot_id.empty() && !survey_.boots.empty())
      survey_.boot_id = survey_.boots.back();
    const std::string boot8 = boot8_of(survey_.boot_id);
    const bool is_listed = !survey_.boots.empty() && survey_.boots.back() == boot8;
    if (!boot8.empty() && !is_listed) survey_.boots.push_back(boot8);
  }

  /// From where the node is looked at.
  [[nodiscard]] Viewpoint look_from(RunFolder& run) {
    run.set_boot(survey_.boot_id);
    if (!place_.is_copy) return look_around(fs_, survey_.boot_id, place_.boot_id_path, run);
    Viewpoint of_copy;
    of_copy.boot_id = survey_.boot_id;
    return of_copy;
  }

  FileSystem& fs_;
  const SurveyPlace& place_;
  Survey survey_;
  std::map<Address, SurveyedAddress>::iterator next_ = survey_.addresses.end();
  std::optional<RecordFolder> records_;
  /// Those that are bound now, whose pods' hints are read while the files are looked at.
  std::vector<SurveyedAddress*> bound_;
  std::vector<PodKey> pods_;
  std::unique_ptr<EntryReader> hints_;
};

}  // namespace

const SurveyedAddress* Survey::find(const Address& address) const {
  const auto place = addresses.find(address);
  return place == addresses.end() ? nullptr : &place->second;
}

Survey survey(FileSystem& fs, const SurveyPlace& place) { return Look(fs, place).take(); }

std::optional<std::size_t> boots_ago(const Survey& survey, const std::string& boot8) {
  const auto found = std::find(survey.boots.rbegin(), survey.boots.rend(), boot8);
  if (boot8.empty() || found == survey.boots.rend()) return std::nullopt;
  return static_cast<std::size_t>(found - survey.boots.rbegin());
}

}  // namespace allocator::store
