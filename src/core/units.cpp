#include "weir/core/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace weir::core {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t too_large = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t max_count = 1'000'000'000'000;
constexpr std::uint64_t max_window = std::chrono::nanoseconds(hours(24 * 365)).count();
constexpr std::uint64_t max_duration = static_cast<std::uint64_t>(Duration::max().count());
// A limit keeps its fill as one point in time: a burst must not reach beyond what nanoseconds can count (292 years).
constexpr double max_refill_ns = 100.0 * static_cast<double>(max_window);

struct Unit {
    std::string_view name;
    Duration length;
};

// From long to short; the first name of each length is the one that is printed.
constexpr std::array units{
    Unit{"day", hours(24)},     Unit{"days", hours(24)},     Unit{"d", hours(24)},        Unit{"h", hours(1)},
    Unit{"hour", hours(1)},     Unit{"hours", hours(1)},     Unit{"min", minutes(1)},     Unit{"m", minutes(1)},
    Unit{"minute", minutes(1)}, Unit{"minutes", minutes(1)}, Unit{"s", seconds(1)},       Unit{"sec", seconds(1)},
    Unit{"second", seconds(1)}, Unit{"seconds", seconds(1)}, Unit{"ms", milliseconds(1)}, Unit{"ns", Duration(1)},
};

Result<Duration> find_unit(std::string_view name) {
    for (const Unit& unit : units) {
        if (unit.name == name) return unit.length;
    }
    return Errc::bad_syntax;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Numbers, words and signs from left to right; blanks between them do not matter.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) { skip_blanks(); }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool at_number() const { return !rest_.empty() && is_digit(rest_.front()); }

    /// The letters that come next; empty when something else does.
    std::string_view word() { return take(is_letter); }

    bool accept(char sign) {
        if (rest_.empty() || rest_.front() != sign) return false;
        rest_.remove_prefix(1);
        skip_blanks();
        return true;
    }

    /// What is too large for 64 bits comes back as `too_large`, for the caller's own bound to refuse.
    Result<std::uint64_t> number() {
        const std::string_view digits = take(is_digit);
        std::uint64_t value = 0;
        const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec;
        if (error == std::errc::result_out_of_range) return too_large;
        if (error != std::errc{}) return Errc::bad_syntax;
        return value;
    }

private:
    template <class Predicate>
    std::string_view take(Predicate belongs) {
        std::size_t length = 0;
        while (length < rest_.size() && belongs(rest_[length])) ++length;
        const std::string_view taken = rest_.substr(0, length);
        rest_.remove_prefix(length);
        skip_blanks();
        return taken;
    }

    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

    std::string_view rest_;
};

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? too_large : product;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

/// What a size is multiplied by: "k", "KB" and "KiB" are all 1024, as they are for Postfix's and ISPs' size limits.
Result<std::uint64_t> byte_factor(std::string_view suffix) {
    std::string letters = lower(suffix);
    if (letters.ends_with('b')) letters.pop_back();
    if (letters.size() == 2 && suffix.size() == 3 && letters.back() == 'i') letters.pop_back();
    if (letters.empty()) return std::uint64_t{1};
    if (letters == "k") return std::uint64_t{1} << 10U;
    if (letters == "m") return std::uint64_t{1} << 20U;
    if (letters == "g") return std::uint64_t{1} << 30U;
    return Errc::bad_syntax;
}

