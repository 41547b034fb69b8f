/// `install` and `uninstall`: this executable into a runtime's plugin folder, and out of it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/file_output.hpp"
#include "shim/cli/install/mounted_ranges.hpp"
#include "shim/cli/install/ranges_checksum.hpp"
#include "shim/cli/plugin_users.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::store::Directory;
using allocator::store::FileKind;
using allocator::store::FileSystem;
using allocator::store::PosixFileSystem;

constexpr const char* kOwnName = "delegated-ipam";
constexpr const char* kKept = ".orig";  // delegate lookup knows host-local.orig
constexpr const char* kSelf = "/proc/self/exe";
constexpr const char* kMark = "CNI delegated-ipam plugin v";  // in about_text(), so in every build
constexpr std::size_t kExecutableLimit = std::size_t{64} << 20;
constexpr unsigned kExecutableMode = 0755;
constexpr unsigned kFolderMode = 0755;

struct InstallOptions {
  std::string folder;
  std::string name = kOwnName;
  std::string nodes_from;
  std::string nodes_dir;
  std::optional<std::string> nodes_checksum;
  std::string node;
  CniPlaces places;
};

/// What lies under the name that is to be installed.
enum class Occupant : std::uint8_t { nobody, ourselves, another };

/// What is done is done, whether the line can be written or not.
void tell(const std::string& line) {
  try {
    write_stdout(line + "\n");
  } catch (const UsageError&) {
    return;
  }
}

void check_name(const std::string& name) {
  if (is_identifier(name) && !name.ends_with(kKept)) return;
  throw UsageError("--as: " + go_quoted(name) +
                   " is no plugin's name; leave it out, or give host-local");
}

Occupant occupant_of(FileSystem& fs, const Directory& folder, const std::string& name) {
  const std::string path = folder.path + "/" + name;
  const auto found = fs.identify(folder, name);
  if (!found) return Occupant::nobody;
  if (found->kind == FileKind::symbolic_link) {
    throw UsageError(path + " is a symbolic link to " + fs.read_link(folder, name).value_or("?") +
                     ", as k3s has for all its plugins: what it points at must not be replaced; "
                     "install without --as and name delegated-ipam in the conflist");
  }
  const auto content = fs.read_file(folder, name, kExecutableLimit);
  if (!content) throw UsageError(path + " is no regular file; look at it and take it away");
  return content->bytes.find(kMark) != std::string::npos ? Occupant::ourselves : Occupant::another;
}

/// A second name for the file, so that there is a plugin under the first one at every moment.
void keep_original(FileSystem& fs, const Directory& folder, const std::string& name) {
  const std::string kept = name + kKept;
  const auto original = fs.open_file(folder, name);
  if (!original) throw UsageError(folder.path + "/" + name + " went away while it was looked at");
  // A rename between two names of one file does nothing, and would leave both.
  const auto earlier = fs.identify(folder, kept);
  if (earlier && earlier->same_file(fs.identify(*original))) return;
  name_file(fs, folder, *original, kept);
  tell("kept the original as " + folder.path + "/" + kept);
}

void check_ranges(const std::string& text, const std::string& path) {
  try {
    static_cast<void>(parse_ranges(RangesSource::Kind::node_file, text, path));
  } catch (const CniError& error) {
    throw UsageError("--nodes-from: " + std::string(error.what()) +
                     "; give the node its CIDR blocks, one a line, and apply the ConfigMap again");
  }
}

/// Only told of: what cannot be read is written over all the same. Empty when there is nothing.
std::string ranges_before(FileSystem& fs, const Directory& folder, const std::string& node) {
  try {
    auto found = fs.read_file(folder, node, kRangesLimit);
    return found ? std::move(found->bytes) : "";
  } catch (const std::system_error&) {
    return "";
  }
}

std::string in_one_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// One CIDR block list of the mounted ConfigMap, under the names by which the plugin may look for
/// it: the node's, and the host's.
void install_ranges(FileSystem& fs, const InstallOptions& options) {
  const std::string node = options.node.empty() ? node_name() : options.node;
  if (!is_identifier(node))
    refuse_option("--node", node, "is no node's name; write it as kubectl get nodes does");
  const std::string text = mounted_ranges(fs, options.nodes_from, node, options.nodes_checksum);
  check_ranges(text, options.nodes_from + "/" + node);
  std::vector<std::string> made;
  allocator::store::ensure_folder(fs, options.nodes_dir, kFolderMode, made);
  const auto folder = open_folder(fs, options.nodes_dir, "--nodes-dir", "make it first");
  const std::string before = ranges_before(fs, folder, node);
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0)  // or the range of before stays there
    throw std::system_error(errno, std::generic_category(), "gethostname");
  write_file(fs, folder, node, text, 0644, Flush::yes);
  if (node != host.data() && is_identifier(host.data()))
    write_file(fs, folder, host.data(), text, 0644, Flush::yes);
  allocator::store::sync_folders(fs, made);
  tell("wrote the ranges of " + node + " to " + folder.path);
  if (!before.empty() && before != text)
    tell(printable_line("they were others before: " + in_one_line(before) + ", now " +
                        in_one_line(text) + "; pods with addresses of those have to be made anew"));
}

