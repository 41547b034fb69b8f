#pragma once
/// What the reading commands print: rows of cells, in the forms that kubectl has.
///
///     table   aligned columns; wide: with more of them
///     json    {"schemaVersion": 1, "kind": "list", "items": [{"address": "10.244.1.7", ...}]}
///     yaml    the same
///     name    what other commands take as an argument, one a line
///
/// Foreign text in a cell is made fit for a terminal. Pure.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

/// Of the JSON; higher when a key goes or means something else, not when one comes.
inline constexpr unsigned kSchemaVersion = 1;

/// Where a column is to be seen; in JSON and YAML, and by --columns, always.
enum class Shown : std::uint8_t { always, wide, on_demand };

enum class CellKind : std::uint8_t { text, number, flag };

struct Column {
  std::string_view key;     ///< in JSON: "sinceBoots"
  std::string_view header;  ///< in a table: "SINCE-BOOTS"
  Shown shown = Shown::always;
  CellKind kind = CellKind::text;
};

/// One text for each column; an empty one is "-" in a table and null in JSON. A number is decimal,
/// a flag "true" or "false".
using Row = std::vector<std::string>;

struct Table {
  std::vector<Column> columns;
  std::vector<Row> rows;
  std::size_t name_column = 0;  ///< what -o name prints
};

enum class Format : std::uint8_t { table, wide, json, yaml, name };

/// Whether states and verdicts are coloured.
enum class Colour : std::uint8_t { no, yes };

/// How a table is to look.
struct Look {
  Format format = Format::table;
  std::vector<std::string> columns;  ///< by header or key, in any letter case; empty: the usual
  bool has_headers = true;
  Colour colour = Colour::no;
};

/// The text of a table, wide table or list of names.
/// `from`: only the rows from that one on, without headers, in columns as wide as for all of them.
/// Errors: throws UsageError for a column that there is not, naming those that there are.
std::string print_table(const Table& table, const Look& look, std::optional<std::size_t> from = {});

/// Adds a member to an object.
void put(Json& object, std::string_view key, Json value);

/// An empty text is null.
Json text_or_null(const std::string& text);

/// The rows as JSON objects.
Json items_of(const Table& table);

/// The columns of one row below each other: "address:    10.244.1.7". Empty ones, and
/// those that are shown on demand, are left out.
std::string print_upright(const Table& table, const Row& row, const Look& look);

/// {"schemaVersion": 1, "kind": KIND}, to which the caller adds.
Json make_document(std::string_view kind);

/// A document as JSON or YAML, with a newline at the end.
std::string print_document(const Json& document, Format format);

/// The word in the colour of its meaning: good, bad, or neither.
std::string coloured(std::string_view word, Colour colour);
/// A text in the colour of a word.
std::string coloured_as(std::string_view word, std::string_view text, Colour colour);

}  // namespace shim::inspect
