#include "shim/cli/change/changes.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "shim/cli/inspect/networks/audit.hpp"
#include "shim/cli/progress.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using allocator::store::FileSystem;
using allocator::store::LeaseStore;

Row row_of(const Change& change, const Step& step) {
  return {change.network->name,
          step.address.to_string(),
          step.owner.pod_namespace,
          step.owner.pod_name,
          step.owner.ifname,
          step.container,
          std::string(name_of(step.was)),
          std::string(name_of(step.becomes)),
          step.why};
}

/// Of the steps that are made.
std::vector<Row> rows_of(const Change& change) {
  std::vector<Row> rows;
  for (const auto& step : change.steps) {
    if (step.course == Course::made) rows.push_back(row_of(change, step));
  }
  return rows;
}

/// Where only host-local writes nothing of ours may appear: with records it would look like ours,
/// and so as if addresses were kept.
void announce(FileSystem& fs, const Change& change, std::string_view command,
              const std::vector<Row>& rows) {
  if (!change.network->is_host_locals() && !rows.empty())
    append_audit(fs, *change.network, std::string(command), rows);
}

/// Refuses those steps.
std::vector<Row> refused_rows(Change& change, const std::map<std::size_t, std::string>& why) {
  std::vector<Row> rows;
  for (const auto& [place, obstacle] : why) {
    refuse(change.steps[place], obstacle);
    rows.push_back(row_of(change, change.steps[place]));
  }
  return rows;
}

allocator::store::StoreOptions options_of(const Network& network) {
  auto options = store_options(network.conf.placement, network.network_dir);
  if (network.is_host_locals()) options.retention = allocator::store::Retention::off;
  return options;
}

void apply(FileSystem& fs, Change& change, std::string_view command) {
  announce(fs, change, command, rows_of(change));
  ResultCache cache(fs);
  LeaseStore store(fs, options_of(*change.network), &cache);
  if (change.make_each) {
    announce(fs, change, command, refused_rows(change, change.make_each(store)));
  } else if (const auto obstacle = change.make(store)) {
    refuse(change, *obstacle);
    announce(fs, change, command, rows_of(change));
  }
}

/// Returns what it failed with; then the change is refused. `locked`: why the network's lock cannot
/// be had, once that is known: each try would wait as long again.
std::exception_ptr apply_or_refuse(FileSystem& fs, Change& change, std::string_view command,
                                   std::string& locked) {
  try {
    if (locked.empty())
      apply(fs, change, command);
    else
      refuse(change, locked);
    return nullptr;
  } catch (const allocator::store::LockTimeout& error) {
    locked = error.what();
    refuse(change, locked);
    return std::current_exception();
  } catch (const std::exception& error) {
    refuse(change, error.what());
    return std::current_exception();
  }
}

/// Makes all that can be made. Returns what the first of the others failed with.
std::exception_ptr apply_all(FileSystem& fs, Changes& changes, std::string_view command) {
  std::exception_ptr first;
  std::map<const Network*, std::string> locked;
  Progress progress(std::string(command),
                    static_cast<std::size_t>(std::count_if(
                        changes.begin(), changes.end(),
                        [](const Change& change) { return change.is_to_be_made(); })));
  for (auto& change : changes) {
    if (!change.is_to_be_made()) continue;
    progress.step();
    const auto failure = apply_or_refuse(fs, change, command, locked[change.network]);
    if (!first) first = failure;
  }
  return first;
}

Table make_table(const Changes& changes) {
  std::set<const Network*> networks;
  for (const auto& change : changes) networks.insert(change.network);
  Table table{change_columns(), {}};
  table.columns.front().shown = networks.size() > 1 ? Shown::always : Shown::on_demand;
  for (const auto& change : changes) {
    for (const auto& step : change.steps) table.rows.push_back(row_of(change, step));
  }
  return table;
}

void print(const Table& table, const Manner& manner) {
  if (manner.look.format == Format::table) {
    if (!table.rows.empty()) write_stdout(print_table(table, manner.look));
    return;
  }
  Json document = make_document(manner.command);
  put(document, "applied", manner.is_applied);
  put(document, "items", items_of(table));
  write_stdout(print_document(document, manner.look.format));
}

}  // namespace

void add_change_options(CommandSpec& command, ChangeOptions& options) {
  command.flag("--apply", options.apply, "do it");
  add_look_options(command, Forms::documents, options.look);
  add_node_options(command, options.node);
}

Look read_change_look(const ChangeOptions& options) {
  if (!options.node.root.empty())
    refuse_option("--root", options.node.root, "is a copy; what is to be changed is the node");
  return read_look(options.look, Forms::documents);
}

Step make_step(const Network& network, const allocator::store::SurveyedAddress& one) {
  const State was = state_of(network, one.address);
  return {one.address,
          network.owner_of(one),
          one.attachment ? one.attachment->container_id : "",
          was,
          was,
          {}};
}

bool Change::is_news() const {
  return is_to_be_made() && std::any_of(steps.begin(), steps.end(), [](const Step& step) {
           return step.course == Course::made;
         });
}

bool Change::has_refused() const {
  return is_refused || std::any_of(steps.begin(), steps.end(),
                                   [](const Step& step) { return step.course == Course::refused; });
}

void refuse(Step& step, const std::string& why) {
  step.becomes = step.was;
  step.why = why;
  step.course = Course::refused;
}

void refuse(Change& change, const std::string& why) {
  change.is_refused = true;
  for (auto& step : change.steps) {
    step.becomes = step.was;
    step.why = why;
  }
}

bool carry_out(FileSystem& fs, Changes& changes, const Manner& manner) {
  const bool is_change = std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.is_news() || change.is_noted;
  });
  std::exception_ptr failure;
  if (manner.is_applied) failure = apply_all(fs, changes, manner.command);
  print(make_table(changes), manner);
  if (is_change && !manner.is_applied)
    write_stderr("this was a dry run: nothing is changed without --apply\n");
  if (failure) std::rethrow_exception(failure);
  return std::none_of(changes.begin(), changes.end(),
                      [](const Change& change) { return change.has_refused(); });
}

}  // namespace shim::change
