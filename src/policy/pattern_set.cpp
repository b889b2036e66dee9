#include "pattern_set.hpp"

#include <algorithm>
#include <utility>

namespace weir::policy {

re2::RE2::Options pattern_options(std::int64_t memory) {
    re2::RE2::Options options;
    options.set_encoding(re2::RE2::Options::EncodingLatin1);  // a reply may hold any byte
    options.set_log_errors(false);
    options.set_max_mem(memory);
    options.set_dot_nl(true);
    return options;
}

std::string syntax_problem(std::string_view pattern, std::int64_t memory) {
    const re2::RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), pattern_options(memory));
    if (compiled.ok()) return {};
    if (compiled.error_code() == re2::RE2::ErrorPatternTooLarge)
        return "is too large once its repetitions are written out";
    return compiled.error();
}

PatternSet::PatternSet(std::vector<std::string> patterns, Limits limits)
    : patterns_(std::move(patterns)), limits_(limits), set_(pattern_options(limits.set_memory), re2::RE2::UNANCHORED) {}

core::Result<PatternSet> PatternSet::compile(std::vector<std::string> patterns, Limits limits) {
    PatternSet set(std::move(patterns), limits);
    for (const std::string& pattern : set.patterns_) {
        const re2::RE2 alone(pattern, pattern_options(limits.pattern_memory));
        if (alone.error_code() == re2::RE2::ErrorPatternTooLarge) return core::Errc::out_of_range;
        if (!alone.ok() || set.set_.Add(pattern, nullptr) < 0) return core::Errc::bad_syntax;
    }
    if (!set.set_.Compile()) return core::Errc::out_of_range;
    return set;
}

std::vector<int> PatternSet::matches(std::string_view text) const {
    std::vector<int> found;
    if (patterns_.empty()) return found;
    const re2::StringPiece piece(text.data(), text.size());
    re2::RE2::Set::ErrorInfo error{};
    if (!set_.Match(piece, &found, &error) && error.kind != re2::RE2::Set::kNoError) {
        found.clear();
        for (std::size_t i = 0; i < patterns_.size(); ++i) {
            const re2::RE2 alone(patterns_[i], pattern_options(limits_.pattern_memory));
            if (re2::RE2::PartialMatch(piece, alone)) found.push_back(static_cast<int>(i));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace weir::policy
