// CNI_ARGS and the environment: one line each of CNI_COMMAND, CNI_CONTAINERID, CNI_IFNAME and
// CNI_NETNS, then CNI_ARGS. Whoever is let in can be written into an address file and records, and
// is known again by them.
#include <algorithm>
#include <map>

#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"
#include "test/fuzz/target.hpp"

namespace {

using allocator::store::hint_name;
using fuzz::require;

constexpr std::size_t kNameMax = 255;  // of a file, NAME_MAX

/// As the process' own: no value has a NUL.
std::map<std::string, std::string> variables_of(fuzz::Input& input) {
  std::map<std::string, std::string> variables = {{"CNI_PATH", "/opt/cni/bin"}};
  for (const char* name : {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"})
    variables[name] = input.until('\n');
  variables["CNI_ARGS"] = input.rest();
  return variables;
}

void check_attachment(const shim::Environment& environment) {
  const allocator::Attachment attachment{environment.container_id, environment.ifname};
  require(allocator::looks_like_attachment(attachment), "no attachment of a runtime's");
  const std::string owner = allocator::store::owner_text(attachment);
  require(allocator::store::parse_owner(owner) == attachment, "an owner reads as another");
  allocator::store::AttachmentFile file{"10.0.0.2", {}, owner};
  require(allocator::store::names_attachment(file) &&
              match_owner(file, attachment) == allocator::store::OwnerMatch::container_and_ifname,
          "an attachment that its own file does not name");
}

void check_pod(const shim::Arguments& arguments, const std::string& ifname) {
  const allocator::PodKey pod{arguments.pod_namespace, arguments.pod_name, ifname};
  const allocator::Binding binding{pod, arguments.pod_uid, 7, 1, "11111111"};
  const std::string record = allocator::encode(binding);
  require(allocator::decode_binding(record) == binding, "a binding reads as another: " + record);
  require(allocator::state_of_record(record) == allocator::RecordState::valid, "no record");
  const std::string name = hint_name(pod);
  require(shim::is_file_name(name) && name.size() <= kNameMax, "no file's name: " + name);
  // The parts of a key cannot be moved into each other.
  const std::string whole = pod.pod_namespace + pod.pod_name;
  for (std::size_t cut = 0; cut <= std::min<std::size_t>(whole.size(), 64); ++cut) {
    const allocator::PodKey other{whole.substr(0, cut), whole.substr(cut), ifname};
    require((other == pod) == (hint_name(other) == name), "two pods of one record: " + name);
  }
}

void check_arguments(const std::string& text, const std::string& ifname) {
  const shim::Arguments lenient = shim::parse_arguments_leniently(text);
  check_pod(lenient, ifname);
  const auto strict = fuzz::accepted<shim::CniError>([&] { return shim::parse_arguments(text); });
  if (!strict) return;
  require(strict->ip == lenient.ip && strict->pod_namespace == lenient.pod_namespace &&
              strict->pod_name == lenient.pod_name && strict->pod_uid == lenient.pod_uid,
          "ADD and DEL read other arguments");
}

void run(std::string_view bytes) {
  fuzz::Input input(bytes);
  const auto variables = variables_of(input);
  const shim::VariableLookup lookup = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  const auto environment =
      fuzz::accepted<shim::CniError>([&] { return shim::read_environment(lookup); });
  check_arguments(variables.at("CNI_ARGS"), variables.at("CNI_IFNAME"));
  if (!environment) return;
  const std::string& command = environment->command;
  if (command == "ADD" || command == "DEL" || command == "CHECK") check_attachment(*environment);
}

const fuzz::Registration kTarget("arguments", &run);

}  // namespace
