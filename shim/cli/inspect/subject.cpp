#include "shim/cli/inspect/subject.hpp"

#include "shim/cli/command.hpp"

namespace shim::inspect {

Subject read_subject(const std::string& text, const std::string& pod_namespace) {
  Subject subject{allocator::Address::parse(text), pod_namespace, text};
  const auto slash = text.find('/');
  if (slash != std::string::npos) {
    subject.pod_namespace = text.substr(0, slash);
    subject.pod_name = text.substr(slash + 1);
  }
  const bool is_pod = !subject.pod_name.empty() && slash != 0 &&
                      subject.pod_name.find('/') == std::string::npos &&
                      !allocator::Cidr::parse(text);
  if (!is_pod) refuse_option("POD|IP", text, "is neither a pod nor an address");
  if (slash != std::string::npos && !pod_namespace.empty() &&
      pod_namespace != subject.pod_namespace)
    refuse_option("-n", pod_namespace, "is another namespace than that of " + text);
  return subject;
}

void refuse_ambiguous(const std::set<std::string>& namespaces, const Subject& subject) {
  if (namespaces.size() < 2) return;
  std::string names;
  for (const auto& name : namespaces) names += (names.empty() ? "" : ", ") + name;
  refuse_option("POD|IP", subject.pod_name, "is in " + names + "; write NAMESPACE/POD");
}

}  // namespace shim::inspect
