// What a file is, told by its content.
#include "shim/cli/validate/document/document.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "test/unit/catch.hpp"

using namespace shim::validate;  // NOLINT(google-build-using-namespace)

namespace {

/// "KIND pointer" for all that is in a file.
std::vector<std::string> content_of(const std::string& name, const std::string& text) {
  static const std::vector<std::string> kParts = {
      "cilium-values", "cilium-config", "flannel-values", "flannel-daemon", "yurthub", "kind"};
  Findings findings;
  const Documents documents = read_documents({{name, text}}, findings);
  std::vector<std::string> content;
  for (const auto& network : documents.networks)
    content.push_back((network.is_single ? "conf " : "list ") + network.pointer);
  for (const auto& part : documents.parts)
    content.push_back(kParts[static_cast<std::size_t>(part.kind)] + " " + part.pointer);
  for (const auto& finding : findings) content.push_back(std::string(finding.rule));
  return content;
}

}  // namespace

TEST_CASE("validate document: what a file is", "[validate]") {
  using Content = std::vector<std::string>;
  const auto [text, content] = GENERATE(table<std::string, Content>({
      {R"({"type": "bridge", "ipam": {}})", {"conf "}},
      {R"({"plugins": []})", {"list "}},
      {"name: x\nipam: {type: delegated-ipam}\n", {"conf "}},
      {"ipam: {mode: x}\n", {"cilium-values "}},
      {"cilium: {cni: {}}\nyurthub: {}\n", {"yurthub /yurthub", "cilium-values /cilium"}},
      {"flannel: {backend: vxlan}\n", {"flannel-values /flannel"}},
      {"cacheAgents: a\n", {"yurthub "}},
      {"kind: Deployment\n", {}},
      {"kind: Cluster\napiVersion: cluster.x-k8s.io/v1\n", {}},
      {"kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n", {"kind "}},
      {"kind: DaemonSet\n---\nkind: ConfigMap\ndata: {a: '{\"plugins\": []}', b: 'plugins'}\n",
       {"list /1/data/a", "flannel-daemon /0"}},
      {"{\"kind\": \"List\", \"items\": [{\"kind\": \"ConfigMap\", \"metadata\": {\"name\": "
       "\"cilium-config\"}, \"data\": {}}]}",
       {"cilium-config /items/0/data"}},
      {"kind: ConfigMap\nmetadata: {name: yurt-hub-cfg}\ndata: {x: y}\n", {"yurthub /data"}},
      {"replicas: 3\n", {"unknown-document"}},
      {"text\n", {"unknown-document"}},
      {"", {"unknown-document"}},
      {"{", {"syntax"}},
      {"a: [\n", {"syntax"}},
  }));
  INFO(text);
  CHECK(content_of("-", text) == content);
}

TEST_CASE("validate document: the name decides where both languages would do", "[validate]") {
  const std::string flow = "{kind: ConfigMap}";
  CHECK(content_of("x.yaml", flow).empty());
  CHECK(content_of("x.yml", flow).empty());
  CHECK(content_of("x.conflist", flow) == std::vector<std::string>{"syntax"});
  CHECK(content_of("a.yaml/x.json", "a: b\n") == std::vector<std::string>{"syntax"});
}

TEST_CASE("validate document: only what was changed is written back", "[validate]") {
  Findings findings;
  const std::string text = "kind: ConfigMap\ndata:\n  a: '{\"plugins\":[],\"name\":\"x\"}'\n";
  Documents documents = read_documents({{"x.yaml", text}}, findings);
  write_back(documents);
  CHECK_FALSE(is_corrected(documents.files[0]));
  REQUIRE(documents.networks.size() == 1);
  documents.networks[0].json["name"] = "y";
  write_back(documents);
  CHECK(is_corrected(documents.files[0]));
  CHECK(print_file(documents.files[0]) ==
        "kind: ConfigMap\ndata:\n  a: |\n    {\n      \"plugins\": [],\n      \"name\": \"y\"\n    "
        "}\n");
}
