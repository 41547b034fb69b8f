#pragma once
/// The files that `validate` is given: what each of them is, told by its content, and the networks
/// that are in it. Pure: text in, documents out.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "shim/cli/validate/document/containers.hpp"
#include "shim/cli/validate/document/report.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::validate {

/// A file as it was read; `name` as on the command line, "-" for standard input.
struct Input {
  std::string name;
  std::string text;
  /// A drop-in plugin of CNI 1.1: the network that its folder has the name of, and what that
  /// network's list says.
  struct DropIn {
    std::string network;
    std::string cni_version;
    std::string unread_because_of = {};  ///< the list that loads only its own plugins
  };
  std::optional<DropIn> drop_in = std::nullopt;
  bool is_found = false;  ///< not named by the operator: it completes a list that was
};

struct File {
  std::string name;
  std::string base;  ///< the name without its folders; empty for standard input
  bool is_yaml = false;
  std::vector<Json> documents;  ///< as corrected
  std::vector<Json> as_read;
  bool needs_other_name = false;  ///< what is wrong is the file's name
  bool as_config_map = false;     ///< to be printed as a patch for kube-flannel-cfg
  std::optional<Input::DropIn> drop_in = std::nullopt;
};

/// Where a network's configuration stands. All but a file of its own is the same on all nodes.
enum class Origin : std::uint8_t { file, config_map, flannel_values, attachment };

/// A network: a conflist, or a single conf, which is corrected into one.
struct Network {
  std::size_t file = 0;
  std::string pointer;  ///< of the whole in its file
  Origin origin = Origin::file;
  Json json;                     ///< as corrected
  Json original;                 ///< as read
  bool is_single = false;        ///< a single conf; `json` is a list from the first rule on
  bool is_name_implied = false;  ///< it is the object's, and not written into the configuration
  bool is_drop_in = false;       ///< one plugin, whose list gives name and version
  bool is_text = false;          ///< it stands in its file as the text of a string
  bool is_rewritten = false;     ///< by kube-flannel, on every node, from its ConfigMap
  Json* home = nullptr;          ///< its place in the file's documents
  std::string owner;             ///< name of the ConfigMap that it is in
  std::string key;               ///< and its key there
  std::string object_name;       ///< of the NetworkAttachmentDefinition
  std::string within;            ///< JSON pointer of it in `home`; empty: `home` is all of it

  /// Multus reads single confs as well as lists.
  [[nodiscard]] bool is_for_multus() const {
    return origin == Origin::attachment || !within.empty();
  }

  [[nodiscard]] bool is_for_all_nodes() const { return origin != Origin::file || is_rewritten; }
  /// Where plugin `index` stands.
  [[nodiscard]] std::string plugin_pointer(std::size_t index) const {
    return is_single ? "" : "/plugins/" + std::to_string(index);
  }
};

enum class PartKind : std::uint8_t {
  cilium_values,
  cilium_config,  ///< ConfigMap cilium-config
  flannel_values,
  flannel_daemon,  ///< kube-flannel's DaemonSet
  yurthub,         ///< the object with YurtHub's cache agents
  kind_cluster
};

/// Anything else that has rules.
struct Part {
  PartKind kind;
  std::size_t file = 0;
  std::string pointer;
  Json* json = nullptr;
  std::string key = {};  ///< yurthub: the member
};

struct Documents {
  std::vector<File> files;
  std::vector<Network> networks;
  std::vector<Part> parts;
  InnerTexts texts;
};

/// Reads all files; what cannot be read, or is nothing that has rules, becomes a finding. A pointer
/// into a YAML stream of several documents starts with the document's number, from 0.
Documents read_documents(const std::vector<Input>& inputs, Findings& findings);

/// Gives each finding's pointer the keys as the file has them.
void spell_pointers(const Documents& documents, Findings& findings);

/// Puts the corrected networks back into their documents.
void write_back(Documents& documents);

[[nodiscard]] bool is_corrected(const File& file);
/// The corrected file, in its own format; comments are lost.
std::string print_file(const File& file);

}  // namespace shim::validate
