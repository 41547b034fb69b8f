// What is seen of a network by who changes nothing: whose each address is, what is odd, and what
// the next ADD would get.
#include "allocator/store/survey/survey.hpp"

#include "allocator/store/survey/reading_file_system.hpp"
#include "allocator/store/survey/survey_snapshot.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::boots_ago;
using allocator::store::Oddity;
using allocator::store::ReadingFileSystem;
using allocator::store::Survey;
using allocator::store::SurveyPlace;
using allocator::store::SurveySnapshot;
using test::ip;
using test::StoreWorld;

namespace {

Survey look(StoreWorld& world,
            const std::vector<allocator::store::CachedAttachment>* cached = nullptr) {
  ReadingFileSystem fs(world.fs, "");
  SurveyPlace place;
  place.network_dir = world.options.network_dir;
  place.state_dir = world.options.state_dir;
  place.run_dir = world.options.run_dir;
  place.boot_id_path = world.options.boot_id_path;
  place.cursors = world.sets.size();
  place.cached = cached;
  place.lock_patience = std::chrono::milliseconds(10);
  return survey(fs, place);
}

std::vector<Oddity::Kind> kinds(const Survey& seen) {
  std::vector<Oddity::Kind> found;
  for (const auto& oddity : seen.oddities) found.push_back(oddity.kind);
  return found;
}

/// What choose() finds by the survey alone, for a pod whose bindings are `bound`.
std::string foretold(StoreWorld& world, const Survey& seen, const std::string& name,
                     std::vector<allocator::Address> bound = {},
                     std::vector<allocator::Attachment> ended = {}) {
  allocator::Wish wish;
  wish.pod = test::pod(name);
  wish.bound = std::move(bound);
  SurveySnapshot snapshot(seen, std::move(ended));
  const auto choice = choose(world.sets, world.reservations, wish, snapshot);
  return choice.failure ? choice.failure->what() : choice.picks.front().address.to_string();
}

}  // namespace

TEST_CASE("a survey of nothing tells nothing, and makes nothing", "[survey]") {
  StoreWorld world;
  const Survey seen = look(world);
  CHECK_FALSE(seen.has_folder);
  CHECK_FALSE(seen.has_records);
  CHECK(seen.addresses.empty());
  CHECK(seen.oddities.empty());
  CHECK_FALSE(test::exists(world.options.run_dir));
  CHECK_FALSE(test::exists(world.options.state_dir));
}

TEST_CASE("what a reader meets is told, and not half of a folder", "[survey]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  const int error = GENERATE(EMFILE, EIO);
  const bool is_listed = GENERATE(false, true);
  world.fs.before = [&](const test::Call& call) {
    const bool is_it = is_listed
                           ? call.method == "read_file" && call.subject == "10.0.0.3"
                           : call.method == "list" && call.subject == world.options.network_dir;
    if (is_it) throw std::system_error(error, std::generic_category(), "fault");
  };
  if (error == EMFILE) {
    CHECK_THROWS_AS(look(world), std::system_error);
    return;
  }
  const auto seen = look(world);
  CHECK(kinds(seen) ==
        std::vector{is_listed ? Oddity::Kind::unreadable_file : Oddity::Kind::folder});
  CHECK(seen.find(ip("10.0.0.2"))->has_record);
}

TEST_CASE("a removed file of a sandbox that is there is told, unless it has been deleted",
          "[survey]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  const std::string alive = "//proc/self/ns/net";
  std::vector<allocator::store::CachedAttachment> cached(2);
  cached[0].attachment = {"c1", "eth0"};
  cached[0].pod = test::pod("web");
  cached[0].netns_path = alive;
  cached[0].addresses = {ip("10.0.0.2")};
  cached[1].attachment = {"c2", "eth0"};
  cached[1].netns_path = alive;
  cached[1].addresses = {ip("10.0.0.3")};
  const auto told = [&] {
    std::string text;
    for (const auto& one : look(world, &cached).oddities) {
      CHECK(one.kind == Oddity::Kind::lost_file);
      text += one.path.substr(one.path.rfind('/') + 1) + " " + one.why + "\n";
    }
    return text;
  };
  CHECK(told().empty());
  std::filesystem::remove(world.network_file("10.0.0.3"));
  std::filesystem::remove(world.network_file("10.0.0.2"));
  CHECK(told() == "10.0.0.2 " + test::pod("web").display() + "\n10.0.0.3 c2\n");
  cached[0].netns_path = "/gone";
  CHECK(told() == "10.0.0.3 c2\n");
  cached[0].netns_path = alive;
  world.release("c1", "eth0", test::pod("web"));
  CHECK(told() == "10.0.0.3 c2\n");
}

