#include "shim/cni/plugin.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "delegate/environment.hpp"
#include "shim/cni/conf/head.hpp"
#include "shim/cni/conf/wanted_members.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/protocol/log.hpp"
#include "shim/cni/protocol/stdin_reader.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/verbs/built_in.hpp"
#include "shim/cni/verbs/delegate_verbs.hpp"

namespace shim {
namespace {

struct Verb {
  std::string_view name;
  void (*run)(const Command&);
  void (*delegate)(const Command&);
};

/// What an ordinary command opens once, and far below the least limit of descriptors.
constexpr unsigned kLeftOpen = 16;

constexpr std::array<Verb, 5> kVerbs = {{
    {"ADD", &run_add, &delegate_add},
    {"DEL", &run_del, &delegate_del},
    {"CHECK", &run_check, &delegate_check},
    {"GC", &run_gc, &delegate_gc},
    {"STATUS", &run_status, &delegate_status},
}};

const Verb& find_verb(const std::string& command) {
  for (const auto& verb : kVerbs) {
    if (verb.name == command) return verb;
  }
  throw CniError(ErrorCode::invalid_environment, "unknown CNI_COMMAND: " + cut(command));
}

Json parse_configuration(const std::string& text, const Wanted& wanted) {
  try {
    return parse_json(text, wanted);
  } catch (const JsonSyntaxError& error) {
    throw CniError(ErrorCode::decoding_failure,
                   std::string("error unmarshall network config: ") + error.what());
  }
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// containerd's CNI library takes a DEL error with these words for success and would forget the
/// address.
void keep_del_error_visible(std::string& text) {
  replace_all(text, "no such file or directory", "file is missing");
  replace_all(text, "not found", "missing");
}

/// The command in progress: it knows what an error must be reported with.
class PluginRun {
 public:
  PluginRun(const PluginIo& io, allocator::store::FileSystem& fs,
            delegate::ProcessRunner& processes)
      : io_(io), fs_(fs), processes_(processes) {}

  int run() noexcept {
    try {
      run_command();
      return 0;
    } catch (...) {
      report(to_cni_error(std::current_exception()));
      return 1;
    }
  }

 private:
  void run_command() {
    command_ = requested_command(io_.variables).value_or("");
    const Environment environment = read_environment(io_.variables);
    subject_ = " " + environment.container_id + "/" + environment.ifname;
    if (command_ == "VERSION") {
      io_.write_stdout(version_report());
      return;
    }
    const bool is_late = command_ == "DEL" || command_ == "GC" || command_ == "CHECK";
    const std::string text = io_.read_stdin(is_late ? kReleaseStdinLimit : kStdinLimit);
    Json document = parse_configuration(text, wanted_by(command_));
    remember_version(document);
    ConfHead head;
    head.name = read_name(document);
    subject_ += " net=" + head.name;
    const Verb& verb = find_verb(command_);
    head.cni_version = read_cni_version(document);
    require_verb(head.cni_version, verb.name);
    require_supported(head.cni_version);
    refuse_self();
    const bool releases = command_ == "DEL" || command_ == "GC";
    head.choice = delegate_choice(document, releases ? Strictness::lenient : Strictness::strict);
    if (head.choice.is_built_in) {
      fs_.leave_open(kLeftOpen);
    } else {
      document = parse_configuration(text, {});  // a delegate is given all that the runtime wrote
    }
    const auto run = head.choice.is_built_in ? verb.run : verb.delegate;
    run({environment, document, head, fs_, processes_, io_.all_variables, io_.write_stdout,
         io_.write_stderr, io_.wire});
  }

  /// A copy of this program that was made its own delegate would call itself for ever.
  void refuse_self() {
    if (io_.variables(delegate::kMarker) == nullptr) return;
    throw CniError(ErrorCode::invalid_config,
                   "/ipam/delegate/type names a copy of delegated-ipam; name the IPAM plugin that "
                   "is to hand out the addresses");
  }

  void remember_version(const Json& document) {
    const Json* version = find_member(document, "cniVersion");
    if (version == nullptr || !version->is_string()) return;
    const auto text = version->get<std::string>();
    if (is_supported(text)) error_version_ = text;
  }

  void report(const CniError& error) noexcept {
    try {
      std::string message = error.what();
      std::string details = error.details;
      if (command_ == "DEL") {
        if (!error.is_delegates) {
          keep_del_error_visible(message);
          keep_del_error_visible(details);
        }
        // It may be the only DEL that ever comes: Flannel asks once.
        send_to_syslog("DEL" + subject_ + " refused, code " +
                       std::to_string(static_cast<unsigned>(error.code)) + ": " + message);
      }
      if (!error.is_delegates) {
        message = cut(message, kShownLineLimit);
        details = cut(details, kShownLineLimit);
      }
      const CniError shown(error.code, message, details);
      io_.write_stderr("delegated-ipam: " + printable_line(cut(command_)) + " failed (code " +
                       std::to_string(static_cast<unsigned>(error.code)) +
                       "): " + printable_line(message) +
                       (details.empty() ? "" : ": " + printable_line(details)) +
                       (error.hint.empty() ? "" : " (" + printable_line(error.hint) + ")") + "\n");
      io_.write_stdout(print_error(shown, error_version_));
    } catch (const std::exception&) {
      // stdout or stderr is gone: the exit code is all that is left to tell with.
      return;
    }
  }

  const PluginIo& io_;
  allocator::store::FileSystem& fs_;
  delegate::ProcessRunner& processes_;
  std::string command_;
  std::string subject_;  // " c1/eth0 net=n", as far as it is known
  std::string error_version_{kNewestVersion};
};

}  // namespace

int run_plugin(const PluginIo& io, allocator::store::FileSystem& fs,
               delegate::ProcessRunner& processes) {
  return PluginRun(io, fs, processes).run();
}

std::string about_text() {
  return "CNI delegated-ipam plugin v" DELEGATED_IPAM_VERSION
         "\nCNI protocol versions supported: " +
         version_list() + "\n";
}

}  // namespace shim
