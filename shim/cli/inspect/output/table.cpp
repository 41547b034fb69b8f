#include "shim/cli/inspect/output/table.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/yaml.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::inspect {
namespace {

constexpr std::size_t kCellLimit = 200;  // bytes of one cell
constexpr std::size_t kGap = 3;          // between columns, as kubectl has it

struct Paint {
  std::string_view word;
  std::string_view code;
};

constexpr std::array kPaints = {
    Paint{"ok", "32"},      Paint{"yes", "32"},     Paint{"in-use", "32"},
    Paint{"held", "36"},    Paint{"reserved", "2"}, Paint{"warning", "33"},
    Paint{"dead", "31"},    Paint{"error", "31"},   Paint{"no", "31"},
    Paint{"KEPT", "32"},    Paint{"NEW", "36"},     Paint{"MISSING", "33"},
    Paint{"CHANGED", "31"}, Paint{"EVICTED", "31"}, Paint{"UNREACHABLE", "31"},
    Paint{"KEEPS", "32"},   Paint{"MOVES", "33"},   Paint{"DOES-NOT-FIT", "31"},
};

/// How many places a text takes on a terminal: characters, not bytes.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

/// Nearly every cell is a plain word, and a large node has half a million of them.
bool is_plain(const std::string& cell) {
  return cell.size() <= kCellLimit &&
         std::all_of(cell.begin(), cell.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string cell_text(const std::string& cell) {
  if (cell.empty()) return "-";
  return is_plain(cell) ? cell : printable_line(cell, kCellLimit);
}

bool is_called(const Column& column, const std::string& name) {
  return same_key(column.key, name) || same_key(column.header, name);
}

std::size_t find_column(const Table& table, const std::string& name) {
  std::string names;
  for (std::size_t index = 0; index < table.columns.size(); ++index) {
    if (is_called(table.columns[index], name)) return index;
    names += (index == 0 ? "" : ", ") + std::string(table.columns[index].header);
  }
  refuse_option("--columns", name, "is no column; there are " + names);
}

std::vector<std::size_t> columns_to_show(const Table& table, const Look& look) {
  std::vector<std::size_t> shown;
  for (const auto& name : look.columns) shown.push_back(find_column(table, name));
  if (!shown.empty()) return shown;
  const Shown most = look.format == Format::wide ? Shown::wide : Shown::always;
  for (std::size_t index = 0; index < table.columns.size(); ++index) {
    if (table.columns[index].shown <= most) shown.push_back(index);
  }
  return shown;
}

/// Lines of cells that end in the same places. The last column is not filled up.
class Grid {
 public:
  explicit Grid(std::size_t columns) : widths_(columns) {}

  void add(std::vector<std::string> line) {
    for (std::size_t i = 0; i < line.size(); ++i)
      widths_[i] = std::max(widths_[i], width_of(line[i]));
    lines_.push_back(std::move(line));
  }

  /// `heads`: so many lines at the beginning have no colour. `first`: those before it are not
  /// printed.
  [[nodiscard]] std::string print(Colour colour, std::size_t heads = 0,
                                  std::size_t first = 0) const {
    std::string text;
    for (std::size_t number = first; number < lines_.size(); ++number) {
      const auto& line = lines_[number];
      const bool is_head = number < heads;
      for (std::size_t i = 0; i < line.size(); ++i) {
        text += coloured(line[i], is_head ? Colour::no : colour);
        if (i + 1 < line.size()) text.append(widths_[i] - width_of(line[i]) + kGap, ' ');
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> lines_;
};

std::string print_names(const Table& table, std::size_t first) {
  std::string text;
  for (std::size_t number = first; number < table.rows.size(); ++number) {
    const auto& name = table.rows[number][table.name_column];
    if (!name.empty()) text += cell_text(name) + "\n";
  }
  return text;
}

Json cell_json(const std::string& cell, CellKind kind) {
  if (cell.empty()) return {};
  if (kind == CellKind::flag) return cell == "true";
  return kind == CellKind::number ? Json(std::strtoull(cell.c_str(), nullptr, 10)) : Json(cell);
}

}  // namespace

std::string print_table(const Table& table, const Look& look, std::optional<std::size_t> from) {
  if (look.format == Format::name) return print_names(table, from.value_or(0));
  const auto shown = columns_to_show(table, look);
  Grid grid(shown.size());
  const auto add = [&](const auto& text_of) {
    std::vector<std::string> line;
    line.reserve(shown.size());
    for (const std::size_t index : shown) line.push_back(text_of(index));
    grid.add(std::move(line));
  };
  if (look.has_headers)
    add([&](std::size_t index) { return std::string(table.columns[index].header); });
  for (const auto& row : table.rows) add([&](std::size_t index) { return cell_text(row[index]); });
  const std::size_t heads = look.has_headers ? 1 : 0;
  return grid.print(look.colour, heads, from ? *from + heads : 0);
}

void put(Json& object, std::string_view key, Json value) {
  object.get_ref<Json::object_t&>().emplace(std::string(key), std::move(value));
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json items_of(const Table& table) {
  Json items = Json::array();
  for (const auto& row : table.rows) {
    Json item = Json::object();
    for (std::size_t index = 0; index < row.size(); ++index)
      put(item, table.columns[index].key, cell_json(row[index], table.columns[index].kind));
    items.push_back(std::move(item));
  }
  return items;
}

std::string print_upright(const Table& table, const Row& row, const Look& look) {
  Grid grid(2);
  for (std::size_t index = 0; index < row.size(); ++index) {
    std::string head(table.columns[index].header);
    for (char& c : head) c = static_cast<char>(c | 0x20);  // letters and "-" only
    const bool is_shown = !row[index].empty() && table.columns[index].shown != Shown::on_demand;
    if (is_shown) grid.add({head + ":", printable_line(row[index])});
  }
  return grid.print(look.colour);
}

Json make_document(std::string_view kind) {
  Json document = Json::object();
  put(document, "schemaVersion", kSchemaVersion);
  put(document, "kind", std::string(kind));
  return document;
}

std::string print_document(const Json& document, Format format) {
  return format == Format::yaml ? print_yaml(document) : print_json(document) + "\n";
}

std::string coloured(std::string_view word, Colour colour) {
  return coloured_as(word, word, colour);
}

std::string coloured_as(std::string_view word, std::string_view text, Colour colour) {
  if (colour == Colour::no) return std::string(text);
  const auto* const paint = std::find_if(kPaints.begin(), kPaints.end(),
                                         [&](const Paint& one) { return one.word == word; });
  if (paint == kPaints.end()) return std::string(text);
  return "\x1b[" + std::string(paint->code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace shim::inspect
