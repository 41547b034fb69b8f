// What `gc` believes: which pods there are, and what was seen before.
#include <string>
#include <vector>

#include "shim/cli/change/gc/pod_lists.hpp"
#include "shim/cli/change/gc/seen.hpp"
#include "test/unit/catch.hpp"

using namespace shim::change;

namespace {

std::string listed(const std::string& text) {
  std::string names;
  for (const auto& pod : parse_pod_list(text)) names += (names.empty() ? "" : " ") + pod;
  return names;
}

/// Why a text is no list; empty when it is one.
std::string refused(const std::string& text) {
  try {
    parse_pod_list(text);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

const std::string kListedPod =
    R"({"kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}})";
const std::string kUntypedPod = R"({"metadata": {"name": "web-0", "namespace": "shop"}})";

std::string list_of(const std::string& kind, const std::string& items) {
  return R"({"apiVersion": "v1", "kind": ")" + kind + R"(", "items": [)" + items + "]}";
}

Grace grace(const std::string& boot8, std::uint64_t uptime) {
  return {{boot8, uptime}, {"b0070001", "b0070002"}, 3600};
}

std::string text_of(const Wait& wait) {
  switch (wait.kind) {
    case Wait::Kind::seen_now:
      return "seen now";
    case Wait::Kind::waits:
      return "waits " + std::to_string(wait.minutes);
    case Wait::Kind::over:
      return "over";
  }
  return "";
}

}  // namespace

TEST_CASE("a list of pods is read as kubectl and crictl print it", "[gc]") {
  CHECK(listed(list_of("List", kListedPod)) == "shop/web-0");
  CHECK(listed(list_of("PodList", kUntypedPod)) == "shop/web-0");
  CHECK(listed(list_of("PodList", kListedPod + ", " + kListedPod)) == "shop/web-0 shop/web-0");
  CHECK(listed(R"({"items": [{"id": "f3", "state": "SANDBOX_NOTREADY",
                   "metadata": {"name": "web-0", "namespace": "shop", "uid": "u"}}]})") ==
        "shop/web-0");
  // What a pod's author writes into it is no name of it.
  CHECK(listed(list_of("List", R"({"kind": "Pod",
        "spec": {"metadata": {"name": "a"}, "items": [{}]},
        "metadata": {"annotations": {"name": "b"}, "ownerReferences": [{"name": "c"}],
                     "name": "web-0", "namespace": "shop", "labels": {"namespace": "d"}}})")) ==
        "shop/web-0");
}

TEST_CASE("what is no whole list of pods says nothing", "[gc]") {
  CHECK(refused("") == "unexpected end of JSON input");
  CHECK(refused(list_of("List", kListedPod).substr(0, 60)) == "unexpected end of JSON input");
  const std::string is_none = "is no list of pods";
  for (const char* text :
       {"[]", "1", "{}", R"({"kind": "List"})", R"({"kind": "List", "items": {}})",
        R"({"kind": "List", "items": null})"})
    CHECK(refused(text).starts_with(is_none));
  CHECK(refused(kListedPod).starts_with(is_none));
  CHECK(refused(list_of("NodeList", kListedPod)).starts_with(is_none));
  CHECK(refused(list_of("List", "")) == "there is no pod in it");
  CHECK(refused(R"({"items": []})") == "there is no pod in it");
  const std::string second = "item 1 is no pod";
  for (const char* item :
       {R"({"kind": "Service", "metadata": {"name": "a", "namespace": "b"}})",
        R"({"metadata": {"name": "a", "namespace": "b"}})", R"({"kind": "Pod"})",
        R"({"kind": "Pod", "metadata": {"name": "a"}})", R"({"kind": "Pod", "metadata": []})",
        R"({"kind": "Pod", "metadata": {"name": "", "namespace": "b"}})",
        R"({"kind": "Pod", "metadata": {"name": 1, "namespace": "b"}})", "1", "null"}) {
    INFO(item);
    CHECK(refused(list_of("List", kListedPod + ", " + item)).starts_with(second));
  }
  CHECK(refused(R"({"items": [)" + kUntypedPod + "]}").starts_with("item 0 is no pod"));
  CHECK(refused(R"({"kind": "PodList", "metadata": {"continue": "more"}, "items": [)" + kListedPod +
                "]}")
            .starts_with("is a part of a list"));
}

