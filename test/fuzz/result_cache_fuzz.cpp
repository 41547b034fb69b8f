// An entry of libcni's result cache, torn or made up, beside one of a pod that lives. The other
// entry is always read; what the odd one says gives nobody's address away, and files that were
// removed in the middle of a boot are restored for who lives, unless the odd one claims them too.
#include "shim/cni/result/libcni_cache.hpp"
#include "test/fuzz/store_inputs.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/cached_world.hpp"

namespace {

using fuzz::require;

constexpr const char* kNewcomer = "newcomer";
constexpr const char* kPresent = "10.0.0.3";  // whose file is there
constexpr const char* kLost = "10.0.0.2";  // whose file is not: the first that a newcomer would get

/// As the runtime writes it.
std::string entry_of(const std::string& container_id, const std::string& address) {
  return R"({"kind":"cniCacheV1","containerId":")" + container_id +
         R"(","ifName":"eth0","networkName":"net","cniArgs":[["K8S_POD_NAMESPACE","default"],)"
         R"(["K8S_POD_NAME",")" +
         container_id + R"("]],"netns":")" + test::kOwnNamespace +
         R"(","result":{"cniVersion":"1.0.0","ips":[{"address":")" + address + R"(/29"}]}})";
}

void run(std::string_view text) {
  test::StoreWorld world;
  test::write_text(world.network_file(kPresent), test::owner("present"));
  const std::string folder = std::filesystem::path(world.options.run_dir).parent_path() / "results";
  test::write_text(folder + "/net-lost-eth0", entry_of("lost", kLost));
  test::write_text(folder + "/net-odd-eth0", std::string(text));

  shim::ResultCache cache(world.fs, folder);
  const auto entries = cache.attachments("net");
  bool is_newcomers = false;
  bool is_there = false;
  bool has_rival = false;
  for (const auto& entry : entries) {
    require(!entry.attachment.container_id.empty(), "an attachment without a container");
    is_there = is_there || entry.entry == "net-lost-eth0";
    is_newcomers = is_newcomers || entry.attachment.container_id == kNewcomer;
    has_rival = has_rival || (entry.entry != "net-lost-eth0" &&
                              allocator::contains(entry.addresses, test::ip(kLost)));
  }
  require(is_there && entries.size() <= 2, "an odd entry hides another one");
  if (is_newcomers) return;  // who asks is who the entry speaks of

  allocator::store::LeaseStore leases(world.fs, world.options, &cache);
  const auto lease =
      fuzz::accepted_by_store([&] { return leases.add(world.request(kNewcomer, "new")); });
  require(world.files()[kPresent] == test::owner("present"), "a file is gone");
  // Of two that claim it alike neither is given it; nor is the newcomer.
  require(has_rival || world.files().contains(kLost), "a living pod's file is not restored");
  if (!lease) return;
  for (const auto& pick : lease->picks) {
    const std::string name = pick.address.to_string();
    require(name != kPresent && name != kLost, "ADD gives out " + name + ", which is in use");
  }
}

const fuzz::Registration kTarget("result_cache", &run);

}  // namespace
