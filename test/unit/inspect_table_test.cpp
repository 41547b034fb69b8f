// The forms in which the reading commands print what they know.
#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/inspect/output/table.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using namespace shim::inspect;

namespace {

Table two_rows() {
  Table table;
  table.columns = {{"name", "NAME"},
                   {"count", "COUNT", Shown::always, CellKind::number},
                   {"isNew", "NEW", Shown::wide, CellKind::flag},
                   {"why", "WHY", Shown::on_demand}};
  table.rows = {{"häuser", "7", "true", "x"}, {"b", "", "", ""}};
  return table;
}

Look look(Format format, std::vector<std::string> columns = {}) {
  return {format, std::move(columns), true, Colour::no};
}

}  // namespace

TEST_CASE("columns are as wide as their characters, not their bytes", "[table]") {
  CHECK(print_table(two_rows(), look(Format::table)) == "NAME     COUNT\nhäuser   7\nb        -\n");
  CHECK(print_table(two_rows(), look(Format::wide)) ==
        "NAME     COUNT   NEW\nhäuser   7       true\nb        -       -\n");
}

TEST_CASE("columns are named by header or key, in any letter case and order", "[table]") {
  CHECK(print_table(two_rows(), look(Format::table, {"Why", "isnew", "NAME"})) ==
        "WHY   NEW    NAME\nx     true   häuser\n-     -      b\n");
  Look bare = look(Format::table, {"name"});
  bare.has_headers = false;
  CHECK(print_table(two_rows(), bare) == "häuser\nb\n");
  CHECK_THROWS_AS(print_table(two_rows(), look(Format::table, {"other"})), shim::UsageError);
}

TEST_CASE("names are what other commands take", "[table]") {
  CHECK(print_table(two_rows(), look(Format::name)) == "häuser\nb\n");
}

TEST_CASE("JSON has every column, with types, and null for what is empty", "[table]") {
  CHECK(items_of(two_rows()).dump() == R"([{"name":"häuser","count":7,"isNew":true,"why":"x"},)"
                                       R"({"name":"b","count":null,"isNew":null,"why":null}])");
  CHECK(make_document("list").dump() == R"({"schemaVersion":1,"kind":"list"})");
}

TEST_CASE("what is foreign in a cell does not steer the terminal", "[table]") {
  Table table = two_rows();
  table.rows = {{"a\x1b[31m\n", std::string(300, 'x'), "", ""}};
  const std::string text = print_table(table, look(Format::table));
  CHECK_FALSE(test::contains(text, "\x1b"));
  CHECK_FALSE(test::contains(text, std::string(201, 'x')));
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("an upright row leaves out what is empty or shown on demand", "[table]") {
  const Table table = two_rows();
  CHECK(print_upright(table, table.rows[0], look(Format::table)) ==
        "name:    häuser\ncount:   7\nnew:     true\n");
  CHECK(print_upright(table, table.rows[1], look(Format::table)) == "name:   b\n");
}

TEST_CASE("only words with a meaning are coloured", "[table]") {
  CHECK(coloured("dead", Colour::yes) == "\x1b[31mdead\x1b[0m");
  CHECK(coloured("dead", Colour::no) == "dead");
  CHECK(coloured("shop", Colour::yes) == "shop");
}

TEST_CASE("a header has no colour, whatever it says", "[table]") {
  Table table;
  table.columns = {{"kept", "KEPT"}};
  table.rows = {{"KEPT"}, {"MOVES"}};
  Look painted = look(Format::table);
  painted.colour = Colour::yes;
  CHECK(print_table(table, painted) == "KEPT\n\x1b[32mKEPT\x1b[0m\n\x1b[33mMOVES\x1b[0m\n");
  painted.has_headers = false;
  CHECK(print_table(table, painted) == "\x1b[32mKEPT\x1b[0m\n\x1b[33mMOVES\x1b[0m\n");
}