TEST_CASE("YurtHub's copy of a pod names it", "[gc]") {
  CHECK_NOTHROW(require_pod(kListedPod, "shop/web-0"));
  CHECK_THROWS_AS(require_pod(kListedPod, "shop/web-1"), NoPods);
  CHECK_THROWS_AS(require_pod(kUntypedPod, "shop/web-0"), NoPods);
  CHECK_THROWS(require_pod(kListedPod.substr(0, 40), "shop/web-0"));
}

TEST_CASE("a log folder names its pod", "[gc]") {
  CHECK(pod_of_log_folder("shop_web-0_11-22") == "shop/web-0");
  for (const char* name : {"", "lost+found", "shop_web-0", "_web-0_11", "shop__11", "a_b_c_d"})
    CHECK(pod_of_log_folder(name).empty());
}

TEST_CASE("a candidate waits for the grace in one boot, and no longer than to the next", "[gc]") {
  const Seen seen = {{"x", {"b0070002", 1000}}};
  const auto wait = [&](const std::string& boot8, std::uint64_t uptime) {
    return text_of(wait_of(seen, "x", grace(boot8, uptime)));
  };
  CHECK(text_of(wait_of(seen, "y", grace("b0070002", 9000))) == "seen now");
  CHECK(wait("b0070002", 1000) == "waits 60");
  CHECK(wait("b0070002", 1001) == "waits 60");
  CHECK(wait("b0070002", 4599) == "waits 1");
  CHECK(wait("b0070002", 4600) == "over");
  CHECK(wait("b0070003", 0) == "over");
  CHECK(wait("b0070002", 999) == "seen now");
  CHECK(wait("", 9000) == "seen now");
  const Seen others = {{"x", {"deadbeef", 0}}, {"y", {"", 0}}};
  CHECK(text_of(wait_of(others, "x", grace("b0070002", 9000))) == "seen now");
  CHECK(text_of(wait_of(others, "y", grace("b0070002", 9000))) == "seen now");
  CHECK(text_of(wait_of(others, "y", grace("", 9000))) == "seen now");
}

TEST_CASE("what was seen is read as it was written, or not at all", "[gc]") {
  const Seen seen = {{"attachment c1 eth0", {"b0070001", 0}},
                     {"binding a/\"\\\u00e9 eth0 1", {"b0070002", 18446744073709551615U}}};
  const std::string text = print_seen(seen);
  const Seen read = parse_seen(text);
  REQUIRE(read.size() == 2);
  for (const auto& [candidate, first] : seen) {
    CHECK(read.at(candidate).boot8 == first.boot8);
    CHECK(read.at(candidate).uptime == first.uptime);
  }
  CHECK(print_seen(read) == text);
  CHECK(parse_seen(print_seen({})).empty());
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    CHECK(parse_seen(text.substr(0, length)).empty());
  for (const char* odd : {R"({"seen": [{"candidate": "x", "boot": "b0070001"}]})", "[]", "{}",
                          R"({"seen": [{"candidate": 1, "boot": "b0070001", "uptime": 1}]})",
                          R"({"seen": [{"candidate": "x", "boot": "b0070001", "uptime": "1"}]})"})
    CHECK(parse_seen(odd).empty());
}

TEST_CASE("what was seen has a bound, and the first of them stay", "[gc]") {
  Seen seen;
  for (int number = 100000; number < 130000; ++number)
    seen["binding shop/web-" + std::to_string(number) + " eth0 1.0.b0070001"] = {"b0070001", 7};
  const std::string text = print_seen(seen);
  CHECK(text.size() <= kSeenLimit);
  const Seen read = parse_seen(text);
  CHECK(read.size() > 8000);
  CHECK(read.size() < seen.size());
  CHECK(read.contains("binding shop/web-100000 eth0 1.0.b0070001"));
  CHECK(print_seen(read) == text);
}
