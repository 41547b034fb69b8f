#include "allocator/store/state/network_dir.hpp"

#include <sys/stat.h>

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Attachment;
using allocator::store::NetworkDir;
using test::ip;

namespace {

/// A network folder with files that the test writes.
class Folder {
 public:
  void write(const std::string& name, const std::string& text) const {
    test::write_text(dir_.file(name), text);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return dir_.file(name); }

  [[nodiscard]] NetworkDir open() {
    auto folder = fs_.open_directory(dir_.path());
    REQUIRE(folder.has_value());
    return {fs_, std::move(*folder)};
  }
  [[nodiscard]] NetworkDir scanned() {
    NetworkDir network = open();
    network.scan();
    return network;
  }
  /// The names of the files that belong to c1/eth0, space-separated.
  [[nodiscard]] std::string found(const Attachment& attachment = {"c1", "eth0"}) {
    std::string names;
    for (const auto& file : scanned().find(attachment)) {
      names += (names.empty() ? "" : " ") + file.name;
    }
    return names;
  }
  [[nodiscard]] std::string holder(const std::string& address) {
    return scanned().holder(ip(address)).value_or("nobody");
  }

 private:
  test::TempDir dir_;
  allocator::store::PosixFileSystem fs_;
};

}  // namespace

TEST_CASE("white space around an owner does not matter, inside it does", "[network_dir]") {
  const auto [content, ours] = GENERATE(table<std::string, bool>({
      {"c1\r\neth0", true},
      {" c1\r\neth0\n", true},
      {"c1\r\neth0\r\n", true},
      {"\tc1  ", true},
      {"c1", true},
      {"c1\r\n", true},
      {"\u00a0c1\r\neth0\u00a0", true},
      {"\u0085\u2003c1\r\neth0\u3000\n", true},
      {"c1\neth0", false},
      {"c1 \r\neth0", false},
      {"c1\r\neth1", false},
      {"c1\r\n eth0", false},
      {"c1\r\neth0 x", false},
      {"C1\r\neth0", false},
      {"c12\r\neth0", false},
      {"c1\r\neth01", false},
      {"c1\0\r\neth0", true},
      {"", false},
      {" \r\n", false},
      {std::string("c1\r\neth0\0", 9), false},
      {"\xa0"
       "c1",
       false},
  }));
  Folder folder;
  folder.write("10.0.0.2", content);
  INFO("content " << content);
  CHECK(folder.found() == (ours ? "10.0.0.2" : ""));
}

TEST_CASE("files of the old format count only where there is none with the ifname",
          "[network_dir]") {
  Folder folder;
  folder.write("10.0.0.2", "c1");
  folder.write("10.0.0.3", "c1\r\neth0");
  folder.write("10.0.0.4", "c1\r\neth1");
  CHECK(folder.found() == "10.0.0.3");
  CHECK(folder.found({"c1", "eth1"}) == "10.0.0.4");
  CHECK(folder.found({"c1", "eth2"}) == "10.0.0.2");
}

TEST_CASE("the duplicate check sees both formats and every spelling of an address",
          "[network_dir]") {
  Folder folder;
  folder.write("10.0.0.2", "c1");
  folder.write("10.0.0.3", "c1\r\neth0");
  folder.write("10.0.0.4", "c1\r\neth1");
  folder.write("2001:DB8::5", "c1\r\neth0");
  folder.write("notes", "c1\r\neth0");
  CHECK(test::joined(folder.scanned().claimed_by({"c1", "eth0"})) ==
        "10.0.0.2 10.0.0.3 2001:db8::5");
}

TEST_CASE("a file of any name can belong to an attachment, but not the lock and the cursors",
          "[network_dir]") {
  Folder folder;
  for (const char* name :
       {"lock", "last_reserved_ip.0", "last_reserved_ip.x", "10.0.0.9", "notes"}) {
    folder.write(name, "c1\r\neth0");
  }
  CHECK(folder.found() == "10.0.0.9 notes");
}

TEST_CASE("only the canonical spelling of an address reserves it", "[network_dir]") {
  Folder folder;
  for (const char* name :
       {"010.0.0.2", "2001:DB8::2", "2001:db8:0::2", "10.0.0.3 ", "::ffff:10.0.0.4"}) {
    folder.write(name, "x\r\neth0");
  }
  folder.write("10.0.0.5", "x\r\neth0");
  for (const char* free : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8::2"}) {
    CHECK(folder.holder(free) == "nobody");
  }
  CHECK(folder.holder("10.0.0.5") == "x eth0");
}

