#include "shim/cni/verbs/delegate_caller.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/store/delegates/delegate_journal.hpp"
#include "delegate/environment.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim {
namespace {

/// The elements of CNI_PATH as the Go library shows them.
std::string path_list(std::string cni_path) {
  std::replace(cni_path.begin(), cni_path.end(), ':', ' ');
  return "[" + cni_path + "]";
}

std::string version_of_document(const Json& document) {
  const std::string version = read_cni_version(document);
  return version.empty() ? std::string(kOldestVersion) : version;
}

bool is_older(std::string_view left, std::string_view right) { return !at_least(left, right); }

/// The members of VERSION's answer.
/// Source: CNI spec 1.1.0 section 5 "Version".
std::vector<std::string> read_versions(const std::string& output) {
  std::vector<std::string> versions;
  try {
    const Json document = parse_json(output);
    const Json* list = find_member(document, "supportedVersions");
    if (list == nullptr && find_member(document, "cniVersion") != nullptr)
      return {"0.1.0", "0.2.0"};
    if (list == nullptr || !list->is_array()) return versions;
    for (const auto& version : *list) {
      const bool fits = version.is_string() && is_supported(version.get<std::string>());
      if (fits) versions.push_back(version.get<std::string>());
    }
  } catch (const JsonSyntaxError&) {
    versions.clear();
  }
  return versions;
}

/// `document` for a delegate that is older than the caller. Only CHECK needs a prevResult.
Json lowered(const Json& document, const std::string& version, std::string_view verb) {
  try {
    return in_version(document, version);
  } catch (const CniError&) {
    if (verb == "CHECK") throw;
  }
  Json without = document;
  set_member(without, "prevResult", nullptr);
  return in_version(std::move(without), version);
}

void replace_variable(std::vector<std::string>& environment, const std::string& name,
                      const std::string& value) {
  std::erase_if(environment,
                [&](const std::string& variable) { return variable.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

}  // namespace

DelegateCaller::DelegateCaller(const Command& command, const DelegateConf& conf)
    : command_(command),
      conf_(conf),
      found_(
          delegate::find_plugin(command.processes, conf.choice.names, command.environment.path)) {}

const delegate::Plugin& DelegateCaller::plugin() const {
  if (found_.plugin) return *found_.plugin;
  if (found_.ourselves) {
    throw CniError(ErrorCode::invalid_config,
                   "/ipam/delegate/type: " + go_quoted(conf_.type) + " is delegated-ipam itself (" +
                       *found_.ourselves +
                       "); name the IPAM plugin that is to hand out the addresses, or use "
                       "the built-in \"host-local\" without inProcess");
  }
  throw CniError(ErrorCode::internal, "failed to find plugin " + go_quoted(conf_.type) +
                                          " in path " + path_list(command_.environment.path));
}

DelegateAnswer DelegateCaller::run(const std::vector<std::string>& environment,
                                   const std::string& input, Clock::time_point deadline) {
  const auto started = Clock::now();
  auto outcome = command_.processes.run({plugin().path, environment, input, deadline});
  if (succeeded(outcome)) return {std::move(outcome.output), {}};
  throw failure_of(outcome, plugin().path,
                   std::chrono::duration_cast<std::chrono::milliseconds>(deadline - started));
}

DelegateAnswer DelegateCaller::run_in(const std::string& version, const Call& call) {
  auto environment = delegate::delegate_environment(command_.variables, call.verb);
  if (call.other != nullptr) {
    replace_variable(environment, "CNI_CONTAINERID", call.other->container_id);
    replace_variable(environment, "CNI_IFNAME", call.other->ifname);
    replace_variable(environment, "CNI_NETNS", "");
    replace_variable(environment, "CNI_ARGS", "");
  }
  const bool is_lowered = version != version_of_document(call.document);
  DelegateAnswer answer =
      run(environment,
          print_json(is_lowered ? lowered(call.document, version, call.verb) : call.document),
          call.deadline);
  answer.sent_version = version;
  return answer;
}

DelegateAnswer DelegateCaller::run_in_its_version(const Call& call) {
  const std::string wanted = version_of_document(call.document);
  const std::string known = best_version(remembered(), wanted);
  const std::string version = known.empty() ? wanted : known;
  try {
    return run_in(version, call);
  } catch (const DelegateFailure& failure) {
    if (failure.code != ErrorCode::incompatible_version) throw;
    // A program may be the front of another, which is replaced without it.
    const auto spoken = known.empty() ? versions(call.deadline) : ask_for_versions(call.deadline);
    const std::string best = best_version(spoken, wanted);
    if (best.empty() || best == version || is_older(best, first_version_with(call.verb))) throw;
    return run_in(best, call);
  }
}

DelegateAnswer DelegateCaller::call(std::string_view verb, const Json& document,
                                    Clock::time_point deadline) {
  return run_in_its_version({verb, document, deadline, nullptr});
}

void DelegateCaller::release(Clock::time_point deadline,
                             const std::optional<allocator::Attachment>& other) {
  Json document = conf_.document;
  if (other) {
    for (const char* key : {"prevResult", "runtimeConfig"}) {
      if (find_member(document, key) != nullptr) set_member(document, key, nullptr);
    }
  }
  static_cast<void>(run_in_its_version({"DEL", document, deadline, other ? &*other : nullptr}));
}

std::vector<std::string> DelegateCaller::remembered() {
  return allocator::store::known_versions(command_.fs, allocator::store::StoreOptions{}.run_dir,
                                          {plugin().path, plugin().version.device,
                                           plugin().version.inode, plugin().version.modified_ns});
}

void DelegateCaller::remember(const std::vector<std::string>& versions) {
  // Somebody may have replaced the file meanwhile: then it is not known whose answer it was.
  const auto now = command_.processes.identify(plugin().path);
  if (!now || !now->same_file(plugin().version) || now->modified_ns != plugin().version.modified_ns)
    return;
  allocator::store::remember_versions(command_.fs, allocator::store::StoreOptions{}.run_dir,
                                      {plugin().path, now->device, now->inode, now->modified_ns},
                                      versions);
}

std::vector<std::string> DelegateCaller::versions(Clock::time_point deadline) {
  if (told_) return *told_;
  auto known = remembered();
  return known.empty() ? ask_for_versions(deadline) : known;
}

std::vector<std::string> DelegateCaller::ask_for_versions(Clock::time_point deadline) {
  if (told_) return *told_;
  std::vector<std::string> versions;
  const Json question = {{"cniVersion", kNewestVersion}};
  try {
    versions = read_versions(
        run(delegate::version_environment(command_.variables), question.dump(), deadline).output);
  } catch (const DelegateFailure& failure) {
    if (std::string_view(failure.what()) == "unknown CNI_COMMAND: VERSION") versions = {"0.1.0"};
  }
  if (!versions.empty()) remember(versions);
  told_ = versions;
  return versions;
}

bool DelegateCaller::may_have(std::string_view verb) {
  const auto known = remembered();
  return known.empty() || has_verb(known, verb);
}

bool has_verb(const std::vector<std::string>& versions, std::string_view verb) {
  return std::any_of(versions.begin(), versions.end(), [&](const std::string& one) {
    return at_least(one, first_version_with(verb));
  });
}

std::string best_version(const std::vector<std::string>& spoken, std::string_view wanted) {
  std::string best;
  std::string newest;
  for (const auto& version : spoken) {
    if (!is_supported(version)) continue;
    if (newest.empty() || is_older(newest, version)) newest = version;
    if (is_older(wanted, version)) continue;
    if (best.empty() || is_older(best, version)) best = version;
  }
  return best.empty() ? newest : best;
}

Json in_version(Json document, const std::string& version) {
  const std::string before = version_of_document(document);
  set_member(document, "cniVersion", version);
  const Json* previous = find_member(document, "prevResult");
  if (previous == nullptr) return document;
  const auto converted = convert(read_prev_result(*previous, before), version);
  set_member(document, "prevResult", parse_json(print_document(converted)));
  return document;
}

}  // namespace shim
