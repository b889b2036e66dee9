#pragma once

#include <re2/re2.h>
#include <re2/set.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"

namespace weir::policy {

/// Many patterns, looked for in one pass over the text.
///
/// Time:    linear in the text. Should the set's automaton outgrow its memory, the patterns are tried one by one, which
/// is
///          slower and still linear.
/// Errors:  compile() gives Errc::bad_syntax, or Errc::out_of_range for what does not fit into the memory given.
/// Threads: matches() may be called from any thread.
class PatternSet {
public:
    struct Limits {
        std::int64_t pattern_memory;
        std::int64_t set_memory;
    };

    [[nodiscard]] static core::Result<PatternSet> compile(std::vector<std::string> patterns, Limits limits);

    /// The numbers of the patterns that are found in the text, in ascending order.
    [[nodiscard]] std::vector<int> matches(std::string_view text) const;

private:
    PatternSet(std::vector<std::string> patterns, Limits limits);

    std::vector<std::string> patterns_;
    Limits limits_;
    re2::RE2::Set set_;
};

/// How all patterns are read: without regard to what the bytes mean, and without a word on standard error.
[[nodiscard]] re2::RE2::Options pattern_options(std::int64_t memory);

/// What RE2 finds wrong with the pattern, or nothing.
[[nodiscard]] std::string syntax_problem(std::string_view pattern, std::int64_t memory);

}  // namespace weir::policy