TEST_CASE("whatever has the name of an address reserves it", "[network_dir]") {
  Folder folder;
  folder.write("10.0.0.2", "");
  folder.write("10.0.0.3", "old-format");
  std::filesystem::create_directory(folder.path("10.0.0.4"));
  std::filesystem::create_symlink("nowhere", folder.path("10.0.0.5"));
  folder.write("elsewhere", "c1\r\neth0");
  std::filesystem::create_symlink("elsewhere", folder.path("10.0.0.6"));
  REQUIRE(::mkfifo(folder.path("10.0.0.7").c_str(), 0600) == 0);
  CHECK(folder.holder("10.0.0.2") == "an unknown owner");
  CHECK(folder.holder("10.0.0.3") == "old-format");
  for (const char* odd : {"10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"}) {
    CHECK(folder.holder(odd) == "an unknown owner");
  }
  CHECK(folder.found() == "elsewhere");
}

TEST_CASE("files in a folder inside the network folder are not looked at", "[network_dir]") {
  Folder folder;
  folder.write("sub/10.0.0.2", "c1\r\neth0");
  CHECK(folder.holder("10.0.0.2") == "nobody");
  CHECK(folder.found().empty());
}

TEST_CASE("a padded owner counts, a mebibyte of anything names nobody", "[network_dir]") {
  Folder folder;
  folder.write("10.0.0.2", "c1\r\neth0" + std::string(5000, ' '));
  folder.write("10.0.0.3", std::string(1 << 20, 'x'));
  CHECK(folder.scanned().files().back().owner.empty());
  CHECK(folder.holder("10.0.0.2") == "c1 eth0");
  CHECK(folder.holder("10.0.0.3") == "an unknown owner");
}

TEST_CASE("a cursor counts as host-local reads it", "[network_dir]") {
  const auto [content, cursor] = GENERATE(table<std::string, std::string>({
      {"10.0.0.4", "10.0.0.4"},
      {"2001:db8::4", "2001:db8::4"},
      {"::ffff:10.0.0.4", "10.0.0.4"},
      {"10.0.0.4\n", "none"},
      {" 10.0.0.4", "none"},
      {"010.0.0.4", "none"},
      {"10.0.0", "none"},
      {"", "none"},
      {"garbage", "none"},
      {std::string(5000, '1'), "none"},
  }));
  Folder folder;
  folder.write("last_reserved_ip.0", content);
  NetworkDir network = folder.scanned();
  const auto found = network.cursor(0);
  INFO("content " << content);
  CHECK((found ? found->to_string() : "none") == cursor);
  CHECK_FALSE(network.cursor(1).has_value());
}

TEST_CASE("a cursor that is a folder or a link is none, and cannot be written", "[network_dir]") {
  Folder folder;
  std::filesystem::create_directory(folder.path("last_reserved_ip.0"));
  folder.write("outside", "keep");
  std::filesystem::create_symlink("outside", folder.path("last_reserved_ip.1"));
  NetworkDir network = folder.scanned();
  CHECK_FALSE(network.cursor(0).has_value());
  CHECK_FALSE(network.cursor(1).has_value());
  network.write_cursor(0, ip("10.0.0.2"));
  network.write_cursor(1, ip("10.0.0.2"));
  CHECK(test::read_text(folder.path("outside")) == "keep");
}

TEST_CASE("a cursor is written over a longer one without a rest", "[network_dir]") {
  Folder folder;
  folder.write("last_reserved_ip.3", "2001:db8:1:2:3:4:5:6");
  NetworkDir network = folder.scanned();
  network.write_cursor(3, ip("10.0.0.2"));
  CHECK(test::read_text(folder.path("last_reserved_ip.3")) == "10.0.0.2");
}

TEST_CASE("an owner text names container and ifname", "[network_dir]") {
  using allocator::store::owner_text;
  using allocator::store::parse_owner;
  CHECK(owner_text({"c1", "eth0"}) == "c1\r\neth0");
  CHECK(parse_owner("c1\r\neth0") == Attachment{"c1", "eth0"});
  CHECK(parse_owner("c1") == Attachment{"c1", ""});
}
