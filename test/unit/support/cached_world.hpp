#pragma once
/// A node with a runtime's result cache beside it.
#include <initializer_list>
#include <string>
#include <vector>

#include "allocator/store/boot_scan.hpp"
#include "test/unit/support/store_world.hpp"

namespace test {

/// The namespace of a pod that lives.
// Not as a path below /proc: those are not believed.
inline constexpr const char* kOwnNamespace = "//proc/self/ns/net";

class Cache final : public store::AttachmentSource {
 public:
  std::vector<store::CachedAttachment> attachments(const std::string& network) override {
    ++times_read;
    return network == "net" ? entries : std::vector<store::CachedAttachment>();
  }
  bool still_has(const store::CachedAttachment& cached) override {
    return gone.find(cached.attachment.container_id) == std::string::npos;
  }

  /// An empty pod name stands for a caller without a pod.
  store::CachedAttachment& add(const std::string& container_id, const std::string& pod_name,
                               const std::string& netns_path,
                               std::initializer_list<const char*> addresses) {
    store::CachedAttachment one;
    one.attachment = {container_id, "eth0"};
    if (!pod_name.empty()) {
      one.pod = pod(pod_name);
      one.uid = "u-" + pod_name;
    }
    one.netns_path = netns_path;
    one.addresses = ips(addresses);
    one.entry = container_id;
    entries.push_back(one);
    return entries.back();
  }

  std::vector<store::CachedAttachment> entries;
  std::string gone;
  int times_read = 0;
};

struct CachedWorld : StoreWorld {
  Cache cache;

  store::LeaseStore cached_leases() { return {fs, options, &cache}; }
  std::string add_cached(const std::string& container_id, const std::string& pod_name = "") {
    auto leases = cached_leases();
    auto text = test::joined(picked(leases.add(request(container_id, pod_name))));
    for (const auto& note : leases.notes()) notes += note + "\n";
    return text;
  }
  void put(const std::string& name, const std::string& text) {
    test::write_text(network_file(name), text);
  }
  /// Somebody removes the files of all attachments, and the lock with them or not.
  void wipe(bool with_lock) {
    for (const auto& [name, content] : files()) std::filesystem::remove(network_file(name));
    if (with_lock) std::filesystem::remove(network_file("lock"));
  }

  std::string notes;
};

}  // namespace test
