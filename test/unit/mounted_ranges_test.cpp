#include "shim/cli/install/mounted_ranges.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include "shim/cli/command.hpp"
#include "shim/cli/install/ranges_checksum.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using shim::mounted_ranges;
using test::Call;

namespace {

using Ranges = std::map<std::string, std::string>;

const Ranges kOld = {{"edge-1", "10.1.0.0/24\n"}, {"edge-2", "10.2.0.0/24\n"}};
const Ranges kNew = {{"edge-1", "10.9.0.0/24\nfd00:9::/64\n"}, {"edge-2", "10.2.0.0/24\n"}};

std::string checksum_of(const Ranges& ranges) {
  return shim::ranges_checksum({ranges.begin(), ranges.end()});
}

/// A ConfigMap in a volume, changed as kubelet does it: the new content beside the old one, `..data`
/// renamed to it, then links for new keys, and last the links of keys that are gone.
class Volume {
 public:
  explicit Volume(const Ranges& ranges) { change(ranges); }

  void change(const Ranges& ranges) {
    put_beside(ranges);
    rename();
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with("..") && ranges.count(name) == 0) std::filesystem::remove(entry.path());
    }
  }
  /// All but the last step: the links of keys that are gone lead nowhere.
  void put_beside(const Ranges& ranges) {
    content_ = "..content-" + std::to_string(++number_);
    std::filesystem::create_directory(file(content_));
    for (const auto& [node, text] : ranges) {
      test::write_text(file(content_ + "/" + node), text);
      if (!test::exists(file(node))) std::filesystem::create_symlink("..data/" + node, file(node));
    }
  }
  void rename() {
    std::filesystem::create_directory_symlink(content_, file("..data_tmp"));
    std::filesystem::rename(file("..data_tmp"), file("..data"));
  }
  [[nodiscard]] const std::string& path() const { return home_.path(); }
  [[nodiscard]] std::string file(const std::string& name) const { return home_.file(name); }

 private:
  test::TempDir home_;
  std::string content_;
  int number_ = 0;
};

std::string taken(const Volume& volume, const std::string& node,
                  const std::optional<std::string>& checksum) {
  test::HookedFileSystem fs;
  return mounted_ranges(fs, volume.path(), node, checksum);
}

/// Why it is refused; "" when it is not.
std::string refusal(test::HookedFileSystem& fs, const std::string& path, const std::string& node,
                    const std::optional<std::string>& checksum) {
  try {
    static_cast<void>(mounted_ranges(fs, path, node, checksum));
    return {};
  } catch (const shim::UsageError& error) {
    return error.what();
  }
}

std::string refusal(const Volume& volume, const std::string& node,
                    const std::optional<std::string>& checksum) {
  test::HookedFileSystem fs;
  return refusal(fs, volume.path(), node, checksum);
}

}  // namespace

TEST_CASE("mounted_ranges: a node's text from the content that has the checksum",
          "[mounted_ranges]") {
  const Volume volume(kNew);
  CHECK(taken(volume, "edge-1", checksum_of(kNew)) == kNew.at("edge-1"));
  CHECK(taken(volume, "edge-2", checksum_of(kNew)) == kNew.at("edge-2"));
}

TEST_CASE("mounted_ranges: without a checksum, of any content", "[mounted_ranges]") {
  Volume volume(kOld);
  CHECK(taken(volume, "edge-1", std::nullopt) == kOld.at("edge-1"));
  volume.change(kNew);
  CHECK(taken(volume, "edge-1", std::nullopt) == kNew.at("edge-1"));
  CHECK_THAT(refusal(volume, "edge-3", std::nullopt),
             StartsWith("--nodes-from: " + volume.file("edge-3") + " cannot be read; generate"));
}

TEST_CASE("mounted_ranges: without a checksum nobody looks at other nodes' files",
          "[mounted_ranges]") {
  const Volume volume(kOld);
  std::filesystem::create_directory(volume.file("edge-3"));
  test::HookedFileSystem fs;
  int reads = 0;
  fs.after = [&](const Call&) { ++reads; };
  CHECK(mounted_ranges(fs, volume.path(), "edge-1", std::nullopt) == kOld.at("edge-1"));
  CHECK(reads == 1);
}

TEST_CASE("mounted_ranges: the content of before is refused, the next one is taken",
          "[mounted_ranges]") {
  Volume volume(kOld);
  const auto said = refusal(volume, "edge-1", checksum_of(kNew));
  CHECK_THAT(said, StartsWith("--nodes-from: " + volume.path() + " has other ranges (" +
                              checksum_of(kOld) + ") than"));
  CHECK_THAT(said, Contains(checksum_of(kNew)) && Contains("apply the ConfigMaps"));
  // Its own range is the same, but the list of nodes is not the one that it was made for.
  CHECK_THAT(refusal(volume, "edge-2", checksum_of(kNew)), Contains("has other ranges"));
  volume.change(kNew);
  CHECK(taken(volume, "edge-1", checksum_of(kNew)) == kNew.at("edge-1"));
}