/// A small m is refused where things are counted: in "10m/h" it could as well have been meant as minutes.
Result<std::uint64_t> thing_factor(std::string_view suffix) {
    if (suffix.empty()) return std::uint64_t{1};
    if (suffix == "k" || suffix == "K") return std::uint64_t{1'000};
    if (suffix == "M") return std::uint64_t{1'000'000};
    if (suffix == "G") return std::uint64_t{1'000'000'000};
    return Errc::bad_syntax;
}

Result<std::uint64_t> scan_amount(Scanner& scanner, Counts counts) {
    const auto number = scanner.number();
    if (!number) return number.error();
    const std::string_view suffix = scanner.word();
    const auto factor = counts == Counts::bytes ? byte_factor(suffix) : thing_factor(suffix);
    if (!factor) return factor.error();
    return multiply(*number, *factor);
}

bool in_range(std::uint64_t value, std::uint64_t most) {
    return value >= 1 && value <= most;
}

/// A limiter steps in whole nanoseconds, and its fullest bucket must fit into a Duration.
bool can_be_kept(std::uint64_t count, std::uint64_t window, std::uint64_t burst) {
    return count <= window &&
           static_cast<double>(burst) * static_cast<double>(window) / static_cast<double>(count) <= max_refill_ns;
}

std::string format_amount(std::uint64_t count, Counts counts) {
    constexpr std::array suffixes{"", "k", "M", "G"};
    std::size_t power = 0;
    while (counts == Counts::bytes && count != 0 && count % 1024 == 0 && power + 1 < suffixes.size()) {
        count /= 1024;
        ++power;
    }
    return std::to_string(count) + suffixes[power];
}

}  // namespace

Result<Quota> parse_quota(std::string_view text, Counts counts) {
    Scanner scanner(text);
    const auto count = scan_amount(scanner, counts);
    if (!count) return count.error();
    if (!scanner.accept('/')) return Errc::bad_syntax;
    const auto times = scanner.at_number() ? scanner.number() : Result<std::uint64_t>(1U);
    const auto unit = find_unit(scanner.word());
    if (!unit) return unit.error();
    const std::uint64_t window = multiply(*times, static_cast<std::uint64_t>(unit->count()));

    auto burst = count;
    if (!scanner.at_end()) {
        scanner.accept(',');
        if (scanner.word() != "burst") return Errc::bad_syntax;
        burst = scan_amount(scanner, counts);
    }
    if (!burst) return burst.error();
    if (!scanner.at_end()) return Errc::bad_syntax;

    const bool fits = in_range(*count, max_count) && in_range(window, max_window) && in_range(*burst, max_count);
    if (!fits || !can_be_kept(*count, window, *burst)) return Errc::out_of_range;
    return Quota{.rate = {.count = *count, .per = Duration(static_cast<Duration::rep>(window))}, .burst = *burst};
}

std::string format_rate(const Rate& rate, Counts counts) {
    for (const Unit& unit : units) {
        if (rate.per.count() <= 0 || rate.per % unit.length != Duration::zero()) continue;
        const auto times = rate.per / unit.length;
        std::string window(unit.name);
        if (times != 1) window = std::to_string(times) + (window == "day" ? "d" : window);
        return format_amount(rate.count, counts) + '/' + window;
    }
    return format_amount(rate.count, counts);
}

Result<Duration> parse_duration(std::string_view text) {
    if (text == "0") return Duration::zero();
    Scanner scanner(text);
    std::uint64_t total = 0;
    auto previous_unit = Duration::max();
    do {
        const auto number = scanner.number();
        if (!number) return number.error();
        const auto unit = find_unit(scanner.word());
        if (!unit) return unit.error();
        // "30m1h" or "5m5m" is a slip of the pen rather than a sum.
        if (*unit >= previous_unit) return Errc::bad_syntax;
        previous_unit = *unit;
        const std::uint64_t part = multiply(*number, static_cast<std::uint64_t>(unit->count()));
        total = part > max_duration - std::min(total, max_duration) ? too_large : total + part;
    } while (!scanner.at_end());
    if (total > max_duration) return Errc::out_of_range;
    return Duration(static_cast<Duration::rep>(total));
}

std::string format_wait(Duration wait) {
    // Each step rounds up what the step before has left, so 119.5 s becomes "2 min" and never "120 s".
    const auto s = std::chrono::ceil<std::chrono::seconds>(std::max(wait, Duration::zero())).count();
    if (s < 120) return std::to_string(s) + " s";
    const auto min = (s + 59) / 60;
    if (min < 120) return std::to_string(min) + " min";
    const auto h = (min + 59) / 60;
    if (h < 48) return std::to_string(h) + " h";
    return std::to_string((h + 23) / 24) + " d";
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
    Scanner scanner(text);
    const auto amount = scan_amount(scanner, Counts::bytes);
    if (!amount) return amount.error();
    if (!scanner.at_end()) return Errc::bad_syntax;
    if (*amount == too_large) return Errc::out_of_range;
    return amount;
}

}  // namespace weir::core
