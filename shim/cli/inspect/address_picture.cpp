#include "shim/cli/inspect/address_picture.hpp"

#include <algorithm>

#include "shim/cli/inspect/address_map.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using validate::joined;

constexpr std::size_t kCell = 22;
constexpr std::size_t kStep = 24;  // from one cell to the next
constexpr std::size_t kColumn = 16;
constexpr std::size_t kDigit = 8;  // the width of a character, about

constexpr std::string_view kStyle =
    "<style>svg{background:#fff;font:13px monospace}text{fill:#111}rect{stroke:#777}"
    ".in-use rect{fill:#9fd8b0}.dead rect{fill:#f3a6a0}.held rect{fill:#a9cdf5}"
    ".reserved rect{fill:#ccc}.free rect{fill:#f7f7f7}.part rect{fill:#f2d98b}"
    "@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#eee}"
    ".in-use rect{fill:#1f6b38}.dead rect{fill:#8c2a22}.held rect{fill:#1f4f85}"
    ".reserved rect{fill:#4a4a4a}.free rect{fill:#1c1c1c}.part rect{fill:#6b5410}}</style>\n";

/// Foreign text inside XML, in an attribute or between tags.
std::string xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// What is known of one address beside its state: whose it is, or what reserves it.
std::string details_of(const Network& network, const Address& address, State state) {
  const auto reservation =
      state == State::reserved ? reservation_of(network, address) : std::nullopt;
  if (reservation) return reservation->reserved_text();
  const auto* one = network.survey.find(address);
  const Owner owner = one != nullptr ? network.owner_of(*one) : Owner{};
  return owner.is_known() ? joined({owner.key().display(), " ", owner.ifname}) : owner.ifname;
}

std::string title_of_one(const Network& network, const Address& address, State state) {
  const std::string details = details_of(network, address, state);
  return printable_line(
      joined({address.to_string(), " ", name_of(state), details.empty() ? "" : " ", details}));
}

std::string title_of_many(const Address& first, std::uint64_t width, char letter) {
  const Address last(first.family(), first.number() + width - 1);
  const auto state = state_of_letter(letter);
  const std::string_view more = letter == '1' ? " tenth taken" : " tenths taken";
  return joined({first.to_string(), "-", last.to_string(), " ",
                 state ? name_of(*state) : std::string_view(&letter, 1), state ? "" : more});
}

/// Cells and lines of text below each other.
class Drawing {
 public:
  void add(const Network& network) {
    const auto maps = maps_of(network);
    write(joined({"network ", printable_line(network.name),
                  maps.empty() ? ": its ranges are not known" : ""}));
    for (const auto& map : maps) add_map(network, map);
  }

  void add_legend() {
    std::size_t x = kColumn;
    for (const char letter : std::string_view("#xhr.")) {
      const std::string_view name = name_of(*state_of_letter(letter));
      put_cell(x, letter, name);
      put_text(x + kStep + kDigit / 2, name);
      x += kStep + kDigit * (name.size() + 3);
    }
    end_line(x);
  }

  [[nodiscard]] std::string print() const {
    const std::string width = std::to_string(width_ + kColumn);
    const std::string height = std::to_string(y_ + kColumn);
    return joined({"<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"", width,
                   "\" height=\"", height, "\" viewBox=\"0 0 ", width, " ", height,
                   "\">\n<title>pod addresses</title>\n", kStyle, body_, "</svg>\n"});
  }

 private:
  void add_map(const Network& network, const SubnetMap& map) {
    write(map.title());
    std::size_t label = 0;
    for (const auto& line : map.lines) label = std::max(label, line.first.to_string().size());
    for (const auto& [first, letters] : map.lines) {
      put_text(kColumn, first.to_string());
      std::size_t x = kColumn + kDigit * (label + 2);
      Address address = first;
      for (const char letter : letters) {
        put_address(network, map.width, address, x, letter);
        address = Address(address.family(), address.number() + map.width);
        x += kStep;
      }
      end_line(x);
    }
    if (map.hidden != 0) write(map.rest());
  }

  void put_address(const Network& network, std::uint64_t width, const Address& address,
                   std::size_t x, char letter) {
    if (letter == ' ') return;
    put_cell(x, letter,
             width == 1 ? title_of_one(network, address, state_of(network, address))
                        : title_of_many(address, width, letter));
  }

  void put_cell(std::size_t x, char letter, std::string_view title) {
    const auto state = state_of_letter(letter);
    const std::string side = std::to_string(kCell);
    body_ += joined({"<g class=\"", state ? name_of(*state) : "part", "\"><title>", xml(title),
                     "</title><rect x=\"", std::to_string(x), "\" y=\"", std::to_string(y_),
                     "\" width=\"", side, "\" height=\"", side, "\"/>"});
    put_text(x + (kCell - kDigit) / 2, std::string_view(&letter, 1));
    body_.insert(body_.size() - 1, "</g>");
  }

  void put_text(std::size_t x, std::string_view text) {
    body_ += joined({"<text x=\"", std::to_string(x), "\" y=\"", std::to_string(y_ + kColumn),
                     "\">", xml(text), "</text>\n"});
  }

  void write(std::string_view text) {
    put_text(kColumn, text);
    end_line(kColumn + kDigit * text.size());
  }

  void end_line(std::size_t x) {
    width_ = std::max(width_, x);
    y_ += kStep;
  }

  std::string body_;
  std::size_t y_ = kColumn;
  std::size_t width_ = 0;
};

}  // namespace

std::string print_svg(const Networks& networks) {
  Drawing drawing;
  drawing.add_legend();
  for (const auto& network : networks) drawing.add(network);
  return drawing.print();
}

std::string print_page(std::string_view text, const Networks& networks) {
  constexpr std::string_view head =
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head>"
      "<meta charset=\"utf-8\"/><title>delegated-ipam status</title>"
      "<style>:root{color-scheme:light dark}</style></head><body>\n<pre>";
  return joined({head, xml(text), "</pre>\n", print_svg(networks), "</body></html>\n"});
}

}  // namespace shim::inspect
