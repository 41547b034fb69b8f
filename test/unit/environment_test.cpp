#include "shim/cni/protocol/environment.hpp"

#include <map>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::cni_error;

namespace {

using Variables = std::map<std::string, std::string>;

shim::Environment read(const Variables& variables) {
  return shim::read_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

Variables complete(const std::string& command) {
  return {{"CNI_COMMAND", command},
          {"CNI_CONTAINERID", "c1"},
          {"CNI_NETNS", "/run/netns/x"},
          {"CNI_IFNAME", "eth0"},
          {"CNI_PATH", "/opt/cni/bin"}};
}

std::string error_of(const Variables& variables) {
  return cni_error([&] { read(variables); });
}

/// The complete environment of ADD with one variable changed.
std::string error_with(const std::string& name, const std::string& value) {
  auto variables = complete("ADD");
  variables[name] = value;
  return error_of(variables);
}

}  // namespace

TEST_CASE("the environment is read as it is", "[environment]") {
  auto variables = complete("ADD");
  variables["CNI_ARGS"] = "IgnoreUnknown=1";
  const auto environment = read(variables);
  CHECK(environment.command == "ADD");
  CHECK(environment.container_id == "c1");
  CHECK(environment.netns == "/run/netns/x");
  CHECK(environment.ifname == "eth0");
  CHECK(environment.args == "IgnoreUnknown=1");
  CHECK(environment.path == "/opt/cni/bin");
}

TEST_CASE("each command needs its own variables", "[environment]") {
  const auto [command, missing] = GENERATE(table<std::string, std::string>({
      {"ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"},
      {"CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"},
      {"DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"},
      {"GC", "CNI_PATH"},
      {"STATUS", "CNI_PATH"},
  }));
  const std::string error = "4: required env variables [" + missing + "] missing";
  CHECK(error_of({{"CNI_COMMAND", command}}) == error);
  Variables empty = complete(command);
  for (auto& [name, value] : empty) {
    if (name != "CNI_COMMAND") value.clear();
  }
  CHECK(error_of(empty) == error);
  CHECK(error_of(complete(command)) == "ok");
}

TEST_CASE("VERSION needs no other variable", "[environment]") {
  CHECK(error_of({{"CNI_COMMAND", "VERSION"}}) == "ok");
}

TEST_CASE("without a command we are not called as a plugin", "[environment]") {
  CHECK_FALSE(shim::requested_command([](const char*) -> const char* { return nullptr; }));
  CHECK_FALSE(shim::requested_command([](const char*) { return ""; }));
}

TEST_CASE("a variable that is there but invalid is reported before missing ones", "[environment]") {
  CHECK(error_of({{"CNI_COMMAND", "ADD"}, {"CNI_CONTAINERID", "-"}}) ==
        "4: invalid characters in containerID");
  CHECK(error_of({{"CNI_COMMAND", "ADD"}, {"CNI_IFNAME", "a/b"}}) ==
        "4: interface name contains / or : or whitespace characters");
  CHECK(error_of({{"CNI_COMMAND", "DEL"}, {"CNI_CONTAINERID", "-"}, {"CNI_IFNAME", "a/b"}}) ==
        "4: invalid characters in containerID");
}

TEST_CASE("a container ID is letters, digits and three signs, the first no sign", "[environment]") {
  const auto [id, valid] = GENERATE(table<std::string, bool>({
      {"c1", true},
      {"0a_B.c-9", true},
      {std::string(300, 'a'), true},
      {"_a", false},
      {".a", false},
      {"-a", false},
      {"a b", false},
      {" a", false},
      {"   dummy\n ", false},
      {"a/b", false},
      {"a\n", false},
      {"\u00e9", false},
  }));
  INFO("container ID " << id);
  CHECK(error_with("CNI_CONTAINERID", id) ==
        (valid ? "ok" : "4: invalid characters in containerID"));
}

TEST_CASE("an interface name is what Linux takes", "[environment]") {
  const std::string odd = "4: interface name contains / or : or whitespace characters";
  const auto [name, error] = GENERATE_COPY(table<std::string, std::string>({
      {"eth0", "ok"},
      {std::string(15, 'x'), "ok"},
      {"-", "ok"},
      {"\u00e9", "ok"},
      {std::string(16, 'x'), "4: interface name is too long"},
      {".", "4: interface name is . or .."},
      {"..", "4: interface name is . or .."},
      {"...", "ok"},
      {"a/b", odd},
      {"a:b", odd},
      {"a b", odd},
      {"a\tb", odd},
      {"a\u00a0b", odd},
      {"a\u2003b", odd},
      {"a\u0085", odd},
  }));
  INFO("interface name " << name);
  CHECK(error_with("CNI_IFNAME", name) == error);
}

TEST_CASE("an interface name that is too long says what is allowed", "[environment]") {
  auto variables = complete("ADD");
  variables["CNI_IFNAME"] = std::string(16, 'x');
  try {
    read(variables);
    FAIL("16 bytes were accepted");
  } catch (const shim::CniError& error) {
    CHECK(error.details == "interface name should be less than 16 characters");
  }
}

TEST_CASE("GC and STATUS do not look at the variables of an attachment", "[environment]") {
  auto variables = complete(GENERATE("GC", "STATUS", "VERSION"));
  variables["CNI_CONTAINERID"] = "-";
  variables["CNI_IFNAME"] = "a/b";
  CHECK(error_of(variables) == "ok");
}

TEST_CASE("a name that would lead out of its folder is no file's name", "[environment]") {
  for (const std::string name : {"a", "a.b", "...", "..a", "-", " ", "10-x.conflist"})
    CHECK(shim::is_file_name(name));
  for (const std::string name : {"", ".", "..", "/", "a/b", "../a", "a/", "/a"})
    CHECK_FALSE(shim::is_file_name(name));
  CHECK_FALSE(shim::is_file_name(std::string_view("a\0b", 3)));
}
