#include "weir/policy/reply_class.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::policy {
namespace {

constexpr std::array classes{
    std::pair<std::string_view, ReplyClass>{"ok", ReplyClass::ok},
    std::pair<std::string_view, ReplyClass>{"rate", ReplyClass::rate},
    std::pair<std::string_view, ReplyClass>{"reputation", ReplyClass::reputation},
    std::pair<std::string_view, ReplyClass>{"auth", ReplyClass::auth},
    std::pair<std::string_view, ReplyClass>{"recipient", ReplyClass::recipient},
    std::pair<std::string_view, ReplyClass>{"content", ReplyClass::content},
    std::pair<std::string_view, ReplyClass>{"system", ReplyClass::system},
};

constexpr std::array scopes{
    std::pair<std::string_view, Scope>{"unknown", Scope::unknown},
    std::pair<std::string_view, Scope>{"host", Scope::host},
    std::pair<std::string_view, Scope>{"account", Scope::account},
    std::pair<std::string_view, Scope>{"sender", Scope::sender},
    std::pair<std::string_view, Scope>{"recipient", Scope::recipient},
    std::pair<std::string_view, Scope>{"message", Scope::message},
};

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
    const auto row = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.second == value; });
    return row == table.end() ? std::string_view("unknown") : row->first;
}

template <class Value, class Table>
std::optional<Value> value_of(const Table& table, std::string_view name) {
    const auto row = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.first == name; });
    return row == table.end() ? std::nullopt : std::optional(row->second);
}

}  // namespace

std::string_view to_string(ReplyClass reply_class) {
    return name_of(classes, reply_class);
}

std::string_view to_string(Scope scope) {
    return name_of(scopes, scope);
}

std::optional<ReplyClass> parse_reply_class(std::string_view name) {
    return value_of<ReplyClass>(classes, name);
}

std::optional<Scope> parse_scope(std::string_view name) {
    return value_of<Scope>(scopes, name);
}

Scope usual_scope(ReplyClass reply_class) {
    switch (reply_class) {
        case ReplyClass::rate:
        case ReplyClass::reputation:
            return Scope::host;
        case ReplyClass::auth:
            return Scope::account;
        case ReplyClass::recipient:
            return Scope::recipient;
        case ReplyClass::content:
            return Scope::message;
        case ReplyClass::ok:
        case ReplyClass::system:
            break;
    }
    return Scope::unknown;
}

}  // namespace weir::policy
