#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/policy/reply_class.hpp"
#include "weir/policy/reply_facts.hpp"
#include "weir/policy/settings.hpp"

namespace weir::policy {

/// What a reply was taken for.
///
/// `decided_by` outlives neither the Classifier nor its copies: "feedback.classify[0]", "providers.txt:42",
/// "phrases.txt:17", "statuses.txt:9", "code" for positive replies, "nothing" for texts that nobody knows.
struct Classification {
    ReplyClass reply_class = ReplyClass::system;
    Scope scope = Scope::unknown;
    std::optional<core::Duration> retry_after{};  ///< only where the text names a time, or a limit per second
    std::string_view decided_by = "nothing";
};

/// Tells from a relay's reply whom it blames and whether waiting helps.
///
/// The operator's patterns are tried first, then the built-in tables (src/policy/replies/), provider tags before common
/// phrases before status codes (docs/classifier.md). A reply with no evidence in it is `system`, scope `unknown`, and
/// never `rate`.
///
/// Time:    linear in the text, whatever the patterns and the text are: RE2 sets, and only the first 4 KiB of the text.
/// Memory:  bounded, by max_classify_rules, longest_pattern and RE2's own budgets.
/// Errors:  create() returns Errc::bad_syntax for a pattern that is not RE2, Errc::out_of_range for one or for a list
///          that is too large; classify_problem() says it in words.
/// Threads: classify() may be called from any thread; copies share their tables.
class Classifier {
public:
    /// The built-in tables alone. The first Classifier of a process compiles them, which takes a tenth of a second.
    Classifier();

    [[nodiscard]] static core::Result<Classifier> create(std::vector<ClassifyRule> rules);

    [[nodiscard]] Classification classify(const ReplyFacts& reply) const;

private:
    class OperatorRules;

    explicit Classifier(std::shared_ptr<const OperatorRules> rules);

    std::shared_ptr<const OperatorRules> rules_;
};

}  // namespace weir::policy
