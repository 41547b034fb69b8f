#include "test/proof/neighbours.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "test/proof/invariants.hpp"

namespace proof {
namespace {

using Found = std::optional<std::string>;

bool is_dual(const std::vector<std::string>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [](const std::string& address) {
    return address.find(':') != std::string::npos;
  });
}

}  // namespace

bool fails_for_good(const std::string& failure) {
  return !failure.empty() && failure.find(kExhausted) == std::string::npos;
}

bool is_entry(const Machine& machine, const std::string& path) {
  constexpr std::string_view run = "/run";
  if (machine.namespaces.count(path) != 0) return true;
  if (path.ends_with("/lock")) return false;
  const Tree& tree = path.starts_with(run) ? machine.run : machine.disk;
  const Id id = tree.lookup(path.starts_with(run) ? path.substr(run.size()) : path);
  return id != 0 && tree.at(id).kind != store::FileKind::directory;
}

bool is_damage(const Trouble& trouble) {
  constexpr std::array all = {EIO, EBADMSG, EUCLEAN, ESTALE, ENOTCONN, EACCES, EPERM};
  return std::find(all.begin(), all.end(), trouble.error) != all.end();
}

bool is_about(const std::string& path, const std::string& container, const Told& told) {
  const auto is_named = [&](const std::string& address) {
    return path.ends_with("/" + address) || path.ends_with("." + address);
  };
  return path == namespace_path(container) ||
         path.find("_" + told.pod + "@") != std::string::npos ||
         std::any_of(told.addresses.begin(), told.addresses.end(), is_named);
}

Found trouble_with_newcomer(Scene scene, const MemoryDisk::Observer& observer) {
  const auto node = [&] { return Node(scene.machine, &scene.oracle, observer); };
  const auto added = node().add("co", "o");
  if (fails_for_good(added.failure)) return "a newcomer fails: " + added.failure;
  const std::string holder = living_holder(scene, "co", added.addresses);
  if (!holder.empty()) return "I1: a newcomer gets an address that " + holder + " has";
  if (!added.is_acknowledged) return std::nullopt;
  const std::string refused = node().release("co", "o");
  if (!refused.empty()) return "the newcomer's DEL fails: " + refused;
  if (has_file(files_of(scene.machine.disk), "co")) return "the newcomer's file is left";
  return std::nullopt;
}

Found trouble_with_present(Scene scene, const std::string& container,
                           const MemoryDisk::Observer& observer) {
  const Told told = scene.oracle.present.at(container);
  const auto node = [&] { return Node(scene.machine, &scene.oracle, observer); };
  const auto ranges = is_dual(told.addresses) ? Ranges::both : Ranges::one;
  const auto again = node().add(container, told.pod, ranges, told.is_retained);
  if (!again.is_acknowledged) return container + " repeated fails: " + again.failure;
  if (again.addresses != told.addresses) return container + " repeated gets another address";
  const std::string refused = node().release(container, told.pod);
  if (!refused.empty()) return "the DEL of " + container + " fails: " + refused;
  if (has_file(files_of(scene.machine.disk), container))
    return "the file of " + container + " is left";
  return std::nullopt;
}

}  // namespace proof
