#include "weir/policy/classifier.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "pattern_set.hpp"
#include "plain_text.hpp"
#include "reply_table.hpp"
#include "retry_delay.hpp"

namespace weir::policy {
namespace {

// A pattern of longest_pattern bytes fits unless it multiplies itself ("(a{100}){100}"). The sets' automata are built
// as texts ask for it, and started anew when they reach their memory.
constexpr PatternSet::Limits operator_limits{.pattern_memory = 1 << 18, .set_memory = 1 << 24};
constexpr PatternSet::Limits built_in_limits{.pattern_memory = 1 << 20, .set_memory = 1 << 24};

/// What a row can be matched with.
struct Reply {
    int code;
    std::optional<std::array<int, 3>> status;
    Stage stage;
};

/// One table with its patterns in one set.
class Table {
public:
    explicit Table(const BuiltInTable& source) : rows_(read_rows(source)), patterns_(compile(rows_)) {}

    /// Calls `use(row)` for each row that applies, in order, until it returns true.
    template <class Use>
    void apply(const Reply& reply, std::string_view text, Use use) const {
        for (const int i : patterns_.matches(text)) {
            const Row& row = rows_[static_cast<std::size_t>(i)];
            if (row.when.are_met(reply.code, reply.status, reply.stage) && use(row)) return;
        }
    }

private:
    // A table that cannot be read is a mistake in this source tree, and no test passes with it.
    static std::vector<Row> read_rows(const BuiltInTable& source) {
        int bad_line = 0;
        auto rows = parse_table(source.text, source.name, bad_line);
        if (!rows) throw std::logic_error(std::string(source.name) + ':' + std::to_string(bad_line) + ": not a row");
        return *std::move(rows);
    }

    static PatternSet compile(const std::vector<Row>& rows) {
        std::vector<std::string> patterns;
        for (const Row& row : rows) {
            patterns.push_back("(?i)" + row.pattern);
            const std::string problem = syntax_problem(patterns.back(), built_in_limits.pattern_memory);
            if (!problem.empty()) throw std::logic_error(row.place + ": " + problem);
        }
        return PatternSet::compile(std::move(patterns), built_in_limits).value();
    }

    std::vector<Row> rows_;
    PatternSet patterns_;
};

/// What speaks for one class.
struct Evidence {
    const Row* heaviest = nullptr;
    bool has_more = false;
    int likely = 0;

    [[nodiscard]] int weight() const {
        return heaviest == nullptr ? 0 : heaviest->weight + (has_more ? 1 : 0) + likely;
    }
};

/// Adds up what rows say; phrases.txt explains how.
class Scales {
public:
    void add(const Row& row) {
        Evidence& evidence = of(row.reply_class);
        if (row.only_likely) {
            evidence.likely += row.weight;
            return;
        }
        evidence.has_more = evidence.heaviest != nullptr;
        if (evidence.heaviest == nullptr || row.weight > evidence.heaviest->weight) evidence.heaviest = &row;
    }

    [[nodiscard]] const Row* outcome() const {
        const auto best =
            std::max_element(evidence_.begin(), evidence_.end(),
                             [](const Evidence& a, const Evidence& b) { return a.weight() < b.weight(); });
        return best->heaviest;
    }

private:
    Evidence& of(ReplyClass reply_class) { return evidence_[static_cast<std::size_t>(reply_class)]; }

    std::array<Evidence, 7> evidence_{};
};

/// The built-in tables, read and compiled once.
class BuiltInRules {
public:
    static const BuiltInRules& instance() {
        static const BuiltInRules rules;
        return rules;
    }

    /// The row that decides, or none.
    [[nodiscard]] const Row* decide(const Reply& reply, std::string_view plain) const {
        const Row* first = nullptr;
        providers_.apply(reply, plain, [&](const Row& row) {
            first = &row;
            return true;
        });
        if (first != nullptr) return first;
        Scales scales;
        const auto weigh = [&](const Row& row) {
            scales.add(row);
            return false;
        };
        phrases_.apply(reply, phrase_text(plain), weigh);
        statuses_.apply(reply, "", weigh);
        return scales.outcome();
    }

private:
    BuiltInRules() = default;

    Table providers_{built_in_tables[0]};
    Table phrases_{built_in_tables[1]};
    Table statuses_{built_in_tables[2]};
};

std::optional<core::Duration> delay_of(ReplyClass reply_class, std::string_view plain) {
    if (auto delay = find_delay(plain)) return delay;
    if (reply_class == ReplyClass::rate && names_seconds_limit(plain)) return std::chrono::seconds(1);
    return std::nullopt;
}

bool is_positive(int code) {
    return (code >= 200 && code < 300) || code == 334 || code == 354;
}

core::Result<PatternSet> compile_rules(const std::vector<ClassifyRule>& rules) {
    if (rules.size() > max_classify_rules) return core::Errc::out_of_range;
    std::vector<std::string> patterns;
    for (const ClassifyRule& rule : rules) {
        if (rule.pattern.size() > longest_pattern) return core::Errc::out_of_range;
        patterns.push_back(rule.pattern);
    }
    return PatternSet::compile(std::move(patterns), operator_limits);
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

Classifier::Classifier() : Classifier(create({}).value()) {}

Classifier::Classifier(std::shared_ptr<const OperatorRules> rules) : rules_(std::move(rules)) {
    static_cast<void>(BuiltInRules::instance());  // compiled now, so that no reply has to wait for it
}

core::Result<Classifier> Classifier::create(std::vector<ClassifyRule> rules) {
    auto patterns = compile_rules(rules);
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
    const Row* const row = BuiltInRules::instance().decide(
        {.code = facts.code, .status = parse_status(facts.enhanced_status), .stage = facts.stage}, plain);
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
    return compile_rules(rules).has_error() ? "is too large; the patterns together do not fit into 16 MiB" : "";
}

}  // namespace weir::policy
