#include "matcher.hpp"

#include <algorithm>
#include <functional>

#include "identifier.hpp"

namespace weir::policy {
namespace {

constexpr unsigned whole_name = 1'000;
constexpr unsigned local_client = 129;

std::vector<std::string> fold_all(std::vector<std::string> names,
                                  const std::function<std::string(const std::string&)>& fold) {
    for (std::string& name : names) name = fold(name);
    return names;
}

std::string fold_listed_domain(const std::string& domain) {
    const bool is_suffix = domain.starts_with('.');
    const DomainName folded = fold_domain(std::string_view(domain).substr(is_suffix ? 1 : 0));
    return std::string(is_suffix ? "." : "").append(view(folded));
}

std::string fold_listed_sender(const std::string& sender) {
    return fold_sender(sender == "<>" ? "" : sender);
}

std::string fold_listed_login(const std::string& login) {
    std::string folded = login;
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return folded;
}

}  // namespace

NameTable::NameTable(std::vector<std::string> names) : names_(std::move(names)) {
    std::sort(names_.begin(), names_.end());
}

bool NameTable::has(std::string_view name) const {
    return std::binary_search(names_.begin(), names_.end(), name, std::less<>());
}

unsigned NameTable::find(std::string_view name) const {
    if (has(name)) return whole_name;
    for (auto dot = name.find('.', 1); dot != name.npos; dot = name.find('.', dot + 1)) {
        if (has(name.substr(dot))) return static_cast<unsigned>(name.size() - dot);
    }
    return 0;
}

Matcher::Matcher(const Match& match)
    : client_(match.client),
      local_(match.local),
      login_(fold_all(match.login, fold_listed_login)),
      lane_(match.lane),
      sender_(fold_all(match.sender, fold_listed_sender)),
      sender_domain_(fold_all(match.sender_domain, fold_listed_domain)),
      recipient_domain_(fold_all(match.recipient_domain, fold_listed_domain)) {}

unsigned Matcher::match_client(const Identity& identity) const {
    if (identity.client_kind == Identity::Client::local) return local_ ? local_client : 0;
    if (identity.client_kind == Identity::Client::bounce) return 0;
    unsigned longest = 0;
    for (const core::Cidr& network : client_) {
        // A network of length 0 matches everything, and is still more than no table at all.
        if (network.contains(identity.client)) longest = std::max({longest, network.length, 1U});
    }
    return longest;
}

std::optional<Specificity> Matcher::match(const Identity& identity, std::string_view recipient_domain) const {
    Specificity found;
    if (!client_.empty() || local_) {
        found.network = match_client(identity);
        if (found.network == 0) return std::nullopt;
        ++found.tables;
    }
    const auto matches = [&found](const NameTable& table, std::string_view name) {
        if (table.empty()) return true;
        const unsigned closeness = table.find(name);
        found.names += closeness;
        ++found.tables;
        return closeness > 0;
    };
    const bool all = matches(login_, identity.login()) && matches(lane_, identity.lane()) &&
                     matches(sender_, identity.sender()) && matches(sender_domain_, identity.sender_domain()) &&
                     matches(recipient_domain_, recipient_domain);
    return all ? std::optional(found) : std::nullopt;
}

}  // namespace weir::policy
