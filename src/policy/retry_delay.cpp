#include "retry_delay.hpp"

#include <re2/re2.h>

#include <array>
#include <chrono>
#include <string>

#include "pattern_set.hpp"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr core::Duration longest_delay = std::chrono::hours(24 * 7);
constexpr std::int64_t pattern_memory = 1 << 20;

// What is said before a delay, then at most a few words without digits, so that "limited to 60 messages in 60 seconds"
// and the next sentence's numbers do not count.
constexpr auto before =
    R"(\b(?:again|retry|retr[a-z]+|back|wait[a-z]*|resend|reconnect|later|resubmit|gr[ea]y-?list[a-z]*|blocked|block|)"
    R"(deferred|delayed|suspended|limited|locked|banned|throttled|paused|disabled|rejected|attendre|reessay[a-z]*|)"
    R"(essay[a-z]*|riprov[a-z]*|attend[a-z]*|intent[a-z]*|reintent[a-z]*|esper[a-z]*|tent[a-z]*|aguard[a-z]*|)"
    R"(versuch[a-z]*|wart[a-z]*|erneut)\b[^0-9.;]{0,32})";
constexpr auto amount = R"(\b([0-9]{1,6}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|)"
                        R"(secondes?|segundos?|secondi|sekunden|minuti|minutos?|minuten?|heures?|ore|ora|horas?|)"
                        R"(stunden?|jours?|giorni|dias?|tagen?)\b)";

const re2::RE2* compiled(const std::string& pattern) {
    static const auto options = [] {
        auto result = pattern_options(pattern_memory);
        result.set_longest_match(false);
        return result;
    }();
    // Never freed: the patterns live as long as the program, and no destructor may race a worker's last reply.
    return new re2::RE2(pattern, options);
}

core::Duration unit_of(std::string_view word) {
    if (word.starts_with("se") || word == "s") return 1s;
    if (word.starts_with('m')) return 1min;
    if (word.starts_with('h') || word.starts_with("or") || word.starts_with("st")) return 1h;
    return 24h;
}

std::optional<core::Duration> checked(core::Duration delay) {
    return delay > 0s && delay <= longest_delay ? std::optional(delay) : std::nullopt;
}

re2::StringPiece piece_of(std::string_view text) {
    return {text.data(), text.size()};
}

/// "try again in 300 seconds", "after 5 minutes, try again", "retry-after: 120".
std::optional<core::Duration> find_amount(std::string_view text) {
    static const re2::RE2* const after_word = compiled(before + std::string(amount));
    static const re2::RE2* const before_word = compiled("\\b(?:in|after|dans|en|tra|dopo|nach|apres) " +
                                                        std::string(amount) + "[^0-9.;]{0,16}\\b(?:retry|try)");
    static const re2::RE2* const field = compiled(R"(\bretry[-_ ]?(?:after|in)[:= ]{1,3}([0-9]{1,6})\b())");
    for (const re2::RE2* pattern : {after_word, before_word, field}) {
        int count = 0;
        std::string unit;
        if (!re2::RE2::PartialMatch(piece_of(text), *pattern, &count, &unit)) continue;
        const core::Duration one = unit.empty() ? core::Duration(1s) : unit_of(unit);
        return count <= longest_delay / one ? checked(count * one) : std::nullopt;
    }
    return std::nullopt;
}

/// milter-greylist: "come back in 00:04:58".
std::optional<core::Duration> find_clock(std::string_view text) {
    static const re2::RE2* const pattern =
        compiled(before + std::string(R"(\b([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])\b)"));
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!re2::RE2::PartialMatch(piece_of(text), *pattern, &hours, &minutes, &seconds)) return std::nullopt;
    return checked(hours * 1h + minutes * 1min + seconds * 1s);
}

/// "try again in an hour".
std::optional<core::Duration> find_words(std::string_view text) {
    static const re2::RE2* const pattern = compiled(
        before + std::string(R"(\b(?:in|after|for|dans|en|tra|dopo|einer?|at least) (?:an|a|one|une|un|una|uma|einer) )"
                             R"((second|minute|hour|heure|hora|ora|day|jour|dia|giorno|stunde)\b)"));
    std::string unit;
    if (!re2::RE2::PartialMatch(piece_of(text), *pattern, &unit)) return std::nullopt;
    return unit_of(unit);
}

}  // namespace

std::optional<core::Duration> find_delay(std::string_view text) {
    if (const auto delay = find_amount(text)) return delay;
    if (const auto delay = find_clock(text)) return delay;
    return find_words(text);
}

bool names_seconds_limit(std::string_view text) {
    static const re2::RE2* const pattern = compiled(R"(\bper[- ]second\b|/ ?s(ec)?\b)");
    return re2::RE2::PartialMatch(piece_of(text), *pattern);
}

}  // namespace weir::policy
