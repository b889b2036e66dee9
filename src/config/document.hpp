#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// Where something stands in the file, both counted from 1; columns in bytes, as compilers do.
struct Position {
    int line = 1;
    int column = 1;

    auto operator<=>(const Position&) const = default;
};

struct Entry;

/// One value of a YAML document, with its place. Aliases and merge keys (`<<`) have been replaced by what they stand
/// for.
struct Node {
    enum class Kind : std::uint8_t { null, scalar, list, map };

    Kind kind = Kind::null;
    Position at;
    std::string text{};          ///< of a scalar
    std::vector<Node> items{};   ///< of a list
    std::vector<Entry> entries;  ///< of a map, in the file's order, with duplicates
    std::size_t size = 1;        ///< this node and all below it
};

struct Entry {
    std::string key;
    Position at;
    Node value;
};

/// The text is not a YAML document that a configuration could be read from.
class SyntaxError : public std::runtime_error {
public:
    SyntaxError(Position position, const std::string& message) : std::runtime_error(message), at(position) {}

    Position at;
};

/// Reads text, which may be anything, as one YAML document. Size, depth and the expansion of aliases are bounded.
///
/// Errors: throws SyntaxError, and nothing else but std::bad_alloc.
[[nodiscard]] Node parse_document(std::string_view text);

}  // namespace weir::config
