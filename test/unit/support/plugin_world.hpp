#pragma once
/// The whole plugin in process: environment and stdin in, exit code, stdout and stderr out. All
/// state lies in a temporary folder; what the plugin keeps in /run is redirected there.
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "delegate/process.hpp"
#include "shim/cni/plugin.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"

namespace test {

struct Answer {
  int exit_code = -1;
  std::string out;
  std::string err;

  /// The addresses of a result, "10.1.2.2/24 gw 10.1.2.1" each, separated by ", ".
  [[nodiscard]] std::string addresses(const std::string& version) const {
    std::string text;
    for (const auto& ip : result(version).ips) {
      text +=
          (text.empty() ? "" : ", ") + ip.address->to_string() + " gw " + ip.gateway->to_string();
    }
    return text;
  }
  [[nodiscard]] shim::Result result(const std::string& version) const {
    return shim::newest_form(shim::read_result(out, version));
  }
  /// "7 missing network name" of an error, "" of a success.
  [[nodiscard]] std::string error() const {
    if (exit_code == 0) return {};
    const auto document = shim::parse_json(out);
    return std::to_string(document.at("code").get<int>()) + " " +
           document.at("msg").get<std::string>();
  }
};

class PluginWorld {
 public:
  PluginWorld() { fs.redirections = {{"/run/delegated-ipam", dir_.file("run")}}; }

  /// A configuration whose state lies in this world; `ipam` are further members, `more` stand
  /// beside it.
  [[nodiscard]] std::string conf(const std::string& version, const std::string& ipam,
                                 const std::string& name = "mynet",
                                 const std::string& more = "") const {
    return R"({"cniVersion": ")" + version + R"(", "name": ")" + name +
           R"(", "type": "bridge", "ipam": {"type": "delegated-ipam", "dataDir": ")" + data_dir() +
           R"(", "stateDir": ")" + dir_.file("state") + "\", " + ipam + "}" +
           (more.empty() ? "" : ", ") + more + "}";
  }

  Answer run(const std::string& command, const std::string& conf,
             const std::string& container_id = "dummy", const std::string& ifname = "eth0",
             const std::string& args = "") {
    variables["CNI_COMMAND"] = command;
    variables["CNI_CONTAINERID"] = container_id;
    variables["CNI_IFNAME"] = ifname;
    variables["CNI_ARGS"] = args;
    Answer answer;
    const shim::PluginIo io{[this](const char* name) -> const char* {
                              const auto found = variables.find(name);
                              return found == variables.end() ? nullptr : found->second.c_str();
                            },
                            [&](std::size_t) { return conf; },
                            [&](std::string_view text) {
                              if (stdout_is_full) {
                                throw std::system_error(ENOSPC, std::generic_category(),
                                                        "write the answer");
                              }
                              answer.out += text;
                            },
                            [&](std::string_view text) { answer.err += text; }, &no_variables};
    answer.exit_code = shim::run_plugin(io, fs, processes);
    return answer;
  }

  [[nodiscard]] std::string data_dir() const { return dir_.file("networks"); }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
  /// A file of a network's folder; "(missing)" where there is none.
  [[nodiscard]] std::string network_file(const std::string& network,
                                         const std::string& name) const {
    const std::string path = data_dir() + "/" + network + "/" + name;
    return exists(path) ? read_text(path) : "(missing)";
  }

  HookedFileSystem fs;
  delegate::PosixProcessRunner processes;
  const char* no_variables = nullptr;
  std::map<std::string, std::string> variables = {{"CNI_NETNS", "/some/where"},
                                                  {"CNI_PATH", "/some/where"}};
  bool stdout_is_full = false;

 private:
  TempDir dir_;
};

}  // namespace test
