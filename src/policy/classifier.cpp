#include "weir/policy/classifier.hpp"

#include <chrono>
#include <span>
#include <utility>

#include "pattern_set.hpp"
#include "plain_text.hpp"
#include "reply_table.hpp"
#include "retry_delay.hpp"

namespace weir::policy {
namespace {

// A pattern of longest_pattern bytes fits unless it multiplies itself ("(a{100}){100}"). The sets' automata are built as
// texts ask for it, and started anew when they reach their memory.
constexpr PatternSet::Limits operator_limits{.pattern_memory = 1 << 18, .set_memory = 1 << 24};
constexpr PatternSet::Limits built_in_limits{.pattern_memory = 1 << 20, .set_memory = 1 << 26};

/// The built-in tables, compiled: one set for all patterns of all tables, in the order in which they are read.
class BuiltInRules {
public:
    static const BuiltInRules& instance() {
        static const BuiltInRules rules;
        return rules;
    }

    [[nodiscard]] const Row* first_that_applies(const ReplyFacts& reply, std::string_view plain) const {
        const auto status = parse_status(reply.enhanced_status);
        for (const int i : patterns_.matches(plain)) {
            const Row& row = rows_[static_cast<std::size_t>(i)];
            if (row.when.are_met(reply.code, status, reply.stage)) return &row;
        }
        return nullptr;
    }

private:
    BuiltInRules() : rows_(read_rows()), patterns_(compile(rows_)) {}

    static std::vector<Row> read_rows() {
        std::vector<Row> rows;
        for (const BuiltInTable& table : built_in_tables) {
            int bad_line = 0;
            // A table that cannot be read is a mistake in this source tree; ReplyTable.AllBuiltInRowsAreRead names its line.
            for (Row& row : parse_table(table.text, table.name, bad_line).value()) rows.push_back(std::move(row));
        }
        return rows;
    }

    static PatternSet compile(const std::vector<Row>& rows) {
        std::vector<std::string> patterns;
        for (const Row& row : rows) patterns.push_back("(?i)" + row.pattern);
        return PatternSet::compile(std::move(patterns), built_in_limits).value();
    }

    std::vector<Row> rows_;
    PatternSet patterns_;
};

std::optional<core::Duration> delay_of(ReplyClass reply_class, std::string_view plain) {
    if (auto delay = find_delay(plain)) return delay;
    if (reply_class == ReplyClass::rate && names_seconds_limit(plain)) return std::chrono::seconds(1);
    return std::nullopt;
}

bool is_positive(int code) {
    return (code >= 200 && code < 300) || code == 334 || code == 354;
}

std::vector<std::string> patterns_of(const std::vector<ClassifyRule>& rules) {
    std::vector<std::string> patterns;
    for (const ClassifyRule& rule : rules) patterns.push_back(rule.pattern);
    return patterns;
}

/// The reply as an operator sees it in a log, on one line: "421 4.7.0 Too many connections".
std::string whole_reply(const ReplyFacts& reply, std::string_view line) {
    std::string text = std::to_string(reply.code) + ' ';
    if (!reply.enhanced_status.empty()) (text += reply.enhanced_status) += ' ';
    return text += line;
}

std::string on_one_line(std::string_view text) {
    std::string line(text.substr(0, longest_reply_text));
    for (char& c : line) {
        if (c == '\r' || c == '\n') c = ' ';
    }
    return line;
}

}  // namespace

class Classifier::OperatorRules {
public:
    OperatorRules(std::vector<ClassifyRule> rules, PatternSet patterns)
        : rules_(std::move(rules)), patterns_(std::move(patterns)) {
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            places_.push_back("feedback.classify[" + std::to_string(i) + ']');
        }
    }

    [[nodiscard]] std::optional<Classification> classify(const ReplyFacts& reply) const {
        if (rules_.empty()) return std::nullopt;
        const std::string line = on_one_line(reply.text);
        std::vector<int> found = patterns_.matches(line);
        const std::vector<int> found_in_all = patterns_.matches(whole_reply(reply, line));
        if (found.empty() || (!found_in_all.empty() && found_in_all.front() < found.front())) found = found_in_all;
        if (found.empty()) return std::nullopt;
        const auto first = static_cast<std::size_t>(found.front());
        const ClassifyRule& rule = rules_[first];
        return Classification{.reply_class = rule.reply_class,
                              .scope = rule.scope.value_or(usual_scope(rule.reply_class)),
                              .retry_after = std::nullopt,
                              .decided_by = places_[first]};
    }

private:
    std::vector<ClassifyRule> rules_;
    PatternSet patterns_;
    std::vector<std::string> places_;
};

Classifier::Classifier() : rules_(std::make_shared<OperatorRules>(std::vector<ClassifyRule>(), PatternSet::compile({}, operator_limits).value())) {}

Classifier::Classifier(std::shared_ptr<const OperatorRules> rules) : rules_(std::move(rules)) {}

core::Result<Classifier> Classifier::create(std::vector<ClassifyRule> rules) {
    if (rules.size() > max_classify_rules) return core::Errc::out_of_range;
    for (const ClassifyRule& rule : rules) {
        if (rule.pattern.size() > longest_pattern) return core::Errc::out_of_range;
    }
    auto patterns = PatternSet::compile(patterns_of(rules), operator_limits);
    if (!patterns) return patterns.error();
    return Classifier(std::make_shared<OperatorRules>(std::move(rules), *std::move(patterns)));
}

Classification Classifier::classify(const ReplyFacts& reply) const {
    if (is_positive(reply.code)) return {.reply_class = ReplyClass::ok, .decided_by = "code"};
    ReplyFacts facts = reply;
    if (facts.enhanced_status.empty()) facts.enhanced_status = find_status(facts.text);
    facts.text = without_status(facts.text);
    const std::string plain = plain_text(facts.text);
    if (auto answer = rules_->classify(facts)) {
        answer->retry_after = delay_of(answer->reply_class, plain);
        return *answer;
    }
    const Row* const row = BuiltInRules::instance().first_that_applies(facts, plain);
    if (row == nullptr) return {.retry_after = delay_of(ReplyClass::system, plain)};
    const auto delay = delay_of(row->reply_class, plain);
    return {.reply_class = row->reply_class,
            .scope = row->scope,
            .retry_after = delay ? delay : row->wait,
            .decided_by = row->place};
}

std::string pattern_problem(std::string_view pattern) {
    if (pattern.empty()) return "is empty and would apply to every reply";
    if (pattern.size() > longest_pattern) {
        return "is longer than " + std::to_string(longest_pattern) + " bytes";
    }
    return syntax_problem(pattern, operator_limits.pattern_memory);
}

std::string classify_problem(const std::vector<ClassifyRule>& rules) {
    if (rules.size() > max_classify_rules) {
        return "has " + std::to_string(rules.size()) + " patterns; at most " + std::to_string(max_classify_rules) +
               " are allowed";
    }
    return Classifier::create(rules).has_error() ? "is too large; the patterns together do not fit into 16 MiB" : "";
}

}  // namespace weir::policy
