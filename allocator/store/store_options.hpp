#pragma once
/// Where a network's state lies, and how it is kept.
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "allocator/binding.hpp"

namespace allocator::store {

enum class Retention : std::uint8_t { on, off };
/// `none`: no fsync.
enum class Durability : std::uint8_t { full, none };
/// What a second ADD of one attachment gets.
enum class OnDuplicate : std::uint8_t { same_addresses, error };

struct StoreOptions {
  std::string network_dir;  ///< absolute path of host-local's folder for the network
  std::string state_dir;
  std::string run_dir = "/run/delegated-ipam";
  std::string boot_id_path = "/proc/sys/kernel/random/boot_id";
  Retention retention = Retention::on;
  Durability durability = Durability::full;
  std::chrono::milliseconds lock_patience{10'000};
  /// How long the boot scan may look at files; then it goes on at the next command.
  std::chrono::milliseconds boot_scan_patience{2'000};
  /// Whether a pod's addresses are bound to it at all.
  std::function<bool(const PodKey&)> retains = [](const PodKey&) { return true; };
};

}  // namespace allocator::store