TEST_CASE("mounted_ranges: a node more, a node less, none: other ranges", "[mounted_ranges]") {
  Ranges more = kNew;
  more["edge-3"] = "10.3.0.0/24\n";
  const Ranges less = {{"edge-1", kNew.at("edge-1")}};
  for (const auto& other : {more, less, Ranges{}})
    CHECK_THAT(refusal(Volume(other), "edge-1", checksum_of(kNew)), Contains("has other ranges"));
}

TEST_CASE("mounted_ranges: a node that is not in the right content is told so",
          "[mounted_ranges]") {
  const Volume volume(kNew);
  CHECK(refusal(volume, "edge-7", checksum_of(kNew)) ==
        "--nodes-from: " + volume.file("edge-7") +
            " cannot be read; generate the ConfigMap again with this node in it");
}

TEST_CASE("mounted_ranges: kubelet replaces the content between two files: never half of each",
          "[mounted_ranges]") {
  const Ranges next = {{"edge-1", "10.2.0.0/24\n"}, {"edge-2", "10.1.0.0/24\n"}};
  const int files_read = GENERATE(0, 1, 2);
  const Ranges wanted = GENERATE(true, false) ? kOld : next;
  INFO("after " << files_read << " files, made for " << wanted.at("edge-1"));
  Volume volume(kOld);
  volume.put_beside(next);
  test::HookedFileSystem fs;
  int reads = 0;
  fs.before = [&](const Call& call) {
    if (call.method == "read_regular" && reads == files_read) volume.rename();
  };
  fs.after = [&](const Call& call) {
    if (call.method == "read_regular") ++reads;
  };
  const auto said = refusal(fs, volume.path(), "edge-1", checksum_of(wanted));
  const bool is_whole = files_read == 2 ? wanted == kOld : files_read == 0 && wanted == next;
  INFO(said);
  CHECK(said.empty() == is_whole);
}

TEST_CASE("mounted_ranges: a link to a key that has gone is no node", "[mounted_ranges]") {
  Volume volume(kOld);
  const Ranges less = {{"edge-1", kNew.at("edge-1")}};
  volume.put_beside(less);
  volume.rename();
  REQUIRE(test::exists(volume.file("edge-2")));
  CHECK(taken(volume, "edge-1", checksum_of(less)) == less.at("edge-1"));
}

TEST_CASE("mounted_ranges: what is no ConfigMap's key is told by its name", "[mounted_ranges]") {
  const Volume volume(kNew);
  SECTION("a folder") { std::filesystem::create_directory(volume.file("odd")); }
  SECTION("too large") { test::write_text(volume.file("odd"), std::string(4097, 'x')); }
  CHECK_THAT(refusal(volume, "edge-1", checksum_of(kNew)), StartsWith("--nodes-from: ") &&
                                                               Contains(volume.file("odd")) &&
                                                               Contains("only ConfigMaps"));
}

TEST_CASE("mounted_ranges: a disk's fault is told as it is", "[mounted_ranges]") {
  const Volume volume(kNew);
  test::HookedFileSystem fs;
  fs.before = [](const Call& call) {
    if (call.method == "read_regular")
      throw std::system_error(EIO, std::generic_category(), "read " + call.subject);
  };
  CHECK_THAT(refusal(fs, volume.path(), "edge-1", checksum_of(kNew)),
             Contains("Input/output error"));
}

TEST_CASE("mounted_ranges: a folder that is missing is told with the remedy", "[mounted_ranges]") {
  const Volume volume(kNew);
  test::HookedFileSystem fs;
  CHECK(refusal(fs, volume.file("none"), "edge-1", checksum_of(kNew)) ==
        "--nodes-from: " + volume.file("none") + " is missing; mount the ConfigMap there");
}

TEST_CASE("mounted_ranges: nothing is changed where they are mounted", "[mounted_ranges]") {
  const Volume volume(kNew);
  const std::string left_over =
      ".delegated-ipam.0123456789abcdef.new";  // of this product's writing
  test::write_text(volume.file(left_over), "10.3.0.0/24\n");
  Ranges all = kNew;
  all[left_over] = "10.3.0.0/24\n";
  const auto before = test::contents_of(volume.path());
  CHECK(taken(volume, "edge-1", checksum_of(all)) == kNew.at("edge-1"));
  CHECK(test::contents_of(volume.path()) == before);
}