/// Where root has no capabilities, as in the installer's pod, another user's folder is closed to
/// it.
[[noreturn]] void fail_closed(const std::system_error& error) {
  throw UsageError(std::string(error.what()) +
                   "; without capabilities root writes to root's own folders only: chown root it");
}

void put_everything(FileSystem& fs, const InstallOptions& options) {
  const auto folder =
      open_folder(fs, options.folder, "DIR",
                  "name the folder that the runtime takes its plugins from (crictl info: binDir)");
  const auto occupant = occupant_of(fs, folder, options.name);
  const std::string self = fs.read_path(kSelf, kExecutableLimit);
  if (occupant == Occupant::another && options.name != kOwnName)
    keep_original(fs, folder, options.name);
  write_file(fs, folder, options.name, self, kExecutableMode, Flush::yes);
  tell("installed " + folder.path + "/" + options.name + " (" + std::to_string(self.size()) +
       " bytes)");
  // The plugin first: a conflist that needs the ranges needs it too.
  if (!options.nodes_from.empty()) install_ranges(fs, options);
}

void check(const InstallOptions& options) {
  check_name(options.name);
  if (options.nodes_from.empty() != options.nodes_dir.empty())
    throw UsageError("--nodes-from and --nodes-dir go together; give both");
  if (!options.nodes_checksum) return;
  if (options.nodes_from.empty())
    throw UsageError("--nodes-checksum: is of --nodes-from and --nodes-dir; give these, too");
  if (!is_ranges_checksum(*options.nodes_checksum))
    refuse_option("--nodes-checksum", *options.nodes_checksum,
                  "is no SHA-256 of 64 small hexadecimal digits; take the one that generate "
                  "installer --nodes writes, or leave it out");
}

ExitCode install(const InstallOptions& options) {
  PosixFileSystem fs;
  check(options);
  try {
    put_everything(fs, options);
  } catch (const std::system_error& error) {
    if (error.code().value() != EACCES || ::geteuid() != 0) throw;
    fail_closed(error);
  }
  return ExitCode::fine;
}

/// Tells who would be left without the plugin; true when there is somebody.
bool is_in_use(FileSystem& fs, const CniPlaces& places, const std::string& name) {
  const auto pods = pods_using(fs, places, name);
  const auto configurations = configurations_using(fs, places, name);
  for (const auto& user : pods)
    write_stderr(
        printable_line("pod " + user.pod + " needs " + name + " for its DEL (" + user.file + ")") +
        "\n");
  for (const auto& file : configurations)
    write_stderr(printable_line("new pods need " + name + " (" + file + ")") + "\n");
  if (pods.empty() && configurations.empty()) return false;
  write_stderr("delegated-ipam uninstall: " + name +
               " is in use, nothing was changed; first change the configuration, then restart or "
               "delete these pods\n");
  return true;
}

ExitCode uninstall(const InstallOptions& options) {
  PosixFileSystem fs;
  check_name(options.name);
  const auto folder = open_folder(fs, options.folder, "DIR", "nothing can be installed there");
  const std::string path = folder.path + "/" + options.name;
  const auto occupant = occupant_of(fs, folder, options.name);
  if (occupant == Occupant::nobody) {
    tell(path + " is not there");
    return ExitCode::fine;
  }
  if (occupant == Occupant::another)
    throw UsageError(path + " is not delegated-ipam; nothing was changed");
  const std::string kept = options.name + kKept;
  const bool has_original = fs.identify(folder, kept).has_value();
  if (!has_original && is_in_use(fs, options.places, options.name))
    return ExitCode::found_something;
  if (has_original) {
    fs.rename(folder, kept, options.name);
  } else {
    fs.unlink(folder, options.name);
  }
  fs.sync(folder.fd, folder.path);
  tell((has_original ? "put the original back as " : "removed ") + path);
  return ExitCode::fine;
}

void add_place(CommandSpec& command, InstallOptions& options) {
  command.argument("DIR", options.folder, "the runtime's plugin folder, such as /opt/cni/bin");
  command.text("--as", options.name, "the plugin's name there (delegated-ipam)");
}

}  // namespace

void add_install(CommandSpec& root) {
  auto options = std::make_shared<InstallOptions>();
  auto command = root.command("install", "put this executable into a plugin folder");
  add_place(command, *options);
  command.text("--nodes-from", options->nodes_from, "a mounted ConfigMap with the nodes' ranges");
  command.text("--nodes-dir", options->nodes_dir,
               "the rangesFrom.nodesDir to write this node's to");
  command.text("--nodes-checksum", options->nodes_checksum,
               "write only from a ConfigMap that has it, as generate installer --nodes says");
  command.text("--node", options->node, "this node's name ($NODE_NAME, else the host's)");
  command.runs([options] { return install(*options); });
}

void add_uninstall(CommandSpec& root) {
  auto options = std::make_shared<InstallOptions>();
  auto command = root.command("uninstall", "take it out again, unless a pod still needs it");
  add_place(command, *options);
  command.text("--cni-cache", options->places.cache, "with results/ and flannel/ (/var/lib/cni)");
  command.text("--conf-dir", options->places.conflists, "with the conflists (/etc/cni/net.d)");
  command.runs([options] { return uninstall(*options); });
}

}  // namespace shim
