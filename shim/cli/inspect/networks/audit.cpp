#include "shim/cli/inspect/networks/audit.hpp"

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "allocator/fields.hpp"
#include "shim/cli/inspect/networks/state_file.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {
namespace {

using allocator::store::FileSystem;

constexpr const char* kAuditName = "audit";
constexpr std::size_t kAuditLimit = std::size_t{64} << 10;
/// Of a larger file that somebody else has made the rest is not looked at.
constexpr std::size_t kReadLimit = 2 * kAuditLimit;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%FT%TZ", &parts);
  return text.data();
}

std::string audit_line(const Table& table, const Row& row) {
  Json line = Json::object();
  for (std::size_t field = 0; field < kAuditFields; ++field)
    put(line, table.columns[field].key, row[field]);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Whole lines from the end.
std::string newest_lines(const std::string& text) {
  if (text.size() <= kAuditLimit) return text;
  const auto end_of_line = text.find('\n', text.size() - kAuditLimit - 1);
  return end_of_line == std::string::npos ? std::string() : text.substr(end_of_line + 1);
}

std::optional<Row> parse_audit_line(const Table& table, const std::string& text) {
  try {
    const Json line = parse_json(text);
    Row row;
    for (const auto& column : table.columns) row.push_back(line.at(column.key).get<std::string>());
    return row;
  } catch (const JsonSyntaxError&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<Column> change_columns() {
  return {{"network", "NETWORK", Shown::wide},
          {"address", "ADDRESS"},
          {"namespace", "NAMESPACE"},
          {"pod", "POD"},
          {"interface", "IF"},
          {"container", "CONTAINER"},
          {"was", "WAS"},
          {"becomes", "BECOMES"},
          {"why", "WHY"}};
}

Table make_audit_table() {
  Table table{{{"time", "TIME"}, {"boot", "BOOT"}, {"command", "COMMAND"}}, {}};
  for (const auto& column : change_columns()) table.columns.push_back(column);
  return table;
}

std::vector<Row> read_audit(FileSystem& fs, const Network& network) {
  const Table table = make_audit_table();
  std::vector<Row> rows;
  for (const auto& line :
       allocator::split(read_state_file(fs, network, kAuditName, kReadLimit), '\n')) {
    if (auto row = parse_audit_line(table, line)) rows.push_back(std::move(*row));
  }
  return rows;
}

void append_audit(FileSystem& fs, const Network& network, const std::string& command,
                  const std::vector<Row>& changes) {
  const Table table = make_audit_table();
  change_state_file(fs, network, kAuditName, kReadLimit, [&](std::string text) {
    for (const auto& change : changes) {
      Row row{utc_now(), allocator::boot8_of(network.survey.boot_id), command};
      row.insert(row.end(), change.begin(), change.end());
      text += audit_line(table, row);
    }
    return newest_lines(text);
  });
}

}  // namespace shim::inspect
