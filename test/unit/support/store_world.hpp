#pragma once
/// A node in a temporary folder: host-local's directory, the records, /run and the boot_id, and the
/// verbs on them.
#include <fcntl.h>
#include <sys/file.h>

#include <string>

#include "allocator/store/lease_store.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"
#include "test/unit/support/values.hpp"

namespace test {

constexpr const char* kFirstBoot = "11111111-aaaa-4bbb-8ccc-000000000001";
constexpr const char* kSecondBoot = "22222222-aaaa-4bbb-8ccc-000000000002";

using Contents = std::map<std::string, std::string>;

class StoreWorld {
 public:
  explicit StoreWorld(allocator::RangeSets ranges = sets_of({"10.0.0.0/29"}))
      : sets(std::move(ranges)) {
    boot(kFirstBoot);
    options.network_dir = dir_.file("networks/net");
    options.state_dir = dir_.file("state");
    options.run_dir = dir_.file("run");
    options.boot_id_path = dir_.file("boot_id");
    options.lock_patience = std::chrono::milliseconds(2000);
    options.boot_scan_patience = std::chrono::minutes(10);  // disks of test machines may be busy
  }

  /// The next boot: another boot_id, an empty /run.
  void boot(const std::string& boot_id) {
    write_text(dir_.file("boot_id"), boot_id + "\n");
    std::filesystem::remove_all(dir_.file("run"));
  }

  [[nodiscard]] store::LeaseStore leases() { return {fs, options}; }

  /// The ADD of a container; an empty pod name stands for a caller without a pod.
  [[nodiscard]] store::AddRequest request(const std::string& container_id,
                                          const std::string& pod_name = "",
                                          const std::string& ifname = "eth0") const {
    store::AddRequest request;
    request.attachment = {container_id, ifname};
    request.netns_path = "/var/run/netns/" + container_id;
    if (!pod_name.empty()) request.owner.pod = pod(pod_name, ifname);
    request.sets = sets;
    request.reservations = reservations;
    return request;
  }

  /// The addresses of an ADD's answer, "10.0.0.2 2001:db8::2".
  std::string add(const store::AddRequest& request) {
    return joined(picked(leases().add(request)));
  }
  std::string add(const std::string& container_id, const std::string& pod_name = "") {
    return add(request(container_id, pod_name));
  }

  [[nodiscard]] store::ReleaseRequest release_request(
      const std::string& container_id, const std::string& ifname = "eth0",
      const std::optional<allocator::PodKey>& pod_key = std::nullopt) const {
    store::ReleaseRequest request;
    request.attachment = {container_id, ifname};
    request.passes = sets.size();
    request.owner.pod = pod_key;
    request.sets = sets;
    return request;
  }

  /// The freed addresses.
  std::string release(const std::string& container_id, const std::string& ifname = "eth0",
                      const std::optional<allocator::PodKey>& pod_key = std::nullopt) {
    return joined(leases().release(release_request(container_id, ifname, pod_key)));
  }

  static std::vector<allocator::Address> picked(const store::Lease& lease) {
    std::vector<allocator::Address> addresses;
    for (const auto& pick : lease.picks) addresses.push_back(pick.address);
    return addresses;
  }

  /// True when nobody holds the network's lock.
  [[nodiscard]] bool lock_is_free() const {
    const store::Fd fd(::open(network_file("lock").c_str(), O_RDONLY | O_CLOEXEC));
    return !fd.is_open() || ::flock(fd.number(), LOCK_EX | LOCK_NB) == 0;
  }

  [[nodiscard]] std::string network_file(const std::string& name) const {
    return options.network_dir + "/" + name;
  }
  /// Where this boot's marks of the network folder are that is there now.
  [[nodiscard]] std::string run_folder() const {
    store::PosixFileSystem real;
    const auto identity = real.identify(real.open_directory(options.network_dir)->fd);
    return options.run_dir + "/" + std::to_string(identity.device) + ":" +
           std::to_string(identity.inode);
  }
  [[nodiscard]] std::string record_dir() const {
    return options.state_dir + "/" + store::record_folder_name(options.network_dir);
  }

  /// Everything in the network folder but the lock, the cursors and the private name.
  [[nodiscard]] Contents files() const {
    Contents contents = contents_of(options.network_dir);
    std::erase_if(contents, [](const auto& entry) {
      return entry.first == "lock" || entry.first == kPrivateName ||
             entry.first.starts_with("last_reserved_ip.");
    });
    return contents;
  }
  /// A new file's name until it gets its own, where the file system knows no unnamed files.
  static constexpr const char* kPrivateName = ".delegated-ipam.new";
  /// Every record but those of the folder and of the boots.
  [[nodiscard]] Contents records() const {
    Contents contents = contents_of(record_dir());
    contents.erase("netdir");
    contents.erase("boots");
    return contents;
  }
  [[nodiscard]] std::optional<allocator::Binding> binding(const std::string& address) const {
    const auto all = records();
    const auto found = all.find("ip." + address);
    return found == all.end() ? std::nullopt : allocator::decode_binding(found->second);
  }
  [[nodiscard]] std::optional<allocator::PodHint> hint(const std::string& pod_name) const {
    const auto all = records();
    const auto found = all.find(store::hint_name(pod(pod_name)));
    return found == all.end() ? std::nullopt : allocator::decode_hint(found->second);
  }
  /// The addresses whose binding is held for nobody: the hint of its pod does not lead to it.
  [[nodiscard]] std::string orphans() const {
    const auto all = records();
    std::vector<allocator::Address> orphans;
    for (const auto& [name, target] : all) {
      if (!name.starts_with("ip.")) continue;
      const auto owner = allocator::decode_binding(target);
      const auto found = owner ? all.find(store::hint_name(owner->pod)) : all.end();
      const auto lead = found == all.end() ? std::nullopt : allocator::decode_hint(found->second);
      const auto address = ip(name.substr(3));
      const auto leads = lead ? lead->addresses : std::vector<allocator::Address>();
      if (std::find(leads.begin(), leads.end(), address) == leads.end()) orphans.push_back(address);
    }
    return joined(orphans);
  }

  allocator::RangeSets sets;
  allocator::Reservations reservations;
  store::StoreOptions options;
  HookedFileSystem fs;

 private:
  TempDir dir_;
};

/// What an attachment's file holds.
inline std::string owner(const std::string& container_id, const std::string& ifname = "eth0") {
  return container_id + "\r\n" + ifname;
}

/// The message of the exception that `action` throws, "" when it throws none.
template <typename Action>
std::string failure_of(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace test
