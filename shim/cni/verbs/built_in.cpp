#include "shim/cni/verbs/built_in.hpp"

#include <nlohmann/json.hpp>

#include "allocator/store/lease_store.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/log.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/result/resolv_conf.hpp"
#include "shim/cni/result/result.hpp"
#include "shim/cni/verbs/announcing.hpp"
#include "shim/cni/verbs/log_line.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim {
namespace {

using allocator::store::LeaseStore;
using allocator::store::StoreOptions;

constexpr std::size_t kResolvConfLimit = std::size_t{1} << 20;

/// `args`: CNI_ARGS as far as the verb looks at them.
NetConf strict_net_conf(const Command& command, const std::string& args) {
  return read_net_conf(command.document, command.head, conf_inputs(command, args));
}

NetConf lenient_net_conf(const Command& command) {
  return read_net_conf_leniently(command.document, command.head);
}

std::string network_dir(const NetConf& conf) { return conf.placement.data_dir + "/" + conf.name; }

allocator::store::AddRequest add_request(const Environment& environment, const NetConf& conf) {
  allocator::store::AddRequest request;
  request.attachment = attachment_of(environment);
  request.netns_path = environment.netns;
  request.owner = owner_of(conf.arguments, environment.ifname, conf.placement);
  request.ranges_to_remember = ranges_to_remember(conf.ranges_source, conf.ranges_from);
  request.sets = conf.allocation.sets;
  request.reservations = conf.allocation.reservations;
  request.requested = conf.allocation.requested;
  if (request.owner.pod && !request.requested.empty()) refuse_request_of_pod(conf.requests);
  request.may_ask_for_others = conf.requests == RequestsConf::any;
  request.on_duplicate = conf.on_duplicate;
  return request;
}

Result result_of(const allocator::store::Lease& lease, const NetConf& conf, Dns dns) {
  Result result;
  result.cni_version = kNewestVersion;
  for (const auto& pick : lease.picks) {
    const allocator::Cidr address{pick.address, pick.range->subnet.prefix_length};
    result.ips.push_back({address, pick.range->gateway, std::nullopt});
  }
  result.routes = conf.allocation.routes;
  result.dns = std::move(dns);
  return result;
}

std::string_view reason_text(allocator::Reason reason) {
  switch (reason) {
    case allocator::Reason::present:
      return "has it already";
    case allocator::Reason::pin:
      return "pinned";
    case allocator::Reason::requested:
      return "requested";
    case allocator::Reason::held:
      return "kept";
    case allocator::Reason::round_robin:
      return "new";
    case allocator::Reason::evicted:
      return "new, held longest by another pod";
    case allocator::Reason::reclaimed:
      return "new, from a dead container";
  }
  return "";
}

void log_picks(Log& log, const allocator::store::Lease& lease) {
  for (const auto& pick : lease.picks) {
    log.debug(pick.address.to_string() + ": " + std::string(reason_text(pick.reason)));
  }
}

/// A store whose notes are logged at the end, also when the command fails.
class LoggedStore {
 public:
  LoggedStore(Log& log, allocator::store::FileSystem& fs, StoreOptions options)
      : log_(log), cache_(fs), store_(fs, std::move(options), &cache_) {}
  LoggedStore(const LoggedStore&) = delete;
  LoggedStore& operator=(const LoggedStore&) = delete;
  ~LoggedStore() {
    for (const auto& note : store_.notes()) log_.notice(note);
  }
  LeaseStore* operator->() { return &store_; }

 private:
  Log& log_;
  ResultCache cache_;
  LeaseStore store_;
};

/// The folders that may hold an attachment's files: the configured one; without dataDir also every
/// other folder of a network of this name that has records.
std::vector<std::string> folders_to_search(const NetConf& conf, allocator::store::FileSystem& fs) {
  std::vector<std::string> folders = {network_dir(conf)};
  if (conf.placement.data_dir_given) return folders;
  for (auto& folder :
       allocator::store::known_network_dirs(fs, conf.placement.state_dir, conf.name)) {
    if (folder != folders.front()) folders.push_back(std::move(folder));
  }
  return folders;
}

std::vector<allocator::Address> addresses_of_files(
    const std::vector<allocator::store::AttachmentFile>& files) {
  std::vector<allocator::Address> addresses;
  for (const auto& file : files) {
    if (file.address) addresses.push_back(*file.address);
  }
  return addresses;
}

[[noreturn]] void fail_check(const std::string& text) {
  throw CniError(ErrorCode::internal, "host-local: " + text);
}

/// Compares what is reserved with what the runtime believes, in our ranges: other plugins'
/// addresses are theirs.
void compare_with_previous(const Json& previous, const NetConf& conf,
                           const std::vector<allocator::Address>& held) {
  std::vector<allocator::Address> told;
  for (const auto& ip : newest_form(read_prev_result(previous, conf.cni_version)).ips) {
    if (ip.address) told.push_back(ip.address->address);
  }
  const auto ours = [&](const allocator::Address& address) {
    return allocator::set_of(conf.allocation.sets, address) < conf.allocation.sets.size();
  };
  for (const auto& address : held) {
    if (!ours(address) || contains(told, address)) continue;
    fail_check("address " + address.to_string() +
               " is reserved for the attachment but prevResult lacks it");
  }
  for (const auto& address : told) {
    if (!ours(address) || contains(held, address)) continue;
    fail_check("address " + address.to_string() +
               " of prevResult is not reserved for the attachment");
  }
}

}  // namespace

