#include "shim/cli/inspect/networks/state_file.hpp"

#include <chrono>
#include <optional>

#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/file_output.hpp"

namespace shim::inspect {
namespace {

using allocator::store::FileSystem;
using allocator::store::NetworkLock;
using allocator::store::RecordFolder;

constexpr unsigned kFileMode = 0600;
constexpr std::chrono::milliseconds kFilePatience{10'000};

}  // namespace

std::string records_path(const Network& network) {
  return network.conf.placement.state_dir + "/" +
         allocator::store::record_folder_name(network.network_dir);
}

std::string read_state_file(FileSystem& fs, const Network& network, const std::string& name,
                            std::size_t limit) {
  const auto folder = fs.open_directory(records_path(network));
  const auto content = folder ? fs.read_file(*folder, name, limit) : std::nullopt;
  return content ? content->bytes : std::string();
}

void change_state_file(FileSystem& fs, const Network& network, const std::string& name,
                       std::size_t limit,
                       const std::function<std::string(const std::string&)>& change) {
  std::vector<std::string> changed;
  static_cast<void>(
      RecordFolder::create(fs, network.conf.placement.state_dir, network.network_dir, changed));
  const auto folder = open_folder(fs, records_path(network), "state folder", "try again");
  {
    auto locked = fs.open_directory(network.network_dir);
    std::optional<NetworkLock> lock;
    if (locked) lock.emplace(fs, *locked, kFilePatience);
    const std::string text = change(read_state_file(fs, network, name, limit));
    write_file(fs, folder, name, text, kFileMode, Flush::yes);
  }
  allocator::store::sync_folders(fs, changed);
}

}  // namespace shim::inspect
