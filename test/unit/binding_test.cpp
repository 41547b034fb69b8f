#include "allocator/binding.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/random.hpp"
#include "test/unit/support/values.hpp"

using allocator::Address;
using allocator::Binding;
using allocator::decode_binding;
using allocator::decode_hint;
using allocator::encode;
using allocator::escape;
using allocator::PodHint;
using allocator::PodKey;
using allocator::RecordState;
using allocator::unescape;

namespace {

constexpr int kRounds = 5000;

Address random_address(test::Random& random) {
  if (random.coin())
    return {allocator::Family::v4, std::uint64_t{random.below(65536)} << 16U | random.below(65536)};
  // Not below 2^112: no IPv4-mapped address, which would come back as IPv4.
  const auto high = (allocator::Uint128{1 + random.below(65535)}) << 112;
  return {allocator::Family::v6, high | random.below(~std::size_t{0})};
}

PodKey random_pod(test::Random& random, std::size_t longest) {
  return {random.nasty_text(longest), random.nasty_text(longest), random.nasty_text(15)};
}

std::vector<Address> random_addresses(test::Random& random) {
  std::vector<Address> addresses;
  for (std::size_t count = random.below(9); count > 0; --count) {
    addresses.push_back(random_address(random));
  }
  return addresses;
}

}  // namespace

TEST_CASE("a binding is written as the design draws it", "[binding]") {
  const Binding binding{{"kube-system", "dns-0", "eth0"}, "uid-1", 42, 3, "1234abcd"};
  CHECK(encode(binding) == "1~kube-system~dns-0~eth0~uid-1~42~3~1234abcd");
}

TEST_CASE("a hint is written as the design draws it", "[binding]") {
  CHECK(encode(PodHint{test::ips({"10.1.2.3", "2001:db8::2"}), test::ips({"10.1.2.9"})}) ==
        "1~10.1.2.3,2001:db8::2~10.1.2.9");
  CHECK(encode(PodHint{}) == "1~~");
}

TEST_CASE("a binding is read as it was written", "[binding][property]") {
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < kRounds; ++round) {
    const Binding binding{random_pod(random, 300), random.nasty_text(50),
                          random.below(~std::size_t{0}), random.below(1000), random.nasty_text(8)};
    const std::string record = encode(binding);
    INFO("record " << record);
    REQUIRE(std::count(record.begin(), record.end(), '~') == 7);
    REQUIRE(decode_binding(record) == binding);
    REQUIRE(allocator::state_of_record(record) == RecordState::valid);
  }
}

TEST_CASE("a hint is read as it was written, with and without the pod's names behind it",
          "[binding][property]") {
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < kRounds; ++round) {
    const PodHint hint{random_addresses(random), random_addresses(random)};
    const std::string record = encode(hint);
    INFO("record " << record);
    REQUIRE(decode_hint(record) == hint);
    const std::string names = "~" + escape(random.nasty_text(9)) + "~" +
                              escape(random.nasty_text(9)) + "~" + escape(random.nasty_text(9));
    REQUIRE(decode_hint(record + names) == hint);
  }
}

TEST_CASE("numbers keep their whole range", "[binding]") {
  const Binding binding{{"a", "b", "c"}, "", 18446744073709551615U, 18446744073709551615U, ""};
  CHECK(decode_binding(encode(binding)) == binding);
}

TEST_CASE("escaped text comes back, is plain, and differs for different texts",
          "[binding][property]") {
  test::Random random;
  INFO(test::Random::note());
  std::set<std::string> texts;
  std::set<std::string> escapes;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = random.nasty_text(40);
    const std::string escaped = escape(text);
    REQUIRE(unescape(escaped) == text);
    REQUIRE(escaped.empty() == text.empty());
    REQUIRE(escaped.find_first_of("~/_@:,\r\n ") == std::string::npos);
    texts.insert(text);
    escapes.insert(escaped);
  }
  CHECK(texts.size() == escapes.size());
}

TEST_CASE("every byte is escaped in one way only", "[binding]") {
  for (int byte = 1; byte <= 255; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const std::string escaped = escape(text);
    INFO("byte " << byte << ", escaped " << escaped);
    CHECK(unescape(escaped) == text);
    CHECK((escaped == text || (escaped.size() == 3 && escaped[0] == '%')));
  }
}

TEST_CASE("what escape does not make is not unescaped", "[binding]") {
  const std::string text = GENERATE(values<std::string>(
      {"%", "%2", "a%", "%zz", "%2f", "%41", "%2E", "a/b", "a~b", "a_b", " ", "%%20"}));
  INFO("text " << text);
  CHECK_FALSE(unescape(text).has_value());
}

TEST_CASE("different pods have different keys", "[binding][property]") {
  test::Random random;
  INFO(test::Random::note());
  std::set<std::string> pods;
  std::set<std::string> keys;
  for (int round = 0; round < kRounds; ++round) {
    const PodKey pod = random_pod(random, 6);
    pods.insert(pod.pod_namespace + '\0' + pod.pod_name + '\0' + pod.ifname);
    keys.insert(allocator::key_text(pod));
  }
  CHECK(pods.size() == keys.size());
}

TEST_CASE("names that only join alike have different keys", "[binding]") {
  CHECK(allocator::key_text({"a_b", "c", "e"}) != allocator::key_text({"a", "b_c", "e"}));
  CHECK(allocator::key_text({"a", "b@c", "d"}) != allocator::key_text({"a", "b", "c@d"}));
  CHECK(allocator::key_text({"a", "", "e"}) != allocator::key_text({"", "a", "e"}));
  CHECK(allocator::key_text({"A", "b", "e"}) != allocator::key_text({"a", "b", "e"}));
}

TEST_CASE("a damaged binding is none", "[binding]") {
  const std::string record = GENERATE(values<std::string>(
      {"", "1", "1~a~b~c~d~1~2", "1~a~b~c~d~1~2~e~f", "1~a~b~c~d~x~2~e", "1~a~b~c~d~1~-2~e",
       "1~a~b~c~d~~2~e", "1~a~b~c~d~18446744073709551616~2~e", "1~a b~b~c~d~1~2~e",
       "0~a~b~c~d~1~2~e", "2~a~b~c~d~1~2~e", "1~a~b~c~d~1 ~2~e"}));
  INFO("record " << record);
  CHECK_FALSE(decode_binding(record).has_value());
}

TEST_CASE("a damaged hint is none", "[binding]") {
  const std::string record =
      GENERATE(values<std::string>({"", "1", "1~", "1~10.0.0.1", "1~10.0.0.1,~", "1~10.0.0.256~",
                                    "1~,~", "1~~~", "1~~~a~b", "2~10.0.0.1~", "1~10.0.0.1~x"}));
  INFO("record " << record);
  CHECK_FALSE(decode_hint(record).has_value());
}

TEST_CASE("a record of a later version is told from a damaged one", "[binding]") {
  const auto [record, state] = GENERATE(table<std::string, RecordState>({
      {"1~a~b~c~d~1~2~e", RecordState::valid},
      {"2~", RecordState::newer_format},
      {"2~whatever", RecordState::newer_format},
      {"17~a~b", RecordState::newer_format},
      {"", RecordState::malformed},
      {"2", RecordState::malformed},
      {"x~", RecordState::malformed},
      {"0~a", RecordState::malformed},
      {"-2~a", RecordState::malformed},
      {"~a", RecordState::malformed},
  }));
  INFO("record " << record);
  CHECK(allocator::state_of_record(record) == state);
}