void run_add(const Command& command) {
  const NetConf conf = strict_net_conf(command, command.environment.args);
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    Dns dns;
    if (!conf.allocation.resolv_conf.empty()) {
      dns =
          parse_resolv_conf(command.fs.read_regular(conf.allocation.resolv_conf, kResolvConfLimit));
    }
    LoggedStore store(log, command.fs, store_options(conf.placement, network_dir(conf)));
    const auto request = add_request(command.environment, conf);
    auto lease = store->add(request);
    try {
      command.write_stdout(print_result(result_of(lease, conf, std::move(dns)), conf.cni_version));
    } catch (...) {
      store->undo(lease);
      throw;
    }
    const Announceable told = announceable(lease.picks);
    announce_after_add(command, log, told, [&] {
      return allocator::store::still_has(command.fs, network_dir(conf), request.attachment,
                                         told.addresses);
    });
    log_picks(log, lease);
    std::vector<allocator::Address> addresses;
    for (const auto& pick : lease.picks) addresses.push_back(pick.address);
    line.done(joined(addresses));
  } catch (...) {
    line.failed();
  }
}

void run_del(const Command& command) {
  const NetConf conf = lenient_net_conf(command);
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    allocator::store::ReleaseRequest request{
        attachment_of(command.environment), conf.allocation.sets.size(),
        owner_of(parse_arguments_leniently(command.environment.args), command.environment.ifname,
                 conf.placement),
        conf.allocation.sets};
    std::vector<allocator::Address> freed;
    for (const auto& folder : folders_to_search(conf, command.fs)) {
      LoggedStore store(log, command.fs, store_options(conf.placement, folder));
      const auto more = store->release(request);
      request.may_make_folder = false;
      freed.insert(freed.end(), more.begin(), more.end());
    }
    line.done(joined(freed));
  } catch (...) {
    line.failed();
  }
}

void run_check(const Command& command) {
  const NetConf conf = strict_net_conf(command, command.environment.args);
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    LeaseStore store(command.fs, store_options(conf.placement, network_dir(conf)));
    const auto files = store.files_of(attachment_of(command.environment));
    if (files.empty()) {
      fail_check("Failed to find address added by container " + command.environment.container_id);
    }
    const auto held = addresses_of_files(files);
    const Json* previous = find_member(command.document, "prevResult");
    if (previous != nullptr) compare_with_previous(*previous, conf, held);
    line.done(joined(held));
  } catch (...) {
    line.failed();
  }
}

void run_gc(const Command& command) {
  const NetConf conf = lenient_net_conf(command);
  Log log(conf.placement.log);
  LogLine line(log, command.environment, conf.name, conf.warnings);
  try {
    const ValidAttachments valid = read_valid_attachments(command.document);
    if (!valid.is_given) {
      line.done("no list of valid attachments: nothing collected");
      return;
    }
    std::vector<allocator::Address> freed;
    for (const auto& folder : folders_to_search(conf, command.fs)) {
      LoggedStore store(log, command.fs, store_options(conf.placement, folder));
      for (const auto& file : store->collect(valid.attachments)) freed.push_back(file.address);
    }
    line.done(joined(freed));
  } catch (...) {
    line.failed();
  }
}

void run_status(const Command& command) {
  try {
    const NetConf conf = strict_net_conf(command, {});
    const LeaseStore store(command.fs, store_options(conf.placement, network_dir(conf)));
    if (const auto obstacle = store.obstacle())
      throw CniError(ErrorCode::plugin_not_available, *obstacle);
  } catch (...) {
    const CniError error = to_cni_error(std::current_exception());
    throw CniError(ErrorCode::plugin_not_available, error.what(), error.details);
  }
}

}  // namespace shim
