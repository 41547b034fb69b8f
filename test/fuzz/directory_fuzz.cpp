// What lies in a network's folder, under names that nobody should give: line feeds, no UTF-8, 255
// bytes, a second spelling of an address, folders, links. Whatever it is, the verbs never give out
// an address that a file reserves, never free one but its owner's, and let everything else lie.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "test/fuzz/store_inputs.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/store_world.hpp"

namespace {

using allocator::Attachment;
using fuzz::Input;
using fuzz::require;
using test::Contents;

constexpr std::size_t kMostEntries = 40;  // more than an index is made for
constexpr std::size_t kMostCommands = 8;

std::string container(Input& input) { return "c" + std::to_string(input.below(6)); }

std::string name_of(Input& input) {
  if (input.coin()) return "10.0.0." + std::to_string(input.below(36));
  std::string name = input.text();
  std::erase_if(name, [](char c) { return c == '/' || c == '\0'; });
  return name == "." || name == ".." ? "" : name;
}

std::string content_of(Input& input) {
  switch (input.below(8)) {
    case 0:
      return container(input);
    case 1:
      return "0123456789abcdef0123456789abcdef";
    case 2:
      return input.text();
    case 3:
      return "";
    case 4:
      return test::owner(container(input)) + " \n";
    case 5:
      return std::string(input.below(40), '\0');
    case 6:
      return test::owner(container(input), "eth1");
    default:
      return test::owner(container(input));
  }
}

/// What cannot be made is left out.
void put_entry(const std::string& folder, Input& input, std::string& last) {
  const std::string name = name_of(input);
  const std::string content = content_of(input);
  if (name.empty()) return;
  const std::string path = folder + "/" + name;
  switch (input.below(10)) {
    case 0:
      // In the lock's place it ends every command with host-local's own words.
      if (name != "lock") ::mkdir(path.c_str(), 0700);
      return;
    case 1:
      if (::symlink(content.c_str(), path.c_str()) != 0) return;
      break;
    case 2:
      if (::link(last.c_str(), path.c_str()) != 0) return;
      break;
    default: {
      const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      if (fd == -1) return;
      if (::write(fd, content.data(), content.size()) == -1) ::unlink(path.c_str());
      ::close(fd);
    }
  }
  last = path;
}

/// Left by a power cut, and removed by the first command of a boot.
bool is_blank(const std::string& content) {
  return content.find_first_not_of('\0') == content.npos;
}

/// As far as a look at it can tell: white space around it, of whatever script, does not count.
bool is_of(const std::string& content, const Attachment& attachment) {
  const auto is_around = [](char c) {
    return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  const auto first = std::find_if_not(content.begin(), content.end(), is_around);
  const auto last = std::find_if_not(content.rbegin(), content.rend(), is_around).base();
  const std::string text = first < last ? std::string(first, last) : "";
  return text == test::owner(attachment.container_id, attachment.ifname) ||
         text == attachment.container_id;
}

class Folder {
 public:
  explicit Folder(Input& input) : world_(test::sets_of({"10.0.0.0/27"})) {
    std::filesystem::create_directories(world_.options.network_dir);
    std::string last;
    for (std::size_t left = input.below(kMostEntries); left > 0; --left)
      put_entry(world_.options.network_dir, input, last);
  }

  void command(Input& input) {
    const Contents before = world_.files();
    const Attachment attachment{container(input), "eth0"};
    switch (input.below(4)) {
      case 0:
        return release(attachment, before);
      case 1:
        return collect(attachment, before);
      default:
        return add(attachment, input, before);
    }
  }

 private:
  void add(const Attachment& attachment, Input& input, const Contents& before) {
    auto request = world_.request(attachment.container_id,
                                  input.coin() ? "pod-" + std::to_string(input.below(4)) : "");
    if (input.coin()) request.requested = {test::ip("10.0.0." + std::to_string(input.below(36)))};
    const auto lease = fuzz::accepted_by_store([&] { return world_.leases().add(request); });
    if (lease) {
      for (const auto& pick : lease->picks) {
        const std::string name = pick.address.to_string();
        const auto there = before.find(name);
        require(
            there == before.end() || is_blank(there->second) || is_of(there->second, attachment),
            "ADD gives out " + name + ", which is in use");
        require(is_of(world_.files()[name], attachment),
                "ADD gives out " + name + " and does not reserve it");
      }
    }
    check_kept(before, [](const std::string&) { return false; });
  }

  void release(const Attachment& attachment, const Contents& before) {
    const auto freed = fuzz::accepted_by_store(
        [&] { return world_.leases().release(world_.release_request(attachment.container_id)); });
    check_kept(before, [&](const std::string& content) { return is_of(content, attachment); });
    if (!freed) return;
    for (const auto& [name, content] : world_.files()) {
      const bool is_left = allocator::store::address_of_name(name).has_value() &&
                           content == test::owner(attachment.container_id) &&
                           !std::filesystem::is_symlink(world_.network_file(name));
      require(!is_left, "DEL is acknowledged, and leaves " + name);
    }
  }

  void collect(const Attachment& valid, const Contents& before) {
    static_cast<void>(fuzz::accepted_by_store([&] { return world_.leases().collect({valid}); }));
    check_kept(before, [&](const std::string& content) { return !is_of(content, valid); });
  }

  template <class MayGo>
  void check_kept(const Contents& before, MayGo may_go) {
    const Contents after = world_.files();
    for (const auto& [name, content] : before) {
      const auto there = after.find(name);
      const bool is_kept = there != after.end() && there->second == content;
      require(is_kept || is_blank(content) || may_go(content),
              "somebody else's file is gone: " + name);
    }
  }

  test::StoreWorld world_;
};

void run(std::string_view bytes) {
  Input input(bytes);
  Folder folder(input);
  for (std::size_t i = 0; i < kMostCommands && !input.is_empty(); ++i) folder.command(input);
}

const fuzz::Registration kTarget("directory", &run);

}  // namespace
