#include "fields.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using policy::ClassifyRule;
using policy::ReplyClass;
using policy::Scope;

constexpr std::string_view classify_allowed = R"(write it as in [{pattern: "(?i)too many", class: rate}])";
constexpr std::string_view pattern_allowed = "give a regular expression in RE2's syntax, as in \"(?i)too many\"";

constexpr std::array classes{
    Choice<ReplyClass>{"ok", ReplyClass::ok},
    Choice<ReplyClass>{"rate", ReplyClass::rate},
    Choice<ReplyClass>{"reputation", ReplyClass::reputation},
    Choice<ReplyClass>{"auth", ReplyClass::auth},
    Choice<ReplyClass>{"recipient", ReplyClass::recipient},
    Choice<ReplyClass>{"content", ReplyClass::content},
    Choice<ReplyClass>{"system", ReplyClass::system},
};

constexpr std::array scopes{
    Choice<Scope>{"host", Scope::host},       Choice<Scope>{"account", Scope::account},
    Choice<Scope>{"sender", Scope::sender},   Choice<Scope>{"recipient", Scope::recipient},
    Choice<Scope>{"message", Scope::message}, Choice<Scope>{"unknown", Scope::unknown},
};

void read_pattern(const Value& value, ClassifyRule& rule) {
    if (!value.expect(Node::Kind::scalar, pattern_allowed)) return;
    const std::string problem = policy::pattern_problem(value.node().text);
    if (problem.empty()) {
        rule.pattern = value.node().text;
    } else {
        value.refuse("is not a pattern: " + problem + "; " + std::string(pattern_allowed));
    }
}

constexpr std::array rule_fields{
    Field<ClassifyRule>{"pattern", read_pattern},
    Field<ClassifyRule>{"class",
                        [](const Value& value, ClassifyRule& rule) {
                            rule.reply_class = read_choice(value, classes).value_or(rule.reply_class);
                        }},
    Field<ClassifyRule>{"scope",
                        [](const Value& value, ClassifyRule& rule) { rule.scope = read_choice(value, scopes); }},
};

void read_rule(const Value& value, std::vector<ClassifyRule>& rules) {
    ClassifyRule rule;
    if (!read_map(value, rule_fields, classify_allowed, rule)) return;
    if (!find(value, "pattern")) value.missing("pattern", std::string(pattern_allowed));
    if (!find(value, "class")) value.missing("class", "say what a reply with this pattern is, as in class: rate");
    rules.push_back(std::move(rule));
}

void read_classify(const Value& value, Settings& settings) {
    settings.classify.clear();
    if (value.node().kind == Node::Kind::list && value.node().items.empty()) return;
    read_list(value, classify_allowed, policy::max_classify_rules,
              [&](const Value& item) { read_rule(item, settings.classify); });
    if (const std::string problem = policy::classify_problem(settings.classify); !problem.empty()) value.error(problem);
}

constexpr std::array feedback_fields{
    Field<Settings>{
        "classify", read_classify,
        [](const std::string& path, std::vector<Key>& keys) { list_keys(rule_fields, path + "[].", keys); }},
};

}  // namespace

void read_feedback(const Value& value, Settings& settings) {
    read_map(value, feedback_fields, "write it as in {classify: [{pattern: \"(?i)too many\", class: rate}]}", settings);
}

void list_feedback(const std::string& path, std::vector<Key>& keys) {
    list_keys(feedback_fields, path + '.', keys);
}

}  // namespace weir::config
