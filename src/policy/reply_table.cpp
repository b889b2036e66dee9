#include "reply_table.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "weir/core/units.hpp"

namespace weir::policy {
namespace {

using Range = Conditions::Range;

/// Cuts off what stands before the next separator, or everything.
std::string_view cut(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const std::string_view head = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return head;
}

/// The next word, and the blanks behind it.
std::string_view cut_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ')));
    return word;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end && value >= 0 ? std::optional(value) : std::nullopt;
}

/// "28", "500-699" or "*".
std::optional<Range> parse_range(std::string_view text) {
    if (text == "*") return Range{.least = 0, .most = 999};
    const auto least = number(cut(text, '-'));
    const auto most = text.empty() ? least : number(text);
    if (!least || !most || *least > *most) return std::nullopt;
    return Range{.least = *least, .most = *most};
}

/// "421" or "4xx".
std::optional<Range> parse_code(std::string_view text) {
    if (text == "4xx") return Range{.least = 400, .most = 499};
    if (text == "5xx") return Range{.least = 500, .most = 599};
    return text.size() == 3 ? parse_range(text) : std::nullopt;
}

bool read_status(std::string_view text, Conditions& when) {
    std::array<Range, 3> ranges{};
    for (Range& range : ranges) {
        const auto part = parse_range(cut(text, '.'));
        if (!part) return false;
        range = *part;
    }
    when.statuses.push_back(ranges);
    return text.empty();
}

bool read_condition(std::string_view text, Row& row) {
    if (text.starts_with("wait=")) {
        const auto wait = core::parse_duration(text.substr(5));
        if (wait) row.wait = *wait;
        return wait.has_value();
    }
    if (text.starts_with('@')) {
        const auto stage = parse_stage(text.substr(1));
        if (stage) row.when.stages.push_back(*stage);
        return stage.has_value();
    }
    if (text.find('.') != std::string_view::npos) return read_status(text, row.when);
    const auto code = parse_code(text);
    if (code) row.when.codes.push_back(*code);
    return code.has_value();
}

bool read_columns(std::string_view line, Row& row) {
    std::string_view meaning = cut_word(line);
    std::string_view conditions = cut_word(line);
    const auto reply_class = parse_reply_class(cut(meaning, '/'));
    const auto scope = parse_scope(meaning);
    if (!reply_class || !scope || conditions.empty() || line.empty()) return false;
    row.reply_class = *reply_class;
    row.scope = *scope;
    row.pattern = line == "*" ? std::string_view() : line;
    if (conditions == "-") return true;
    while (!conditions.empty()) {
        if (!read_condition(cut(conditions, ','), row)) return false;
    }
    return true;
}

std::string_view trimmed(std::string_view text) {
    const auto first = std::min(text.find_first_not_of(' '), text.size());
    return text.substr(first, text.find_last_not_of(" \r") + 1 - first);
}

/// Reads one table line by line.
class TableReader {
public:
    explicit TableReader(std::string_view name) : name_(name) {}

    /// Whether the line is one of a table.
    bool read(std::string_view line, int number) {
        const bool goes_on = line.starts_with(' ');
        line = trimmed(line);
        if (line.empty() || line.starts_with('#')) return true;
        if (goes_on) return read_more(line);
        if (line == "likely") return only_likely_ = true;
        if (line.starts_with("weight ")) return read_weight(line.substr(7));
        const auto equals = line.find(" = ");
        const auto blank = line.find(' ');
        const bool is_list = equals != std::string_view::npos && line.find_first_not_of(' ', blank) == equals + 1;
        return is_list ? read_list(line.substr(0, blank), trimmed(line.substr(equals + 3))) : read_row(line, number);
    }

    [[nodiscard]] std::vector<Row> take() { return std::move(rows_); }

private:
    bool read_weight(std::string_view text) {
        const auto weight = number(text);
        if (weight) weight_ = *weight;
        return weight.has_value();
    }

    bool read_list(std::string_view name, std::string_view words) {
        const auto [list, is_new] = lists_.emplace(name, "");
        open_ = &list->second;
        return is_new && with_lists(words, list->second);
    }

    bool read_row(std::string_view line, int line_number) {
        Row row{};
        if (!read_columns(line, row) || !with_lists(std::string(row.pattern), row.pattern)) return false;
        row.weight = weight_;
        row.only_likely = only_likely_;
        row.place = name_ + ':' + std::to_string(line_number);
        rows_.push_back(std::move(row));
        open_ = &rows_.back().pattern;
        return true;
    }

    /// More alternatives for the row or list before.
    bool read_more(std::string_view words) {
        std::string text;
        if (open_ == nullptr || open_->empty() || !with_lists(words, text)) return false;
        (*open_ += '|') += text;
        return true;
    }

    /// Puts the words of each <name> in its place.
    bool with_lists(std::string_view text, std::string& out) const {
        out.clear();
        for (auto open = text.find('<'); open != std::string_view::npos; open = text.find('<')) {
            const auto close = text.find('>', open);
            if (close == std::string_view::npos) return false;
            const auto list = lists_.find(text.substr(open + 1, close - open - 1));
            if (list == lists_.end()) return false;
            ((out += text.substr(0, open)) += '(') += list->second + ')';
            text.remove_prefix(close + 1);
        }
        out += text;
        return true;
    }

    std::string name_;
    int weight_ = 0;
    bool only_likely_ = false;
    std::map<std::string, std::string, std::less<>> lists_;
    std::vector<Row> rows_;
    std::string* open_ = nullptr;  ///< what a line that begins with a blank adds to
};

bool contains(const Range& range, int value) {
    return value >= range.least && value <= range.most;
}

}  // namespace

bool Conditions::are_met(int code, const std::optional<std::array<int, 3>>& status, Stage stage) const {
    const auto has_code = [&](const Range& range) { return contains(range, code); };
    const auto has_status = [&](const std::array<Range, 3>& ranges) {
        return status && std::equal(ranges.begin(), ranges.end(), status->begin(), contains);
    };
    return (codes.empty() || std::any_of(codes.begin(), codes.end(), has_code)) &&
           (statuses.empty() || std::any_of(statuses.begin(), statuses.end(), has_status)) &&
           (stages.empty() || std::find(stages.begin(), stages.end(), stage) != stages.end());
}

core::Result<std::vector<Row>> parse_table(std::string_view text, std::string_view name, int& bad_line) {
    TableReader reader(name);
    for (int number = 1; !text.empty(); ++number) {
        bad_line = number;
        if (!reader.read(cut(text, '\n'), number)) return core::Errc::bad_syntax;
    }
    bad_line = 0;
    return reader.take();
}

std::optional<std::array<int, 3>> parse_status(std::string_view text) {
    std::array<int, 3> status{};
    for (int& part : status) {
        const auto value = number(cut(text, '.'));
        if (!value) return std::nullopt;
        part = *value;
    }
    return text.empty() ? std::optional(status) : std::nullopt;
}

}  // namespace weir::policy
