#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/policy/reply_class.hpp"
#include "weir/policy/reply_facts.hpp"

namespace weir::policy {

/// What a row demands of a reply beside its text. Of each kind one must be met, if there are any.
struct Conditions {
    struct Range {
        int least;
        int most;
    };

    std::vector<Range> codes{};
    std::vector<std::array<Range, 3>> statuses{};
    std::vector<Stage> stages{};

    [[nodiscard]] bool are_met(int code, const std::optional<std::array<int, 3>>& status, Stage stage) const;
};

/// One row of src/policy/replies/*.txt; providers.txt explains the format.
struct Row {
    ReplyClass reply_class;
    Scope scope;
    Conditions when;
    std::optional<core::Duration> wait;
    std::string pattern;
    int weight;         ///< 0: where the first row that applies decides
    bool only_likely;   ///< adds weight to a class that there are words for, and is no evidence by itself
    std::string place;  ///< "providers.txt:42"
};

/// Reads a table, with its word lists put into the patterns. Errors: Errc::bad_syntax for a row that is not one; its
/// line goes to `bad_line`.
[[nodiscard]] core::Result<std::vector<Row>> parse_table(std::string_view text, std::string_view name, int& bad_line);

/// "4.7.28" as three numbers; none for what is not a status.
[[nodiscard]] std::optional<std::array<int, 3>> parse_status(std::string_view text);

/// The built-in tables, in the order in which they are read: a name ("providers.txt") and the text. Made by CMake from
/// src/policy/replies.
struct BuiltInTable {
    std::string_view name;
    std::string_view text;
};
extern const std::array<BuiltInTable, 3> built_in_tables;

}  // namespace weir::policy