TEST_CASE("in use, held and dead are told apart", "[survey]") {
  StoreWorld world;
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c2", "eth0", test::pod("db"));
  Survey seen = look(world);
  const auto* web = seen.find(ip("10.0.0.2"));
  const auto* db = seen.find(ip("10.0.0.3"));
  REQUIRE((web != nullptr && db != nullptr));
  CHECK((web->is_in_use && web->is_bound_now() && !web->is_dead));
  CHECK((!db->is_in_use && !db->is_bound_now() && db->binding->sequence != 0));
  CHECK(seen.find(ip("10.0.0.4")) == nullptr);

  world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  seen = look(world);
  CHECK(seen.find(ip("10.0.0.2"))->is_dead);
  CHECK(boots_ago(seen, "11111111") == 1U);
  CHECK(boots_ago(seen, "22222222") == 0U);
  CHECK_FALSE(boots_ago(seen, "33333333"));
  CHECK_FALSE(boots_ago(seen, ""));
  CHECK_FALSE(test::exists(world.options.run_dir));  // as the reboot left it
}

TEST_CASE("what is odd is told, and costs itself only", "[survey]") {
  StoreWorld world;
  world.add("c1", "web");
  test::write_text(world.network_file("10.0.0.4"), std::string(3, '\0'));
  test::write_text(world.network_file("10.0.0.5"), "by hand");
  test::write_text(world.network_file("README"), "x");
  std::filesystem::create_directory(world.network_file("10.0.0.6"));
  test::write_text(world.network_file("net/10.0.0.3"), "c9\r\neth0");
  std::filesystem::create_symlink("1~torn", world.record_dir() + "/ip.10.0.0.5");
  std::filesystem::create_symlink("9~later", world.record_dir() + "/ip.10.0.0.6");
  const Survey seen = look(world);
  using Kind = Oddity::Kind;
  CHECK(kinds(seen) == std::vector<Kind>{Kind::malformed_record, Kind::closed_record,
                                         Kind::empty_file, Kind::note, Kind::no_regular_file,
                                         Kind::foreign_name, Kind::nested});
  CHECK(seen.find(ip("10.0.0.3"))->is_nested);
  for (const char* address : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"})
    CHECK(seen.find(ip(address))->is_in_use);
  CHECK(seen.find(ip("10.0.0.6"))->is_closed);
}

TEST_CASE("without the lock it is read all the same, and told", "[survey]") {
  StoreWorld world;
  world.add("c1", "web");
  const allocator::store::Fd other(::open(world.network_file("lock").c_str(), O_RDONLY));
  REQUIRE(::flock(other.number(), LOCK_EX) == 0);
  const Survey seen = look(world);
  CHECK(kinds(seen) == std::vector<Oddity::Kind>{Oddity::Kind::lock});
  CHECK(seen.addresses.size() == 1);
  std::filesystem::remove(world.network_file("lock"));
  std::filesystem::create_directory(world.network_file("lock"));
  CHECK(kinds(look(world)) == std::vector<Oddity::Kind>{Oddity::Kind::lock});
}

TEST_CASE("the next ADD is foretold from what was seen", "[survey]") {
  StoreWorld world;  // 10.0.0.2 to .6
  for (const char* name : {"a", "b", "c"}) world.add(name, name);
  world.release("b", "eth0", test::pod("b"));
  const Survey seen = look(world);
  CHECK(foretold(world, seen, "new") == "10.0.0.5");
  CHECK(foretold(world, seen, "b", {ip("10.0.0.3")}) == "10.0.0.3");
  CHECK(foretold(world, seen, "a", {ip("10.0.0.2")}) == "10.0.0.5");  // its sandbox lives
  CHECK(foretold(world, seen, "a", {ip("10.0.0.2")}, {{"a", "eth0"}}) == "10.0.0.2");
  world.add("d", "d");
  world.add("e", "e");
  CHECK(foretold(world, look(world), "new") == "10.0.0.3");  // held longest
  CHECK(world.add("n", "new") == "10.0.0.3");
  CHECK(test::contains(foretold(world, look(world), "x"), "no IP addresses available"));
}
